// Charts over time. uPlot draws them; this file gives it data, colours, legends and what happened meanwhile.

import { attribute, h, text } from './dom.js';
import { bytes, byteRate, clock, latency } from './format.js';

/** What all charts share: the time window, whether events are drawn, and whether something is being redrawn. */
export const view = { seconds: 300, annotate: true };
const all = new Set();
const sync = uPlot.sync('bettong');

const style = () => getComputedStyle(document.documentElement);
export const colour = name => style().getPropertyValue(`--${name}`).trim();

/** Draws all charts anew, in other colours. */
export function restyle() {
  all.forEach(chart => chart.discard());
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', restyle);

const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300];
const BYTES = Array.from({ length: 44 }, (_, power) => 2 ** power);

/** Time axis, value axis: room for "100.0 ms". Sizes are divided by powers of two. */
function axes(format, log) {
  const line = { stroke: colour('grid'), width: 1 };
  const common = { stroke: colour('muted'), font: '11px system-ui, sans-serif', ticks: { ...line, size: 4 } };
  const seconds = (_, splits, place, space, step) => splits.map(at => clock(at).slice(0, step < 60 ? 8 : 5));
  return [
    { ...common, grid: { show: false }, values: seconds, space: 70, size: 28, incrs: TIMES },
    {
      ...common, grid: line, size: 74, space: log ? 22 : 34,
      values: (_, splits) => splits.map(value => (value === null ? '' : format(value))), incrs: [bytes, byteRate].includes(format) ? BYTES : undefined,
    },
  ];
}

/** When the window begins: no earlier than what is known, unless that is less than half a minute. */
const begin = store => Math.max(store.end - view.seconds, Math.min(store.at[0] ?? 0, store.end - 30));

/** Rows of the window, as indices: from, to. */
function span(store) {
  const to = store.at.length;
  const first = begin(store);
  let from = to;
  while (from > 0 && store.at[from - 1] >= first) from -= 1;
  return [from, to];
}

/** What happened, behind the lines: stalls as bands, faults as lines, flushes and compactions as marks at the top. */
function annotate(chart, u) {
  const store = chart.store;
  if (!view.annotate || !store) return;
  const { ctx, bbox } = u;
  const x = at => Math.round(u.valToPos(at, 'x', true));
  const [from, to] = [u.scales.x.min, u.scales.x.max];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [begin, end, rough] of store.stalls ?? []) {
    if (end < from || begin > to) continue;
    const left = x(Math.max(begin, from));
    const wide = Math.max(2, x(Math.min(end, to)) - left);
    ctx.fillStyle = colour(rough ? 'c2' : 'band');
    // Known to the second only: that there was one, not how long.
    if (rough) ctx.fillRect(left, bbox.top + 5 * devicePixelRatio, wide, 2 * devicePixelRatio);
    else ctx.fillRect(left, bbox.top, wide, bbox.height);
  }
  const mark = 4 * devicePixelRatio;
  for (const event of store.marks ?? []) {
    if (event.at < from || event.at > to) continue;
    const left = x(event.at);
    ctx.fillStyle = colour(event.tone);
    if (event.tall) ctx.fillRect(left, bbox.top, devicePixelRatio, bbox.height);
    else ctx.fillRect(left, bbox.top, Math.max(1, devicePixelRatio), mark);
  }
  ctx.restore();
}

/**
 * One chart. `lines`: `{name, tone, read(store) → column, dash, width}`; `stacked` draws them one upon another, `log` on a
 * logarithmic axis, `rate` divides by the seconds of each row, `under(u, store, from, to)` draws beneath the lines.
 */
export class Chart {
  constructor(options) {
    this.options = { height: 180, format: latency, ...options };
    this.hidden = new Set();
    this.box = h('div', { class: 'chart', role: 'img' });
    this.legend = h('ul', { class: 'legend' });
    this.node = h('div', { class: 'chart-and-legend' }, this.legend, this.box);
    this.entries = this.options.lines.map(line => this.entry(line));
    this.store = null;
    this.width = 0;
    all.add(this);
  }

  entry(line) {
    const value = h('b');
    const button = h('button', {
      type: 'button', 'aria-pressed': 'true',
      onclick: () => {
        const hide = !this.hidden.has(line.name);
        if (hide) this.hidden.add(line.name);
        else this.hidden.delete(line.name);
        button.setAttribute('aria-pressed', !hide);
        this.discard();
      },
    }, h('i', { class: `swatch ${line.tone}${line.dash ? ' dashed' : ''}` }), line.name, value);
    const item = h('li', {}, button);
    this.legend.append(item);
    return { item, value };
  }

  discard() {
    this.plot?.destroy();
    this.plot = null;
    if (this.store) this.draw(this.store);
  }

  get lines() {
    return this.options.lines.filter(line => !this.hidden.has(line.name));
  }

  /** Time, raw values, and values as drawn. A gap in time is a gap in the lines. */
  data(store) {
    const [from, to] = span(store);
    const columns = this.lines.map(line => line.read(store));
    const { log, rate, stacked } = this.options;
    const [x, raw, drawn] = [[], columns.map(() => []), columns.map(() => [])];
    for (let row = from; row < to; row += 1) {
      if (row > from && store.at[row] - store.at[row - 1] > 3.5) {
        x.push(store.at[row - 1] + 1);
        raw.forEach(values => values.push(null));
        drawn.forEach(values => values.push(null));
      }
      x.push(store.at[row]);
      let below = 0;
      columns.forEach((column, at) => {
        let value = column[row] ?? 0;
        if (rate) value /= store.seconds[row];
        raw[at].push(value);
        below = stacked ? below + value : value;
        drawn[at].push(log && below <= 0 ? null : below);
      });
    }
    return { x, raw, drawn, from, to };
  }

  draw(store) {
    this.store = store;
    const width = this.box.clientWidth;
    if (width === 0) return;
    const data = this.data(store);
    this.raw = data.raw;
    this.range = [data.from, data.to];
    if (!this.plot) this.create(width);
    else if (this.width !== width) this.plot.setSize({ width, height: this.options.height });
    this.width = width;
    const order = this.options.stacked ? [...data.drawn].reverse() : data.drawn;
    this.plot.setData([data.x, ...order], false);
    this.plot.batch(() => {
      this.plot.setScale('x', { min: begin(store), max: store.end });
      this.plot.setScale('y', this.bounds(data.drawn));
    });
    this.tell();
  }

  bounds(drawn) {
    let [least, most] = [Infinity, -Infinity];
    for (const values of drawn) {
      for (const value of values) {
        if (value === null) continue;
        if (value < least) least = value;
        if (value > most) most = value;
      }
    }
    if (this.options.log) {
      if (most <= 0) return { min: 1e-6, max: 1e-3 };
      const [low, high] = [10 ** Math.floor(Math.log10(least)), 10 ** Math.ceil(Math.log10(most * 1.05))];
      return { min: low, max: Math.max(high, low * 10) };
    }
    const top = Math.max(most, this.options.least ?? 0);
    return { min: 0, max: top > 0 ? top * 1.08 : 1 };
  }

  create(width) {
    const { format, height, log, stacked, under } = this.options;
    const lines = stacked ? [...this.lines].reverse() : this.lines;
    const series = lines.map(line => ({
      label: line.name,
      stroke: colour(line.tone),
      width: line.width ?? 1.5,
      dash: line.dash,
      fill: stacked ? colour(line.tone) + (stacked === 'soft' ? '55' : 'b8') : line.fill && `${colour(line.tone)}22`,
      points: { show: false },
      spanGaps: false,
    }));
    const bands = stacked ? lines.slice(1).map((_, at) => ({ series: [at + 1, at + 2] })) : undefined;
    const hooks = {
      drawAxes: [u => under?.(u, this.store, ...this.range), u => annotate(this, u)],
      setCursor: [() => this.tell()],
    };
    this.plot = new uPlot({
      width, height, series: [{}, ...series], bands, hooks,
      axes: axes(format, log),
      scales: { x: { time: false, auto: false }, y: { auto: false, distr: log ? 3 : 1, log: 10 } },
      legend: { show: false },
      cursor: { sync: { key: sync.key, setSeries: false }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      padding: [8, 8, 0, 0],
    }, [[], ...lines.map(() => [])], this.box);
  }

  /** The figures of the legend: of the second that is pointed at, or the newest. */
  tell() {
    const at = this.plot?.cursor.idx;
    let column = 0;
    const words = [];
    this.options.lines.forEach((line, place) => {
      const { value } = this.entries[place];
      if (this.hidden.has(line.name)) {
        text(value, '');
        return;
      }
      const values = this.raw?.[column] ?? [];
      column += 1;
      const shown = at === null || at === undefined ? values.at(-1) : values[at];
      const figure = shown === null || shown === undefined ? '–' : this.options.format(shown);
      text(value, figure);
      words.push(`${line.name} ${figure}`);
    });
    attribute(this.box, 'aria-label', `${this.options.label ?? 'Over time'}, now: ${words.join(', ')}`);
  }
}

/** A ramp from nothing to much, for heat maps: an array of colours. */
export function ramp(steps) {
  const stops = colour('heat').split(/\s+/).map(stop => [1, 3, 5].map(at => parseInt(stop.slice(at, at + 2), 16)));
  return Array.from({ length: steps }, (_, step) => {
    const place = (step / (steps - 1)) * (stops.length - 1);
    const left = Math.min(Math.floor(place), stops.length - 2);
    const mixed = stops[left].map((low, at) => Math.round(low + (stops[left + 1][at] - low) * (place - left)));
    return `rgb(${mixed.join(' ')})`;
  });
}
