// Value files: what is live of each, and what is to become of it.

import { Bar, Figures, Panel, Table, h } from './dom.js';
import { bytes, digits, exact, percent } from './format.js';

const WHY = {
  candidate: 'being collected, or next',
  waiting: 'has garbage, but space is below the ceiling or others have more',
  full: 'too little garbage to be worth moving the rest',
  damaged: 'a value could not be read: left as it is',
  pinned: 'held by a snapshot or iterator alone',
};

function valueFiles() {
  const panel = new Panel(17, 'Value log', 'Why is the space not given back? Each file of large values, and what is to become of it.', 'wide');
  const figures = new Figures();
  const table = new Table('Value files', [
    { title: 'file', name: true }, { title: 'size', numeric: true }, { title: 'live and garbage' }, { title: 'live', numeric: true },
    { title: 'garbage', numeric: true }, { title: 'values', numeric: true }, { title: 'what is to become of it' },
  ]);
  const more = h('p', { class: 'muted' });
  panel.body.append(figures.node, table.node, more);
  const bars = new Map();
  panel.draw = store => {
    const files = store.tree?.value_files ?? [];
    // Where options are not known, nothing is said of them.
    const [ceiling, threshold] = ['max_space_amplification', 'separation_threshold'].map(name => store.option(name));
    figures.fill([
      ['files', exact(store.value('db_vlog_files'))], ['size', bytes(store.value('db_vlog_bytes'))], ['live', bytes(store.value('db_vlog_live_bytes'))],
      ['garbage', bytes(store.value('db_vlog_garbage_bytes'))], ['perhaps dead, not seen yet', bytes(store.value('db_vlog_unattributed_bytes'))],
      ['space amplification', `${digits(store.value('db_space_amplification'))}${ceiling === undefined ? '' : ` of ${ceiling} allowed`}`],
      ['collections', exact(store.value('db_vlog_gc_runs_total'))], ['moved by them', bytes(store.value('db_vlog_gc_relocated_bytes_total'))],
      ['given back', bytes(store.value('db_space_reclaim_bytes_total', { origin: 'vlog_gc' }))],
    ]);
    const order = { candidate: 0, pinned: 1, damaged: 2, waiting: 3, full: 4 };
    const garbage = file => (file[1] > 0 ? 1 - file[2] / file[1] : 0);
    const sorted = [...files].sort((a, b) => order[a[4]] - order[b[4]] || garbage(b) - garbage(a)).slice(0, 50);
    table.fill(sorted.map(file => {
      const [number, size, live, values, standing] = file;
      if (!bars.has(number)) bars.set(number, new Bar(`File ${number}`));
      bars.get(number).fill([['live', 1 - garbage(file), standing === 'pinned' ? 'c5' : 'c3'], ['garbage', garbage(file), 'waste']]);
      return {
        mark: standing === 'candidate' || standing === 'damaged' ? 'due' : null,
        cells: [String(number), bytes(size), bars.get(number).node, bytes(live), percent(garbage(file), 0), exact(values), `${standing}: ${WHY[standing] ?? ''}`],
      };
    }));
    for (const number of bars.keys()) if (!files.some(file => file[0] === number)) bars.delete(number);
    const rest = (store.tree?.value_file_count ?? 0) - sorted.length;
    more.hidden = rest <= 0;
    more.textContent = `And ${exact(Math.max(0, rest))} more files.`;
    return files.length === 0 ? `No value is in a value file${threshold === undefined ? '' : `: values from ${bytes(Number(threshold))} on would be`}.` : null;
  };
  return panel;
}

export const panels = () => [valueFiles()];
