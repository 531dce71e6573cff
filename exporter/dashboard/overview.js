// First things first: is it stalled, how busy is it, is it fast, what does it cost.

import { Panel, Table, attribute, h, text } from './dom.js';
import { bytes, byteRate, count, digits, duration, latency, percent, rate, times, words } from './format.js';
import { OPERATIONS, recent } from './latency.js';

const CAUSES = {
  l0_files: 'level 0 has too many tables: compactions out of it do not keep up with flushes',
  memtables: 'all memtables are full: flushes do not keep up with writes',
  compaction_debt: 'too many bytes wait for compaction',
  vlog_gc: 'the value log is at its ceiling: collections do not keep up',
  memory: 'the memory limit is reached',
  disk_space: 'the disk is almost full',
};

/** Stalls entered in each second, by cause and condition. */
export const stallColumns = store => store.series('db_write_stalls_total').map(([{ cause, condition }]) =>
  ({ cause, column: store.column(`db_write_stalls_total{cause="${cause}",condition="${condition}"}`) }));

/** Stalls and other events in the shape that charts draw. */
export function annotations(store) {
  const open = new Map();
  const stalls = [];
  const marks = [];
  for (const event of store.story()) {
    const cause = `${event.cause} ${event.result}`;
    if (event.event === 'stall_begin') open.set(cause, event.at);
    else if (event.event === 'stall_end') {
      stalls.push([open.get(cause) ?? event.at - (event.seconds ?? 0), event.at]);
      open.delete(cause);
    } else if (event.event === 'flush_end') marks.push({ at: event.at, tone: 'c3' });
    else if (event.event === 'compaction_end') marks.push({ at: event.at, tone: 'c7' });
    else if (['open', 'close', 'read_only', 'background_error', 'corruption', 'disk_slow', 'recovery'].includes(event.event)) {
      marks.push({ at: event.at, tone: event.severity === 'info' ? 'c1' : 'bad', tall: true });
    }
  }
  for (const begin of open.values()) stalls.push([begin, store.end + 1]);
  // What happened before the first stall that is still known, to the second.
  const known = store.story().find(event => event.cause !== undefined && event.event.startsWith('stall_'))?.at ?? Infinity;
  const began = stallColumns(store).map(({ column }) => column);
  for (let row = 0; row < store.at.length && store.at[row] < known; row += 1) {
    if (began.some(column => column[row] > 0)) stalls.push([store.at[row] - store.seconds[row], store.at[row], true]);
  }
  store.stalls = stalls;
  store.marks = marks;
  store.open = open;
}

/** When the stall will be over at the present pace, in words. */
function outlook(store, cause) {
  const jobs = store.jobs.running;
  const wanted = cause === 'memtables' ? 'flush' : 'compaction';
  const running = jobs.filter(job => job.kind === wanted && job.bytes_total > 0 && job.bytes_done > 0);
  if (cause === 'compaction_debt') {
    const pace = store.rate('db_compaction_output_bytes_total', 30);
    const debt = store.value('db_compaction_pending_bytes');
    return pace > 0 ? `The debt of ${bytes(debt)} takes about ${duration(debt / pace)} at the present pace.` : 'No compaction makes progress.';
  }
  if (running.length > 0) {
    const left = Math.max(...running.map(job => (job.seconds * (job.bytes_total - job.bytes_done)) / job.bytes_done));
    return `The running ${wanted} ends in about ${duration(left)}.`;
  }
  if (cause === 'disk_space') return 'It ends when there is room on the disk.';
  return jobs.some(job => job.kind === wanted) ? `A ${wanted} runs.` : `No ${wanted} runs at the moment.`;
}

const sentence = phrase => phrase[0].toUpperCase() + phrase.slice(1);

export function banner() {
  const title = h('strong');
  const detail = h('span');
  const node = h('section', { class: 'stall', 'data-panel': 1, 'aria-label': 'Write stalls', role: 'status', hidden: true }, title, detail);
  const draw = store => {
    const active = store.series('db_write_stall_active').filter(([, value]) => value > 0);
    const ended = store.story().filter(event => event.event === 'stall_end' && event.at > store.end - 60);
    const newest = ended.at(-1);
    const readOnly = store.value('db_read_only') > 0;
    // What is over, and held nobody back for long, is in the advice and in the charts.
    const lately = ended.filter(event => event.at > store.end - 10).reduce((sum, event) => sum + (event.seconds ?? 0), 0);
    const show = active.length > 0 || readOnly || lately >= 0.1;
    node.hidden = !show;
    attribute(node, 'data-state', !show ? 'fine' : active.length > 0 || readOnly ? 'active' : 'over');
    if (!show) return;
    if (readOnly) {
      text(title, 'The database refuses writes');
      text(detail, 'Background work failed, and what is on disk is safe only if nothing is added. See "Errors and recovery"; open the database anew once the cause is gone.');
      return;
    }
    if (active.length === 0) {
      const longest = Math.max(...ended.map(event => event.seconds ?? 0));
      text(title, `Writes were ${newest.result === 'stop' ? 'stopped' : 'slowed down'} ${duration(store.end - newest.at)} ago: ${words(newest.cause)}`);
      text(detail, `${sentence(CAUSES[newest.cause] ?? words(newest.cause))}. ${ended.length} ${ended.length === 1 ? 'stall' : 'stalls'} in the last minute, the longest ${latency(longest)}.`);
      return;
    }
    active.sort(([a], [b]) => (a.condition === 'stop' ? 0 : 1) - (b.condition === 'stop' ? 0 : 1));
    const [{ cause, condition }] = active[0];
    const since = store.open?.get(`${cause} ${condition}`);
    const writers = store.value('db_write_stalled_writers');
    const limit = store.value('db_write_delay_rate_bytes_per_second');
    const told = [`${CAUSES[cause] ?? words(cause)}.`];
    if (since) told.push(`Since ${duration(store.end - since)}.`);
    if (limit > 0) told.push(`Writes are held to ${byteRate(limit)}.`);
    if (writers > 0) told.push(`${writers} ${writers === 1 ? 'writer waits' : 'writers wait'}.`);
    const running = store.value('db_compactions_running');
    told.push(`${running} ${running === 1 ? 'compaction runs' : 'compactions run'}.`, outlook(store, cause));
    const heading = `Writes are ${condition === 'stop' ? 'stopped' : 'slowed down'}: ${words(cause)}`;
    text(title, heading);
    text(detail, sentence(told.join(' ')));
  };
  return { node, draw };
}

function tile(name, help) {
  const value = h('b');
  const unit = h('small');
  const spark = h('canvas', { class: 'spark', 'aria-hidden': 'true', width: 120, height: 28 });
  const node = h('div', { class: 'tile', title: help }, h('span', {}, name), value, unit, spark);
  return { node, value, unit, spark };
}

/** A minute of a column as a small line. */
function sparkline(canvas, values) {
  const [width, height] = [canvas.width, canvas.height];
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, width, height);
  const most = Math.max(...values, 0);
  if (values.length < 2 || most <= 0) return;
  context.strokeStyle = getComputedStyle(canvas).color;
  context.lineWidth = 1.5;
  context.beginPath();
  values.forEach((value, at) => {
    const [x, y] = [(at / (values.length - 1)) * width, height - 2 - (value / most) * (height - 4)];
    if (at === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  context.stroke();
}

function rates() {
  const panel = new Panel(2, 'Operations', 'How busy is it? The last second, and the mean of a minute.', 'half');
  const tiles = new Map(OPERATIONS.map(name => [name, tile(name, `db_${name}_operations_total`)]));
  panel.body.append(h('div', { class: 'tiles' }, [...tiles.values()].map(one => one.node)));
  panel.draw = store => {
    for (const [name, { value, unit, spark }] of tiles) {
      const column = `db_${name}_operations_total`;
      text(value, rate(store.rate(column, 1)));
      text(unit, `1 min: ${rate(store.rate(column, 60))}\n${count(store.value(column))} in all`);
      sparkline(spark, store.column(column).slice(-60));
    }
    return store.at.length === 0 ? 'The first second is not over yet.' : null;
  };
  return panel;
}

function latencies() {
  const panel = new Panel(3, 'Latency of the last 10 s', 'Is it fast enough? Percentiles to within 9 %, the maximum as it was.', 'half');
  const table = new Table('Latency of the last ten seconds', [
    { title: 'operation', name: true }, { title: 'p50', numeric: true }, { title: 'p99', numeric: true },
    { title: 'p99.9', numeric: true }, { title: 'max', numeric: true },
  ]);
  panel.body.append(table.node);
  panel.draw = store => {
    const rows = OPERATIONS.map(name => [name, recent(store, name)]).filter(([, found]) => found.total > 0);
    table.fill(rows.map(([name, found]) => [name, latency(found.p50), latency(found.p99), latency(found.p999), latency(found.max)]));
    return rows.length === 0 ? 'Nothing was measured in the last 10 seconds.' : null;
  };
  return panel;
}

function cost() {
  const panel = new Panel(4, 'Amplification', 'What does it cost? Disk and reads, per byte and get of yours.', 'third');
  const tiles = [
    ['write', 'Bytes written to storage per byte that you wrote'], ['read', 'Sorted runs that a get may have to look into'],
    ['space', 'Bytes on disk per byte of live data'],
  ].map(([name, help]) => tile(name, help));
  panel.body.append(h('div', { class: 'tiles three' }, tiles.map(one => one.node)));
  panel.draw = store => {
    const written = store.labelled('db_storage_written_bytes_total').map(origin => store.rate(`db_storage_written_bytes_total{origin="${origin}"}`, 60));
    const user = store.rate('db_user_written_bytes_total', 60);
    const window = user > 0 ? written.reduce((sum, value) => sum + value, 0) / user : NaN;
    text(tiles[0].value, times(window));
    text(tiles[0].unit, `of 1 min\n${times(store.value('db_write_amplification'))} since open`);
    text(tiles[1].value, digits(store.value('db_read_amplification')));
    text(tiles[1].unit, 'sorted runs\nnow');
    text(tiles[2].value, times(store.value('db_space_amplification')));
    text(tiles[2].unit, `${bytes(store.value('db_disk_usage_bytes'))} for\n${bytes(store.value('db_live_data_bytes'))}`);
    sparkline(tiles[1].spark, store.column('db_read_amplification').slice(-60));
    sparkline(tiles[2].spark, store.column('db_space_amplification').slice(-60));
    const wal = store.labelled('db_storage_written_bytes_total').map(origin => store.column(`db_storage_written_bytes_total{origin="${origin}"}`).slice(-60));
    sparkline(tiles[0].spark, (wal[0] ?? []).map((_, at) => wal.reduce((sum, column) => sum + column[at], 0)));
    return null;
  };
  return panel;
}

function instrumentation() {
  const panel = new Panel(5, 'What measuring costs', 'What do I pay for these numbers?', 'third');
  const table = new Table('Cost of measuring', [
    { title: 'operation', name: true }, { title: 'share of its time', numeric: true }, { title: 'one timed in', numeric: true },
    { title: 'rank error', numeric: true, help: 'How far the rank of a percentile can be off, with 95 % confidence' },
  ]);
  const note = h('p', { class: 'muted' });
  panel.body.append(table.node, note);
  panel.draw = store => {
    const at = name => store.all(name);
    const [ratio, interval, error] = ['db_instrumentation_overhead_ratio', 'db_latency_sampling_interval', 'db_latency_rank_error_ratio'].map(at);
    const rows = OPERATIONS.map((name, place) => [name, place]).filter(([name]) => store.value(`db_${name}_operations_total`) > 0);
    table.fill(rows.map(([name, place]) => [name, percent(ratio[place], 2), digits(interval[place]), percent(error[place], 2)]));
    text(note, `${bytes(store.value('db_instrumentation_bytes'))} of memory; a snapshot of all metrics takes ${latency(store.exporter.snapshot_seconds || NaN)}.`);
    return rows.length === 0 ? 'No operation yet.' : null;
  };
  return panel;
}

export const panels = () => [rates(), latencies(), cost()];
export const measuring = () => [instrumentation()];
