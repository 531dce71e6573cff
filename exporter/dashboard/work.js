// Flushes and compactions: those that run, those that ended, and what is left to do.

import { Chart } from './charts.js';
import { Figures, Panel, Table, h, text } from './dom.js';
import { bytes, byteRate, clock, duration, latency, words } from './format.js';

function compactions() {
  const panel = new Panel(13, 'Flushes and compactions', 'Do they keep up, and why was this one chosen?', 'wide');
  const running = h('div', { class: 'running' });
  const columns = [{ title: 'ended', name: true }, { title: 'what' }, { title: 'because' }, { title: 'levels' }, { title: 'read', numeric: true },
    { title: 'written', numeric: true }, { title: 'took', numeric: true }, { title: 'speed', numeric: true }, { title: 'result' }];
  const table = new Table('Flushes and compactions that ended', columns);
  panel.body.append(running, table.node);
  const bars = new Map();
  panel.draw = store => {
    const jobs = store.jobs.running;
    for (const [id, bar] of bars) {
      if (!jobs.some(job => job.id === id)) {
        bar.node.remove();
        bars.delete(id);
      }
    }
    for (const job of jobs) {
      if (!bars.has(job.id)) {
        const [label, bar] = [h('span'), h('progress', { max: 1, 'aria-label': `${job.kind} ${job.id}` })];
        const node = h('div', {}, label, bar);
        bars.set(job.id, { node, label, bar });
        running.append(node);
      }
      const { label, bar } = bars.get(job.id);
      const share = job.bytes_total > 0 ? Math.min(1, job.bytes_done / job.bytes_total) : 0;
      bar.value = share;
      text(label, `${job.kind} ${job.id} ${path(job)}, ${words(job.reason)}: ${bytes(job.bytes_done)} of ${bytes(job.bytes_total)}, ${byteRate(job.bytes_done / job.seconds)}`);
    }
    const recent = [...store.ended.values()].slice(-50).reverse();
    table.fill(recent.map(job => ({
      mark: job.result === 'ok' ? null : 'bad',
      cells: [clock(job.started + job.seconds), job.kind, words(job.reason), path(job), bytes(job.bytes_read), bytes(job.bytes_written), latency(job.seconds),
        byteRate(job.bytes_written / job.seconds), job.error ? `${job.result}: ${job.error}` : job.result ?? ''],
    })));
    return jobs.length === 0 && recent.length === 0 ? 'No flush and no compaction since the database was opened.' : null;
  };
  return panel;
}

function path(job) {
  if (job.kind === 'flush') return `memtable → L${job.output_level}`;
  const from = job.inputs.map(input => `L${input.level}`).filter((level, at, all) => all.indexOf(level) === at);
  return `${from.join(' + ')} → L${job.output_level}`;
}

function debt() {
  const panel = new Panel(14, 'Compaction debt', 'Will it catch up? What would have to be rewritten to bring every level to its target.', 'third');
  const figures = new Figures();
  const chart = new Chart({
    height: 150, format: bytes, label: 'Compaction debt',
    lines: [{ name: 'debt', tone: 'c2', fill: true, read: store => store.column('db_compaction_pending_bytes') }],
  });
  panel.body.append(figures.node, chart.node);
  panel.draw = store => {
    const pending = store.value('db_compaction_pending_bytes');
    const pace = store.rate('db_compaction_output_bytes_total', 60);
    figures.fill([
      ['to rewrite', bytes(pending)],
      ['compactions write', byteRate(pace)],
      ['time to drain', pending === 0 ? 'none needed' : pace > 0 ? duration(pending / pace) : 'unknown: none runs'],
      ['level due longest', duration(store.value('db_compaction_oldest_pending_age_seconds'))],
      ['since the last that succeeded', since(store)],
    ]);
    chart.draw(store);
    return null;
  };
  return panel;
}

function since(store) {
  const last = store.value('db_compaction_last_success_timestamp_seconds');
  return last > 0 ? duration(store.end - last) : 'none yet';
}

export const panels = () => [compactions(), debt()];
