// The tree: a picture of its tables, what compactions do to it, how it came about; its levels in figures.

import { Panel, Table, attribute, h, segmented, svg, text } from './dom.js';
import { bytes, byteRate, clock, count, digits, exact, key, percent, times, words } from './format.js';

const ROW = 34;
const GAP = 8;
const LEFT = 44;

/** Tables by level, from a tree message. */
function present(tree) {
  return new Map(tree.levels.map(level => [level.level, level.tables.map(fields => ({ level: level.level, fields }))]));
}

/** The tables before the newest `back` changes. */
function before(tree, edits, back) {
  const levels = present(tree);
  for (const edit of edits.slice(edits.length - back).reverse()) {
    const gone = new Set(edit.added.map(([level, number]) => `${level}/${number}`));
    for (const [level, tables] of levels) levels.set(level, tables.filter(table => !gone.has(`${level}/${table.fields[0]}`)));
    for (const [level, ...fields] of edit.removed) levels.get(level)?.push({ level, fields });
  }
  for (const [level, tables] of levels) {
    // Newest first in level 0, by key elsewhere: as the engine keeps them.
    tables.sort((a, b) => (level === 0 ? b.fields[0] - a.fields[0] : a.fields[4] < b.fields[4] ? -1 : a.fields[4] > b.fields[4] ? 1 : a.fields[0] - b.fields[0]));
  }
  return levels;
}

function picture() {
  const panel = new Panel(10, 'The tree', 'What shape is it in, and what is being compacted? One block for each table; hatched ones are being read.', 'full');
  const image = svg('svg', { class: 'tree', tabindex: 0, role: 'application', 'aria-label': 'Tables by level; arrow keys go through them' });
  image.append(svg('defs', {}, svg('pattern', { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    svg('rect', { width: 2.5, height: 6, class: 'hatch' }))));
  const layer = svg('g');
  image.append(layer);
  const detail = h('p', { class: 'detail', 'aria-live': 'polite' }, 'Point at a table, or use the arrow keys.');
  const slider = h('input', { type: 'range', min: 0, max: 0, value: 0, 'aria-label': 'Change of the tree to show' });
  const where = h('output', { class: 'muted' });
  const play = h('button', { type: 'button' }, 'Replay');
  const live = h('button', { type: 'button', hidden: true }, 'Back to now');
  const replay = h('div', { class: 'replay', 'data-panel': 11 }, play, slider, live, where);
  const legend = h('p', { class: 'legend-text muted' },
    h('i', { class: 'block young' }), 'new', h('i', { class: 'block old' }), 'old', h('i', { class: 'block reading' }), 'being compacted',
    h('i', { class: 'block growing' }), 'being written', h('i', { class: 'block dead' }), 'mostly tombstones');
  let layout = 'bytes';
  const group = segmented(h('div', { class: 'segmented', role: 'group', 'aria-label': 'Width of a block' }), [['bytes', 'by size'], ['keys', 'by keys']], layout, choice => {
    layout = choice;
    panel.show(store);
  });
  panel.tools.append(group);
  panel.body.append(image, detail, legend, replay);

  let store = null;
  let back = 0;
  let timer = null;
  let pointed = null;
  let blocks = [];
  const stop = () => {
    clearInterval(timer);
    timer = null;
    text(play, 'Replay');
  };
  const go = to => {
    back = Math.max(0, Math.min(to, store.edits.length));
    panel.show(store);
  };
  slider.addEventListener('input', () => {
    stop();
    go(Number(slider.max) - Number(slider.value));
  });
  play.addEventListener('click', () => {
    if (timer) {
      stop();
      return;
    }
    if (back === 0) back = Math.min(store.edits.length, 60);
    text(play, 'Stop');
    timer = setInterval(() => {
      if (back === 0) stop();
      else go(back - 1);
    }, 250);
  });
  live.addEventListener('click', () => {
    stop();
    go(0);
  });

  const describe = block => {
    pointed = block ? `${block.level}/${block.fields[0]}` : null;
    if (!block) return;
    const [number, size, entries, tombstones, smallest, largest] = block.fields;
    const newer = blocks.filter(one => one.fields[0] > number).length;
    const share = entries > 0 ? ` (${percent(tombstones / entries, 0)})` : '';
    text(detail, `Table ${number} of level ${block.level}: ${bytes(size)}, ${exact(entries)} ${entries === 1 ? 'entry' : 'entries'}, ${exact(tombstones)} tombstones${share}, ` +
      `keys ${key(smallest)} to ${key(largest)}, ${newer === 0 ? 'the newest' : `${exact(newer)} of ${exact(blocks.length)} tables are newer`}${block.job ? `, read by compaction ${block.job.id} (${words(block.job.reason)})` : ''}.`);
    blocks.forEach(one => attribute(one.node, 'data-pointed', one === block ? '' : null));
  };
  image.addEventListener('pointermove', event => describe(blocks.find(one => one.node === event.target)));
  image.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const jump = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && !jump) return;
    event.preventDefault();
    const at = Math.max(0, blocks.findIndex(one => `${one.level}/${one.fields[0]}` === pointed));
    if (step) describe(blocks[Math.max(0, Math.min(blocks.length - 1, at + step))]);
    else {
      const level = blocks[at]?.level ?? 0;
      const others = blocks.filter(one => (jump > 0 ? one.level > level : one.level < level));
      describe(jump > 0 ? others[0] : others.filter(one => one.level === others.at(-1)?.level)[0]);
    }
  });

  panel.draw = given => {
    store = given;
    const tree = store.tree;
    if (!tree) return 'The tree has not been announced yet.';
    if (tree.levels.every(level => level.count === 0) && store.edits.length === 0) return 'The tree is empty: nothing has been flushed yet.';
    const edits = store.edits;
    back = Math.min(back, edits.length);
    attribute(slider, 'max', edits.length);
    if (document.activeElement !== slider || back === 0) slider.value = edits.length - back;
    live.hidden = back === 0;
    play.disabled = edits.length === 0;
    const edit = edits.at(-1 - back);
    const changes = edit ? `${edit.added.length} ${edit.added.length === 1 ? 'table' : 'tables'} added, ${edit.removed.length} removed` : '';
    const when = edit?.at ? ` at ${clock(edit.at)}` : '';
    // A file may end before the newest change.
    const newest = store.newest ?? edits.at(-1)?.number;
    const isNow = newest === edits.at(-1)?.number;
    text(live, isNow ? 'Back to now' : 'Back to the last shown');
    const told = edit ? `after change ${edit.number} of ${newest}: ${changes}${when}` : '';
    text(where, edits.length === 0 ? 'No change is known.' : back === 0 ? `${isNow ? 'now' : 'the last shown'}, ${told}` : edit ? told : 'before the first change that is known');
    paint(back === 0 ? present(tree) : before(tree, edits, back), back === 0 ? store.jobs.running : [], tree);
    return null;
  };

  function paint(levels, jobs, tree) {
    const width = image.clientWidth || panel.body.clientWidth || 800;
    const shown = [...levels].filter(([level, tables]) => level === 0 || tables.length > 0 || jobs.some(job => job.output_level === level));
    const deepest = Math.max(1, ...shown.map(([level]) => level));
    const rows = [...levels].filter(([level]) => level <= deepest);
    const tallOf = ([level, tables]) => (tables.length > 0 || jobs.some(job => job.output_level === level) ? ROW : 12);
    const tops = [];
    let height = 0;
    for (const row of rows) {
      tops.push(height);
      height += tallOf(row) + GAP;
    }
    attribute(image, 'viewBox', `0 0 ${width} ${height}`);
    attribute(image, 'height', height);
    const total = tables => tables.reduce((sum, table) => sum + table.fields[1], 0);
    const growing = level => jobs.filter(job => job.output_level === level).reduce((sum, job) => sum + job.bytes_total, 0);
    const most = Math.max(1, ...rows.map(([level, tables]) => total(tables) + growing(level)));
    const room = width - LEFT - 2;
    const numbers = rows.flatMap(([, tables]) => tables.map(table => table.fields[0]));
    const [oldest, newest] = [Math.min(...numbers), Math.max(...numbers)];
    const reading = new Map(jobs.flatMap(job => job.inputs.flatMap(input => input.tables.map(table => [`${input.level}/${table.number}`, job]))));
    const keys = layout === 'keys' ? ranks(rows) : null;
    const nodes = [];
    blocks = [];
    rows.forEach(([level, tables], row) => {
      const y = tops[row];
      const isFlat = tallOf([level, tables]) < ROW;
      const announced = tree.levels.find(one => one.level === level);
      nodes.push(svg('text', { x: 0, y: y + (isFlat ? 11 : 15), class: isFlat ? 'level flat' : 'level' }, `L${level}`),
        svg('text', { x: 0, y: y + 29, class: 'sum' }, isFlat ? '' : bytes(total(tables))),
        svg('line', { x1: LEFT, x2: width, y1: y + tallOf([level, tables]) + 3.5, y2: y + tallOf([level, tables]) + 3.5, class: 'rule' }));
      let x = LEFT;
      tables.forEach((table, place) => {
        const size = (table.fields[1] / most) * room;
        // By keys, tables of level 0 lie upon each other: each has a lane of its own.
        const lanes = keys && level === 0 ? Math.max(1, tables.length) : 1;
        const left = keys ? LEFT + keys.get(table.fields[4]) * room : x;
        const wide = keys ? Math.max(2, (keys.get(table.fields[5]) - keys.get(table.fields[4])) * room - 1) : Math.max(1, size - (size > 4 ? 1 : 0));
        const age = newest > oldest ? (newest - table.fields[0]) / (newest - oldest) : 0;
        const dead = table.fields[2] > 0 && table.fields[3] / table.fields[2] > 0.5;
        const job = reading.get(`${level}/${table.fields[0]}`);
        const [tall, top] = [ROW / lanes, y + (ROW / lanes) * (lanes > 1 ? place : 0)];
        const node = svg('rect', { x: left.toFixed(1), y: top.toFixed(1), width: wide.toFixed(1), height: Math.max(1, tall - (lanes > 1 ? 1 : 0)).toFixed(1), rx: wide > 6 && lanes === 1 ? 2 : 0, class: dead ? 'sst dead' : 'sst' });
        node.style.setProperty('--age', age.toFixed(2));
        nodes.push(node);
        if (job) nodes.push(svg('rect', { x: left.toFixed(1), y: top.toFixed(1), width: wide.toFixed(1), height: Math.max(1, tall).toFixed(1), fill: 'url(#hatch)', class: 'over' }));
        blocks.push({ level, fields: table.fields, node, job });
        x += size;
      });
      for (const job of jobs.filter(one => one.output_level === level && one.bytes_total > 0)) {
        const [full, done] = [(job.bytes_total / most) * room, (Math.min(job.bytes_done, job.bytes_total) / most) * room];
        const left = Math.min(keys ? LEFT : x, width - full - 2);
        nodes.push(svg('rect', { x: left.toFixed(1), y: y + 1, width: Math.max(2, full).toFixed(1), height: ROW - 2, rx: 2, class: 'outline' }),
          svg('rect', { x: left.toFixed(1), y: y + ROW - 7, width: Math.max(1, done).toFixed(1), height: 5, class: 'output' }));
        x += full;
      }
      const missing = (announced?.count ?? 0) - (announced?.tables.length ?? 0);
      if (missing > 0) nodes.push(svg('text', { x: width - 4, y: y + 14, 'text-anchor': 'end', class: 'sum' }, `and ${exact(missing)} more`));
    });
    layer.replaceChildren(...nodes);
    const same = blocks.find(block => `${block.level}/${block.fields[0]}` === pointed);
    if (same) describe(same);
  }
  return panel;
}

/** Where each key that bounds a table lies among all of them, from 0 to 1. */
function ranks(rows) {
  const bounds = rows.flatMap(([, tables]) => tables.flatMap(table => [table.fields[4], table.fields[5]]));
  const sorted = [...new Set(bounds)].sort();
  return new Map(sorted.map((bound, at) => [bound, sorted.length > 1 ? at / (sorted.length - 1) : 0]));
}

function levels() {
  const panel = new Panel(12, 'Levels', 'Which level costs what? A score of 1 means that a compaction is due.', 'full');
  const table = new Table('Levels', [
    { title: 'level', name: true }, { title: 'tables', numeric: true }, { title: 'bytes', numeric: true }, { title: 'target', numeric: true },
    { title: 'score', numeric: true }, { title: 'from above', numeric: true, help: 'Bytes that arrived from the level above' },
    { title: 'read', numeric: true, help: 'Bytes that compactions into the level read' }, { title: 'written', numeric: true }, { title: 'moved', numeric: true },
    { title: 'W-amp', numeric: true, help: 'Bytes written to the level per byte that arrived' }, { title: 'runs', numeric: true, help: 'Sorted runs' },
    { title: 'tombstones', numeric: true }, { title: 'gets', numeric: true, help: 'Gets that looked into the level' }, { title: 'writing', numeric: true },
  ]);
  panel.body.append(table.node);
  let seen = null;
  panel.draw = store => {
    const all = name => store.all(`db_level_${name}`);
    const [files, sizes, targets, scores] = ['files', 'bytes', 'target_bytes', 'score'].map(all);
    const [input, written, moved, runs] = ['input_bytes_total', 'written_bytes_total', 'moved_bytes_total', 'sorted_runs'].map(all);
    const [entries, tombstones, probes] = ['entries', 'tombstones', 'probes_total'].map(all);
    const rates = written.map((total, level) => (seen?.store === store && store.end > seen.at ? (total - seen.written[level]) / (store.end - seen.at) : 0));
    if (!seen || seen.store !== store || store.end - seen.at > 10) seen = { store, at: store.end, written: [...written] };
    const rows = files.map((_, level) => level).filter(level => files[level] > 0 || written[level] > 0 || moved[level] > 0);
    table.fill(rows.map(level => ({
      mark: scores[level] >= 1 ? 'due' : null,
      cells: [`L${level}`, exact(files[level]), bytes(sizes[level]), targets[level] > 0 ? bytes(targets[level]) : '–', digits(scores[level]), bytes(input[level]),
        bytes(store.value('db_level_read_bytes_total', { level: String(level) })), bytes(written[level]), bytes(moved[level]),
        times(input[level] > 0 ? written[level] / input[level] : NaN), exact(runs[level]),
        percent(entries[level] > 0 ? tombstones[level] / entries[level] : NaN, 0), count(probes[level]), byteRate(Math.max(0, rates[level]))],
    })));
    return rows.length === 0 ? 'Nothing has been flushed to a level yet.' : null;
  };
  return panel;
}

export const panels = () => [picture(), levels()];
