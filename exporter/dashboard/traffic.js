// Reads and writes: where gets are served, caches and filters; the write path, and who writes to the disk.

import { Chart } from './charts.js';
import { Bar, Figures, Panel, Table, h } from './dom.js';
import { bytes, byteRate, count, digits, latency, percent, rate, words } from './format.js';

const SOURCES = [
  ['memtable', ['memtable'], 'c3'], ['immutable', ['immutable'], 'c8'], ['L0', ['0'], 'c2'], ['L1–L2', ['1', '2'], 'c5'],
  ['L3–L5', ['3', '4', '5'], 'c6'], ['L6', ['6'], 'c1'], ['not found', ['miss'], 'c7'],
];

const series = (family, labels) => `${family}{${Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(',')}}`;

/** The sum of columns, row by row. */
function sum(store, names) {
  const columns = names.map(name => store.column(name));
  return columns[0]?.map((_, row) => columns.reduce((total, column) => total + (column[row] ?? 0), 0)) ?? [];
}

function served() {
  const panel = new Panel(9, 'Where gets are served', 'Do memtables, filters and the upper levels do their work?', 'third');
  const bar = new Bar('Gets of the last minute');
  const figures = new Figures();
  const chart = new Chart({
    height: 170, format: rate, stacked: true, rate: true, label: 'Gets by where they were served',
    lines: SOURCES.map(([name, sources, tone]) => ({
      name, tone, read: store => sum(store, sources.map(source => series('db_get_served_total', { source }))),
    })),
  });
  panel.body.append(bar.node, chart.node, figures.node);
  panel.draw = store => {
    const rates = SOURCES.map(([name, sources, tone]) =>
      [name, sources.reduce((total, source) => total + store.rate(series('db_get_served_total', { source }), 60), 0), tone]);
    const all = rates.reduce((total, [, value]) => total + value, 0);
    if (store.value('db_get_operations_total') === 0) return 'No get yet.';
    bar.fill(rates.map(([name, value, tone]) => [name, all > 0 ? value / all : 0, tone]));
    chart.draw(store);
    const vlog = store.rate(series('db_vlog_reads_total', { purpose: 'get' }), 60);
    const [hits, misses] = ['hit', 'miss'].map(result => store.rate(series('db_cache_requests_total', { block_type: 'data', result }), 60));
    figures.fill([
      ['found in a memtable', percent(all > 0 ? (rates[0][1] + rates[1][1]) / all : NaN)],
      ['not found', percent(all > 0 ? rates[6][1] / all : NaN)],
      ['value from the value log', percent(all > 0 ? vlog / all : NaN)],
      ['data blocks from the cache', percent(hits + misses > 0 ? hits / (hits + misses) : NaN)],
    ]);
    return null;
  };
  return panel;
}

function caches() {
  const panel = new Panel(18, 'Block cache', 'Is it large enough? Blocks of tables that are mapped into memory do not pass through it.', 'third');
  const table = new Table('Block cache by kind of block', [
    { title: 'blocks', name: true }, { title: 'hits of a minute', numeric: true }, { title: 'requests', numeric: true }, { title: 'held', numeric: true },
    { title: 'evicted', numeric: true }, { title: 'not taken in', numeric: true },
  ]);
  const figures = new Figures();
  const chart = new Chart({
    height: 120, format: value => percent(value), label: 'Hit ratio of data blocks', least: 1,
    lines: [{
      name: 'hit ratio of data blocks', tone: 'c1', fill: true,
      read: store => {
        const [hits, misses] = ['hit', 'miss'].map(result => store.column(series('db_cache_requests_total', { block_type: 'data', result })));
        return hits.map((hit, row) => (hit + misses[row] > 0 ? hit / (hit + misses[row]) : NaN)).map(value => (Number.isNaN(value) ? null : value));
      },
    }],
  });
  chart.bounds = () => ({ min: 0, max: 1.02 });
  panel.body.append(figures.node, chart.node, table.node);
  panel.draw = store => {
    const kinds = store.labels.db_cache_requests_total?.block_type ?? [];
    const [held, evicted, rejected] = ['db_cache_block_bytes', 'db_cache_evictions_total', 'db_cache_rejections_total'].map(name => store.all(name));
    const rows = kinds.map((kind, at) => {
      const [hit, miss] = ['hit', 'miss'].map(result => store.rate(series('db_cache_requests_total', { block_type: kind, result }), 60));
      const requests = store.value('db_cache_requests_total', { block_type: kind });
      return [kind, percent(hit + miss > 0 ? hit / (hit + miss) : NaN), count(requests), bytes(held[at]), count(evicted[at]), count(rejected[at])];
    });
    const [used, capacity] = [store.value('db_cache_bytes'), store.value('db_cache_capacity_bytes')];
    if (capacity === 0 && used === 0) return 'There is no block cache.';
    figures.fill([['used', `${bytes(used)} of ${bytes(capacity)} (${percent(capacity > 0 ? used / capacity : NaN, 0)})`], ['pinned by readers', bytes(store.value('db_cache_pinned_bytes'))]]);
    chart.draw(store);
    table.fill(rows);
    return store.value('db_cache_requests_total') === 0 ? `Nothing has asked the cache yet; it may hold ${bytes(capacity)}.` : null;
  };
  return panel;
}

function filters() {
  const panel = new Panel(19, 'Filters', 'How often are they wrong, against what they were built for?', 'third');
  const table = new Table('Filters by level', [
    { title: 'level', name: true }, { title: 'checks', numeric: true }, { title: 'reads saved', numeric: true }, { title: 'right yes', numeric: true },
    { title: 'wrong yes', numeric: true }, { title: 'false positives', numeric: true },
  ]);
  const figures = new Figures();
  panel.body.append(figures.node, table.node);
  panel.draw = store => {
    const target = store.value('db_filter_target_false_positive_ratio');
    const rows = store.labelled('db_filter_checks_total').map(level => {
      const [negative, right, wrong] = ['negative', 'true_positive', 'false_positive'].map(result => store.value('db_filter_checks_total', { level, result }));
      return { level, negative, right, wrong, all: negative + right + wrong };
    }).filter(row => row.all > 0);
    table.fill(rows.map(({ level, negative, right, wrong, all }) => {
      const measured = negative + wrong > 0 ? wrong / (negative + wrong) : NaN;
      return { mark: measured > 2 * target && negative + wrong > 1000 ? 'due' : null, cells: [`L${level}`, count(all), percent(negative / all, 0), count(right), count(wrong), percent(measured, 2)] };
    }));
    const [negative, wrong] = ['negative', 'false_positive'].map(result => store.value('db_filter_checks_total', { result }));
    figures.fill([
      ['false positives, measured', percent(negative + wrong > 0 ? wrong / (negative + wrong) : NaN, 2)], ['built for', percent(target, 2)],
      ['memory', bytes(store.value('db_filter_bytes'))],
    ]);
    return rows.length === 0 ? 'No filter has been asked yet: gets have found what they wanted before reaching a table, or there were none.' : null;
  };
  return panel;
}

function writes() {
  const panel = new Panel(15, 'Write path', 'Is the disk the limit?', 'wide');
  const flow = new Chart({
    height: 140, format: byteRate, rate: true, label: 'Bytes written',
    lines: [
      { name: 'by you', tone: 'c3', width: 2, read: store => store.column('db_user_written_bytes_total') },
      { name: 'to the log', tone: 'c1', read: store => store.column('db_wal_written_bytes_total') },
    ],
  });
  const memtables = new Chart({
    height: 140, format: bytes, stacked: true, label: 'Memtables',
    lines: [
      { name: 'active memtable', tone: 'c6', read: store => store.column('db_memtable_bytes') },
      { name: 'waiting for a flush', tone: 'c2', read: store => store.column('db_immutable_memtable_bytes') },
    ],
  });
  const sync = new Chart({
    height: 140, format: latency, log: true, label: 'Syncs of the log',
    lines: [['p50', '0.5', 'q1'], ['p99', '0.99', 'q3'], ['max', '1', 'q5']].map(([name, quantile, tone]) => ({
      name: `log sync ${name}`, tone, dash: name === 'max' ? [2, 3] : undefined, read: store => store.column(series('db_wal_sync_duration_seconds', { quantile })),
    })),
  });
  const note = h('p', { class: 'muted' }, 'The log has not been synced: writes are made durable by the operating system, not one by one.');
  const figures = new Figures();
  panel.body.append(figures.node, h('div', { class: 'charts' }, flow.node, memtables.node, sync.node, note));
  panel.draw = store => {
    const syncs = store.value('db_wal_syncs_total');
    figures.fill([
      ['commit groups', rate(store.rate('db_commit_groups_total'))], ['writers in a group', digits(store.last('db_commit_group_writers_mean'))],
      ['syncs of the log', rate(store.rate(series('db_wal_syncs_total', { result: 'ok' })))], ['not yet durable', bytes(store.value('db_wal_unsynced_bytes'))],
      ['waiting to commit', count(store.value('db_write_queue_depth'))],
      ['memtable', `${bytes(store.value('db_memtable_bytes'))} of ${bytes(Number(store.option('memtable_bytes')))}`],
      ['waiting for a flush', `${count(store.value('db_immutable_memtables'))} of ${store.option('max_immutable_memtables') ?? '–'}`],
    ]);
    flow.draw(store);
    memtables.draw(store);
    sync.node.hidden = syncs === 0;
    note.hidden = syncs > 0;
    if (syncs > 0) sync.draw(store);
    return store.value('db_user_written_bytes_total') === 0 && store.value('db_wal_written_bytes_total') === 0 ? 'Nothing has been written yet.' : null;
  };
  return panel;
}

const ORIGINS = { wal: 'c1', flush: 'c3', compaction: 'c7', vlog: 'c5', vlog_gc: 'c2', manifest: 'c8' };

function disk() {
  const panel = new Panel(16, 'Who writes to the disk', 'Which part of the engine wears out the disk?', 'third');
  const chart = new Chart({
    height: 190, format: byteRate, stacked: true, rate: true, label: 'Bytes written to storage by origin',
    lines: Object.entries(ORIGINS).map(([origin, tone]) => ({
      name: words(origin), tone, read: store => store.column(series('db_storage_written_bytes_total', { origin })),
    })),
  });
  const table = new Table('Bytes written to levels', [{ title: 'flushes and compactions into', name: true }, { title: 'written', numeric: true }, { title: 'share', numeric: true }]);
  panel.body.append(chart.node, table.node);
  panel.draw = store => {
    chart.draw(store);
    const written = store.all('db_level_written_bytes_total');
    const all = written.reduce((total, value) => total + value, 0);
    table.fill(written.map((value, level) => [level, value]).filter(([, value]) => value > 0).map(([level, value]) => [`L${level}`, bytes(value), percent(value / all, 0)]));
    return store.value('db_storage_written_bytes_total') === 0 ? 'Nothing has been written to storage yet.' : null;
  };
  return panel;
}

export const reads = () => [served(), caches(), filters()];
export const writePanels = () => [writes(), disk()];
