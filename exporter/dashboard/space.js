// Space: memory and disk.

import { Chart } from './charts.js';
import { Figures, Panel } from './dom.js';
import { bytes, byteRate, count, duration, words } from './format.js';

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

export const panels = () => [memory(), disk()];
