// Space: value files and why they are kept, memory, disk.

import { Chart } from './charts.js';
import { Bar, Figures, Panel, Table, h } from './dom.js';
import { bytes, byteRate, count, digits, duration, exact, percent, words } from './format.js';

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
    figures.fill([
      ['files', exact(store.value('db_vlog_files'))], ['size', bytes(store.value('db_vlog_bytes'))], ['live', bytes(store.value('db_vlog_live_bytes'))],
      ['garbage', bytes(store.value('db_vlog_garbage_bytes'))], ['perhaps dead, not seen yet', bytes(store.value('db_vlog_unattributed_bytes'))],
      ['space amplification', `${digits(store.value('db_space_amplification'))} of ${store.option('max_space_amplification') ?? '–'} allowed`],
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
    return files.length === 0 ? `No value is in a value file: values from ${bytes(Number(store.option('separation_threshold')))} on would be.` : null;
  };
  return panel;
}

const COMPONENTS = {
  memtable: 'c6', immutable: 'c2', block_cache: 'c1', value_cache: 'c5', filters: 'c3', indexes: 'c7', write_buffers: 'c4', compaction: 'c8', metrics: 'c9', other: 'c10',
};

function memory() {
  const panel = new Panel(20, 'Memory', 'Where is it?', 'third');
  const figures = new Figures();
  const chart = new Chart({
    height: 170, format: bytes, stacked: true, label: 'Memory by component',
    lines: Object.entries(COMPONENTS).map(([component, tone]) => ({ name: words(component), tone, read: store => store.column(`db_memory_bytes{component="${component}"}`) })),
  });
  panel.body.append(figures.node, chart.node);
  panel.draw = store => {
    const limit = store.value('db_memory_limit_bytes');
    const resident = store.last('process_resident_memory_bytes');
    figures.fill([
      ['the engine', bytes(store.value('db_total_memory_bytes'))], ['the process', resident > 0 ? bytes(resident) : 'not known'],
      ['limit', limit > 0 ? bytes(limit) : 'none'], ['memtables held by readers', bytes(store.value('db_pinned_memtable_bytes'))],
    ]);
    chart.draw(store);
    return null;
  };
  return panel;
}

const KINDS = { table: 'c1', vlog: 'c5', wal: 'c3', manifest: 'c8', temp: 'c7', obsolete: 'waste' };

/** Bytes a second by which the files grew, over what is known of them. */
export function growth(store) {
  const rows = store.at.length;
  if (rows < 60) return NaN;
  const names = Object.keys(KINDS).map(kind => `db_disk_usage_bytes{file="${kind}"}`);
  const total = row => names.reduce((sum, name) => sum + (store.column(name)[row] ?? 0), 0);
  // Least squares over the rows: what comes and goes with a compaction counts little.
  const first = Math.max(0, rows - 900);
  let [n, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  for (let row = first; row < rows; row += 5) {
    const [x, y] = [store.at[row] - store.at[first], total(row)];
    [n, sx, sy, sxx, sxy] = [n + 1, sx + x, sy + y, sxx + x * x, sxy + x * y];
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

function disk() {
  const panel = new Panel(21, 'Disk', 'How long will it last, at the pace of the last 15 minutes?', 'third');
  const figures = new Figures();
  const chart = new Chart({
    height: 170, format: bytes, stacked: true, label: 'Bytes on disk by kind of file',
    lines: Object.entries(KINDS).map(([kind, tone]) => ({ name: words(kind), tone, read: store => store.column(`db_disk_usage_bytes{file="${kind}"}`) })),
  });
  panel.body.append(figures.node, chart.node);
  panel.draw = store => {
    const [free, capacity] = [store.value('db_disk_free_bytes'), store.value('db_disk_capacity_bytes')];
    const pace = growth(store);
    const left = pace > 1 ? free / pace : Infinity;
    figures.fill([
      ['the database', bytes(store.value('db_disk_usage_bytes'))], ['free', capacity > 0 ? `${bytes(free)} of ${bytes(capacity)}` : 'not known'],
      ['growth', Number.isNaN(pace) ? 'known after a minute' : `${byteRate(Math.abs(pace))} ${pace < 0 ? 'less' : 'more'}`],
      ['full in', Number.isNaN(pace) ? 'known after a minute' : left < 3e9 ? duration(left) : 'not at this pace'],
      ['obsolete', `${bytes(store.value('db_obsolete_bytes'))} in ${count(store.value('db_obsolete_files'))} files`], ['held by readers', bytes(store.value('db_pinned_obsolete_bytes'))],
    ]);
    chart.draw(store);
    return null;
  };
  return panel;
}

export const panels = () => [valueFiles(), memory(), disk()];
