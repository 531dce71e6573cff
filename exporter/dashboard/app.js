// The page: its frame, its sections, and when what is drawn.

import { restyle, view } from './charts.js';
import { attribute, h, section, segmented, text } from './dom.js';
import { duration } from './format.js';
import { chosen, panels as latencyPanels } from './latency.js';
import { annotations, banner, measuring, panels as overviewPanels } from './overview.js';
import { panels as spacePanels } from './space.js';
import { Store, TokenNeeded } from './store.js';
import { first, incidents, last, second } from './system.js';
import { reads, writePanels } from './traffic.js';
import { panels as treePanels } from './tree.js';
import { panels as valuePanels } from './values.js';
import { panels as workPanels } from './work.js';

const by = id => document.getElementById(id);
const main = by('main');
const server = new Store(() => schedule());
let database = null;
let paused = false;
let scheduled = false;
let drawn = 0;

const stall = banner();
const latency = latencyPanels(() => schedule());
const sections = [
  ['now', 'Now', [...overviewPanels(), ...first(server), ...measuring(), ...second()]],
  ['latency', 'Latency', latency.panels, latency.group],
  ['reads', 'Reads', reads()],
  ['tree', 'Tree', [...treePanels(), ...workPanels()]],
  ['writes', 'Writes', writePanels()],
  ['space', 'Space', [...valuePanels(), ...spacePanels()]],
  ['incidents', 'What happened', incidents(server)],
  ['system', 'System', last(server)],
];
const panels = sections.flatMap(([, , list]) => list);
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    const panel = panels.find(one => one.node === entry.target);
    panel.visible = entry.isIntersecting;
  }
  schedule();
}, { rootMargin: '300px' });

function build() {
  main.append(stall.node);
  for (const [id, title, list, tools] of sections) {
    main.append(section(id, title, list, tools));
    by('nav').append(h('a', { href: `#${id}` }, title));
  }
  panels.forEach(panel => {
    panel.again = () => schedule();
    seen.observe(panel.node);
  });
  segmented(by('window'), [[60, '1 min'], [300, '5 min'], [900, '15 min']], view.seconds, seconds => {
    view.seconds = seconds;
    schedule();
  });
  by('pause').addEventListener('click', () => {
    paused = !paused;
    by('pause').setAttribute('aria-pressed', paused);
    text(by('pause'), paused ? 'Resume' : 'Pause');
    schedule();
  });
  by('annotate').addEventListener('click', () => {
    view.annotate = !view.annotate;
    by('annotate').setAttribute('aria-pressed', view.annotate);
    restyle();
  });
  by('copy').addEventListener('click', copy);
  by('hgrm').addEventListener('click', download);
  by('database').addEventListener('change', event => {
    database = server.databases.get(event.target.value);
    schedule();
  });
  by('token').addEventListener('submit', event => {
    event.preventDefault();
    server.token = by('secret').value;
    sessionStorage.setItem('bettong-token', server.token);
    by('secret').value = '';
    start();
  });
  addEventListener('resize', () => schedule());
  document.addEventListener('visibilitychange', () => schedule());
  setInterval(status, 1000);
}

async function copy() {
  try {
    const answer = await server.fetch('metrics.json');
    await navigator.clipboard.writeText(await answer.text());
    say('The JSON snapshot is in the clipboard.');
  } catch (fault) {
    say(`It could not be copied: ${fault.message}`);
  }
}

async function download() {
  try {
    const query = new URLSearchParams({ metric: `db_${chosen.operation}_latency_seconds`, format: 'hgrm', db: database.name });
    const answer = await server.fetch(`api/v1/hdr?${query}`);
    const link = h('a', { href: URL.createObjectURL(await answer.blob()), download: `${chosen.operation}.hgrm` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`The latencies of ${chosen.operation} since the database was opened are in ${chosen.operation}.hgrm, in microseconds.`);
  } catch (fault) {
    say(`It could not be downloaded: ${fault.message}`);
  }
}

let silence = null;
function say(sentence) {
  const notice = by('notice');
  notice.hidden = false;
  notice.textContent = sentence;
  clearTimeout(silence);
  silence = setTimeout(() => { notice.hidden = true; }, 6000);
}

function choose() {
  const names = [...server.databases.keys()];
  if (!database || !server.databases.has(database.name)) database = server.databases.get(names[0]) ?? null;
  else database = server.databases.get(database.name);
  const select = by('database');
  const known = [...select.options].map(option => option.value);
  if (names.length > 1 && names.join('\n') !== known.join('\n')) {
    select.replaceChildren(...names.map(name => h('option', { value: name, selected: name === database.name }, name)));
  }
  select.hidden = names.length < 2;
  by('name').hidden = names.length > 1;
  text(by('name'), database?.name ?? '');
}

/** Says whether what is shown is fresh. */
function status() {
  const silent = server.heard > 0 ? (performance.now() - server.heard) / 1000 : 0;
  const stale = server.heard > 0 && silent > 4;
  const state = stale ? 'stale' : server.heard === 0 ? server.way : paused ? 'paused' : server.way;
  const words = {
    connecting: 'connecting', reconnecting: 'cannot reach the server', live: 'live', polling: 'live, by polling', paused: 'paused',
    stale: `stale: nothing new for ${duration(Math.round(silent))}`,
  };
  attribute(by('status'), 'data-state', state);
  text(by('status').lastElementChild, words[state] ?? state);
  attribute(document.body, 'data-stale', stale ? '' : null);
  document.title = `${stale ? '(stale) ' : ''}${database ? `${database.name} · ` : ''}Bettong`;
}

function schedule() {
  if (scheduled || document.hidden) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

function draw() {
  choose();
  status();
  if (!database || database.at.length === 0 || (paused && drawn > 0 && !forced())) return;
  annotations(database);
  stall.draw(database);
  text(by('uptime'), `open for ${duration(database.value('db_uptime_seconds'))}`);
  for (const panel of panels) {
    if (panel.visible) panel.show(database);
  }
  drawn += 1;
  attribute(main, 'data-drawn', drawn);
}

/** What somebody asked for is drawn, paused or not. */
let asked = '';
function forced() {
  const now = JSON.stringify([view, chosen, database.name, innerWidth, panels.map(panel => panel.visible)]);
  const is = now !== asked;
  asked = now;
  return is;
}

async function start() {
  by('token').hidden = true;
  main.hidden = false;
  try {
    await server.run();
  } catch (fault) {
    if (!(fault instanceof TokenNeeded)) throw fault;
    text(by('refused'), server.token ? 'This token was refused.' : '');
    sessionStorage.removeItem('bettong-token');
    server.token = null;
    main.hidden = true;
    by('token').hidden = false;
    by('secret').focus();
  }
}

build();
text(by('about'), 'Times are of this browser\'s time zone. Nothing is loaded from elsewhere, and nothing is sent anywhere.');
start();
