// A tree in a file: those panels of the dashboard that make sense of a database at rest, filled from what the file holds.

import { Database } from './database.js';
import { h, section, text } from './dom.js';
import { date } from './format.js';
import { configuration } from './options.js';
import { panels as treePanels } from './tree.js';
import { panels as valuePanels } from './values.js';

const by = id => document.getElementById(id);
const { snapshot, labels, edits, tree, newest, remark, version } = JSON.parse(by('data').textContent);
const database = new Database(snapshot.database);
database.remember({ at: [snapshot.window.end], seconds: [0], columns: {}, heat: { edges_seconds: [] }, labels, edits });
database.read(snapshot);
// The tree that the changes led to: a running process has gone on until the snapshot.
if (tree !== null) database.plant(tree);
database.newest = newest;

const sections = [
  ['tree', 'Tree', treePanels()],
  ['space', 'Space', valuePanels()],
];
// A directory does not record the options of its database.
if (Object.keys(snapshot.options ?? {}).length > 0) sections.push(['system', 'System', [configuration('full')]]);

function draw() {
  for (const [, , panels] of sections) panels.forEach(panel => panel.show(database));
}

for (const [id, title, panels] of sections) {
  by('main').append(section(id, title, panels));
  by('nav').append(h('a', { href: `#${id}` }, title));
}
document.title = `${database.name} · Bettong`;
text(by('name'), database.name);
text(by('made'), `as it was on ${date(snapshot.window.end)}`);
text(by('about'), `Written by bettong ${version}. Times are of this browser's time zone. Keys are shown up to their first 16 bytes. Nothing is loaded from elsewhere, and nothing is sent anywhere.`);
by('notice').hidden = remark === null;
text(by('notice'), remark ?? '');
addEventListener('resize', draw);
draw();
