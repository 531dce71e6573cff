// Is it well, what went wrong, what was slow, who holds what, what does it run with.

import { advice, ruleCount } from './advisor.js';
import { Chart } from './charts.js';
import { Bar, Figures, Panel, Table, attribute, h, text } from './dom.js';
import { bytes, clock, count, duration, exact, latency, percent, words } from './format.js';
import { configuration } from './options.js';

const TONE = { healthy: 'good', degraded: 'warn', unknown: 'warn', unhealthy: 'bad', critical: 'bad' };

/** Asked for every few seconds while somebody looks. */
class Asked {
  constructor(path, seconds) {
    Object.assign(this, { path, seconds, found: null, fault: null, at: -Infinity, busy: false });
  }

  look(server, store, then) {
    if (this.busy || performance.now() - this.at < this.seconds * 1000) return;
    this.busy = true;
    const path = typeof this.path === 'function' ? this.path(store) : this.path;
    server.json(path).then(found => Object.assign(this, { found, fault: null }), fault => Object.assign(this, { fault: fault.message }))
      .finally(() => {
        Object.assign(this, { busy: false, at: performance.now() });
        then();
      });
  }
}

function health(server) {
  const panel = new Panel(22, 'Health', 'Is it well, and which check says so?', 'third');
  const whole = h('p', { class: 'whole' });
  const table = new Table('Health checks', [{ title: 'check', name: true }, { title: 'state' }, { title: 'says' }, { title: 'at', numeric: true }]);
  panel.body.append(whole, table.node);
  const asked = new Asked('api/v1/health', 10);
  panel.draw = store => {
    asked.look(server, store, () => panel.show(store));
    if (!asked.found) return asked.fault ? `The checks cannot be asked for: ${asked.fault}.` : 'Asking.';
    const { status, checks, summary } = asked.found;
    text(whole, `${status}: ${summary.healthy} of ${summary.total} checks are well`);
    attribute(whole, 'data-tone', TONE[status] ?? 'warn');
    const bad = { critical: 0, unhealthy: 1, unknown: 2, degraded: 3, healthy: 4 };
    const rows = Object.entries(checks).sort(([, a], [, b]) => bad[a.status] - bad[b.status]);
    table.fill(rows.map(([name, check]) => [
      name + (check.critical ? ' (critical)' : ''), state(check.status), check.message,
      clock(Date.parse(check.timestamp) / 1000),
    ]));
    return null;
  };
  return panel;
}

const state = status => h('span', { class: 'state', 'data-tone': TONE[status] ?? 'warn' }, status);

function alerts() {
  const panel = new Panel(23, 'Alerts', 'What fired?', 'third');
  panel.draw = () => 'This version has no alert rules of its own: let Prometheus evaluate rules over /metrics, or watch the health checks.';
  return panel;
}

function advisor() {
  const panel = new Panel(24, 'Advice', 'What should I change? Sentences computed from counters.', 'third');
  const list = h('ul', { class: 'advice' });
  panel.body.append(list);
  panel.draw = store => {
    const found = advice(store);
    while (list.children.length > found.length) list.lastChild.remove();
    found.forEach(([tone, sentence], at) => {
      const item = list.children[at] ?? list.appendChild(h('li'));
      attribute(item, 'data-tone', tone);
      text(item, sentence);
    });
    return found.length === 0 ? `Nothing: none of ${ruleCount} rules has found a reason to change anything.` : null;
  };
  return panel;
}

const STAGES = {
  queue: 'c8', stall: 'c2', wal_append: 'c1', wal_sync: 'c5', memtable: 'c3', publish: 'c4', filter: 'c4', index: 'c6', data: 'c7', vlog: 'c5', decompress: 'c9', verify: 'c10',
};

function slow() {
  const panel = new Panel(25, 'Slow operations', 'Where did that one go? The newest over the threshold, each split into its stages.', 'wide');
  const table = new Table('Slow operations', [
    { title: 'ended', name: true }, { title: 'operation' }, { title: 'took', numeric: true }, { title: 'stages' }, { title: 'mostly' }, { title: 'served from' }, { title: 'tables', numeric: true }, { title: 'blocks', numeric: true },
  ]);
  const note = h('p', { class: 'muted' });
  panel.body.append(note, table.node);
  const bars = new WeakMap();
  panel.draw = store => {
    const all = store.value('db_slow_operations_total');
    text(note, `${exact(all)} operations took ${store.option('slow_threshold') ?? 'the threshold'} or longer since the database was opened. Keys are not recorded.`);
    const rows = store.slow.slice(-32).reverse();
    table.fill(rows.map(one => {
      if (!bars.has(one)) bars.set(one, new Bar('Stages'));
      const stages = Object.entries(one.stages).filter(([, seconds]) => seconds > 0).sort(([, a], [, b]) => b - a);
      bars.get(one).fill(stages.map(([stage, seconds]) => [words(stage), seconds / one.seconds, STAGES[stage] ?? 'c8']));
      const most = stages[0];
      const source = one.source === undefined ? '–' : /^\d$/.test(one.source) ? `L${one.source}` : words(one.source);
      return [clock(one.ended), one.operation, latency(one.seconds), bars.get(one).node, most ? `${words(most[0])} ${latency(most[1])}` : 'not traced', source, exact(one.tables_checked), exact(one.blocks_read)];
    }));
    return rows.length === 0 ? 'No operation was slow.' : null;
  };
  return panel;
}

function hotRanges() {
  const panel = new Panel(26, 'Hot key ranges', 'Is the load skewed?', 'third');
  panel.draw = () => 'Not measured: the engine does not sample keys. "Where gets are served" shows skew as hits in memtables and cache.';
  return panel;
}

function readers() {
  const panel = new Panel(27, 'Readers held', 'Who keeps space from being given back?', 'third');
  const figures = new Figures();
  const table = new Table('Readers held', [{ title: 'kind', name: true }, { title: 'held for', numeric: true }, { title: 'since', numeric: true }, { title: 'sequence', numeric: true }]);
  const chart = new Chart({
    height: 110, format: count, label: 'Readers open',
    lines: [
      { name: 'iterators', tone: 'c1', read: store => store.column('db_iterators_open') }, { name: 'snapshots', tone: 'c2', read: store => store.column('db_snapshots_open') },
    ],
  });
  panel.body.append(figures.node, chart.node, table.node);
  panel.draw = store => {
    figures.fill([
      ['iterators open', exact(store.value('db_iterators_open'))], ['created', count(store.value('db_iterators_created_total'))],
      ['snapshots held', exact(store.value('db_snapshots_open'))],
      ['files held', bytes(store.value('db_pinned_obsolete_bytes'))], ['memtables held', bytes(store.value('db_pinned_memtable_bytes'))],
      ['kept for snapshots alone', bytes(store.value('db_snapshot_pinned_bytes_total'))],
    ]);
    chart.draw(store);
    table.fill(store.holders.oldest.slice(0, 8).map(one => [one.kind, duration(one.age_seconds), clock(one.since), exact(one.sequence)]));
    const never = store.value('db_iterators_created_total') === 0 && store.value('db_snapshots_open') === 0;
    return never ? 'No iterator or snapshot has been opened.' : null;
  };
  return panel;
}

function errors() {
  const panel = new Panel(28, 'Errors and recovery', 'Did anything fail, and did the last start go well?', 'third');
  const figures = new Figures();
  const table = new Table('Errors by kind', [{ title: 'what', name: true }, { title: 'kind' }, { title: 'count', numeric: true }]);
  const fine = h('p', { class: 'fine' }, 'No error since the database was opened.');
  panel.body.append(fine, table.node, h('h4', {}, 'The last open'), figures.node);
  const FAMILIES = ['db_get_errors_total', 'db_set_errors_total', 'db_delete_errors_total', 'db_io_errors_total', 'db_checksum_failures_total', 'db_background_errors_total'];
  panel.draw = store => {
    const rows = FAMILIES.flatMap(family => store.series(family).filter(([, value]) => value > 0)
      .map(([labels, value]) => [words(family.replace(/^db_|_total$/g, '')), Object.values(labels).map(words).join(', '), exact(value)]));
    table.node.hidden = rows.length === 0;
    fine.hidden = rows.length > 0;
    table.fill(rows);
    const took = store.all('db_open_duration_seconds');
    const recovery = store.tree?.recovery ?? {};
    figures.fill([
      ['took', latency(took.reduce((sum, value) => sum + value, 0))],
      ['closed properly before', recovery.created === 'true' ? 'it was created' : store.value('db_clean_shutdown') > 0 ? 'yes' : 'no'],
      ['log records replayed', exact(store.value('db_recovered_wal_records'))], ['torn tail dropped', bytes(store.value('db_recovered_truncated_bytes'))],
      ...Object.entries(recovery).filter(([name]) => !['created', 'clean', 'records', 'truncated_bytes'].includes(name)).map(([name, value]) => [words(name), value]),
    ]);
    return null;
  };
  return panel;
}

const CATEGORIES = { foreground: 'c3', compaction: 'c7', flush: 'c6', vlog_gc: 'c2', wal: 'c1', exporter: 'c5', watcher: 'c8' };

function processor() {
  const panel = new Panel(29, 'Processor and threads', 'Does background work get enough of it?', 'half');
  const chart = new Chart({
    height: 150, format: value => percent(value, 0), rate: true, label: 'Processor time',
    lines: [
      { name: 'process', tone: 'c1', width: 2, read: store => store.column('process_cpu_seconds_total') },
      ...['compaction', 'flush', 'vlog_gc', 'wal'].map(category => ({ name: words(category), tone: CATEGORIES[category], read: store => store.column(`db_cpu_seconds_total{category="${category}"}`) })),
    ],
  });
  const figures = new Figures();
  panel.body.append(figures.node, chart.node);
  panel.draw = store => {
    const busy = pool => percent(store.rate(`db_background_busy_seconds_total{pool="${pool}"}`, 60), 0);
    const waits = store.labelled('db_lock_wait_seconds_total').map(lock => store.rate(`db_lock_wait_seconds_total{lock="${lock}"}`, 60)).reduce((sum, value) => sum + value, 0);
    figures.fill([
      ['process', `${percent(store.rate('process_cpu_seconds_total', 10), 0)} of one processor`], ['threads', exact(store.last('process_threads'))],
      ['flush thread busy', busy('flush')], ['compaction threads busy', busy('compaction')],
      ['jobs queued', exact(store.value('db_background_jobs_queued'))], ['waiting for locks', `${latency(waits)} a second`],
      ['rate limits held back', duration(store.value('db_rate_limiter_wait_seconds_total', { priority: 'background' }))],
    ]);
    chart.draw(store);
    return store.column('process_cpu_seconds_total').every(value => value === 0) ? 'This system does not say what a process uses.' : null;
  };
  return panel;
}

function events() {
  const panel = new Panel(30, 'Events', 'What happened, and when? Stalls, flushes, compactions and faults are drawn into all charts, too.', 'wide');
  const table = new Table('Events', [{ title: 'at', name: true }, { title: 'event' }, { title: 'what' }]);
  const only = h('input', { type: 'checkbox', id: 'faults' });
  panel.tools.append(h('label', {}, only, 'faults alone'));
  panel.body.append(table.node);
  panel.draw = store => {
    const all = store.story();
    const shown = all.filter(event => !only.checked || event.severity !== 'info').slice(-60).reverse();
    table.fill(shown.map(event => ({ mark: event.severity === 'info' ? null : event.severity === 'warning' ? 'due' : 'bad', cells: [clock(event.at), words(event.event), told(event)] })));
    return all.length === 0 ? 'Nothing has happened yet.' : shown.length === 0 ? 'No fault is among the events that are kept.' : null;
  };
  only.addEventListener('change', () => panel.again?.());
  return panel;
}

function told(event) {
  const parts = [];
  if (event.job !== undefined) parts.push(`job ${event.job}`);
  if (event.level !== undefined) parts.push(`L${event.level}`);
  if (event.file !== undefined) parts.push(`file ${event.file}`);
  if (event.bytes !== undefined) parts.push(bytes(event.bytes));
  if (event.seconds !== undefined) parts.push(latency(event.seconds));
  if (event.cause !== undefined) parts.push(words(event.cause));
  if (event.result !== undefined && event.result !== 'ok') parts.push(words(event.result));
  if (event.message !== undefined) parts.push(event.message);
  return parts.join(' · ');
}

/** The panel of the options, with what the server runs with. */
function settings(server) {
  const panel = configuration();
  const options = panel.draw;
  const own = new Table('Settings of the exporter', [{ title: 'setting of the exporter', name: true }, { title: 'value' }, { title: 'source' }]);
  panel.body.append(own.node);
  const asked = new Asked('api/v1/config', 60);
  panel.draw = store => {
    asked.look(server, store, () => panel.show(store));
    const found = Object.entries(asked.found?.exporter?.settings ?? {});
    own.fill(found.map(([name, { value, source }]) => [name, value === null ? '–' : Array.isArray(value) ? value.join(', ') || 'none' : String(value), source]));
    return options(store);
  };
  return panel;
}

function scrapes(server) {
  const panel = new Panel(32, 'Scrapes and series', 'Does Prometheus come, what does it cost, and which metric has how many series?', 'half');
  const figures = new Figures();
  const table = new Table('Series of the JSON snapshot by metric', [{ title: 'metric', name: true }, { title: 'type' }, { title: 'series', numeric: true }]);
  panel.body.append(figures.node, table.node);
  const info = new Asked('api/v1/info', 15);
  const snapshot = new Asked('metrics.json', 60);
  panel.draw = store => {
    const again = () => panel.show(store);
    info.look(server, store, again);
    snapshot.look(server, store, again);
    const own = store.exporter;
    const series = info.found?.series;
    figures.fill([
      ['last scrape', own.last_scrape ? `${duration(Math.max(0, store.end - own.last_scrape))} ago` : 'none yet'],
      ['scrapes', exact(own.requests?.metrics ?? 0)], ['rendering one takes', own.scrape_seconds_mean ? latency(own.scrape_seconds_mean) : '–'],
      ['documents', exact(own.requests?.api ?? 0)], ['streams', exact(own.requests?.stream ?? 0)],
      ['series', series ? exact(series.databases + series.exporter + series.process) : '–'], ['profile', series?.profile ?? '–'],
      ['series refused', exact(store.value('db_series_rejected_total'))], ['version', info.found?.version ?? '–'],
    ]);
    const documents = snapshot.found?.databases ?? (snapshot.found ? [snapshot.found] : []);
    const metrics = documents.find(document => document.database === store.name)?.metrics ?? [];
    const counts = new Map();
    for (const metric of metrics) {
      const known = counts.get(metric.name) ?? { type: metric.type, series: 0, labels: new Set() };
      known.series += metric.buckets ? metric.buckets.length + 2 : 1;
      Object.values(metric.labels).forEach(value => known.labels.add(value));
      counts.set(metric.name, known);
    }
    const rows = [...counts].sort(([a, one], [b, other]) => !a.startsWith('db_') === !b.startsWith('db_') ? other.series - one.series : a.startsWith('db_') ? 1 : -1);
    table.fill(rows.slice(0, 40).map(([name, { type, series: size, labels }]) =>
      [name.startsWith('db_') ? name : `${name} (the application's${labels.size > 0 ? `: ${[...labels].slice(0, 8).join(', ')}` : ''})`, type, exact(size)]));
    return null;
  };
  return panel;
}

export const first = server => [advisor(), health(server)];
export const incidents = server => [slow(server), readers(), errors(), events()];
export const second = () => [alerts()];
export const last = server => [processor(), hotRanges(), settings(server), scrapes(server)];
