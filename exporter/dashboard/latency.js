// Latency: percentiles over time, the heat map, and the curve of percentiles against a pinned one.

import { Chart, colour, ramp, view } from './charts.js';
import { Panel, attribute, h, segmented, text } from './dom.js';
import { count, latency } from './format.js';

export const OPERATIONS = ['get', 'set', 'delete', 'batch', 'scan'];
export const QUANTILES = [['p50', '0.5'], ['p90', '0.9'], ['p99', '0.99'], ['p99.9', '0.999'], ['max', '1']];
const LINES = [
  { name: 'p50', tone: 'q1', width: 2 }, { name: 'p90', tone: 'q2' }, { name: 'p99', tone: 'q3', width: 2 },
  { name: 'p99.9', tone: 'q4' }, { name: 'max', tone: 'q5', dash: [2, 3] },
];

/** Which operation the panels of this file are about. */
export const chosen = { operation: 'get' };

export const quantileColumn = (operation, quantile) => `db_${operation}_latency_seconds{quantile="${quantile}"}`;

/** Counts of all buckets over some rows: `[bucket → count]`, and their sum. */
export function collect(store, operation, from, to) {
  const counts = new Array(store.edges.length + 1).fill(0);
  let total = 0;
  for (let row = Math.max(0, from); row < to; row += 1) {
    const cells = store.heat[operation]?.[row] ?? [];
    for (let at = 0; at < cells.length; at += 2) {
      counts[cells[at]] += cells[at + 1];
      total += cells[at + 1];
    }
  }
  return { counts, total };
}

/** The value below which a share of the counts lies: to a place within its bucket, so within 9 %. */
export function quantile(edges, { counts, total }, share) {
  if (total === 0) return NaN;
  const rank = share * total;
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    if (counts[bucket] > 0 && below + counts[bucket] >= rank) {
      const low = bucket === 0 ? edges[0] / 2 : edges[bucket - 1];
      const high = edges[bucket] ?? low * 1.19;
      return low * (high / low) ** Math.max(0, (rank - below) / counts[bucket]);
    }
    below += counts[bucket];
  }
  return edges.at(-1);
}

/** Percentiles of the last seconds; the largest exactly. */
export function recent(store, operation, seconds = 10) {
  const to = store.at.length;
  const found = collect(store, operation, to - seconds, to);
  const most = store.column(quantileColumn(operation, '1')).slice(-seconds);
  const largest = Math.max(0, ...most);
  const shares = [0.5, 0.99, 0.999].map(share => Math.min(quantile(store.edges, found, share), largest || Infinity));
  return { total: found.total, p50: shares[0], p99: shares[1], p999: shares[2], max: found.total > 0 ? largest : NaN };
}

export const reader = (operation, quantileName) => store => store.column(quantileColumn(operation(), quantileName));
const current = () => chosen.operation;

export function panels(repaint) {
  const trend = percentiles();
  const map = heat();
  const curve = nines(repaint);
  const group = h('div', { class: 'segmented', role: 'group', 'aria-label': 'Operation' });
  segmented(group, OPERATIONS.map(name => [name, name]), chosen.operation, name => {
    chosen.operation = name;
    repaint();
  });
  return { group, panels: [trend, map, curve] };
}

function nothing(store) {
  const found = collect(store, chosen.operation, 0, store.at.length);
  return found.total === 0 ? `No ${chosen.operation} in the last 15 minutes.` : null;
}

function percentiles() {
  const panel = new Panel(6, 'Percentiles', 'When did the tail start? Each second by itself, on a logarithmic axis.', 'wide');
  const lines = LINES.map((line, at) => ({ ...line, read: reader(current, QUANTILES[at][1]) }));
  const chart = new Chart({ lines, log: true, height: 240, format: latency, label: 'Latency percentiles' });
  panel.body.append(chart.node);
  panel.draw = store => {
    const sentence = nothing(store);
    if (sentence === null) chart.draw(store);
    return sentence;
  };
  return panel;
}

function heat() {
  const panel = new Panel(7, 'Heat map', 'Two kinds of operations show as two bands, which percentiles hide. The stronger the colour, the more of them.', 'wide');
  const scale = h('p', { class: 'scale muted' });
  let steps = [];
  let most = 1;
  const under = (u, store, from, to) => {
    const edges = store.edges;
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    const [low, high] = [u.scales.y.min, u.scales.y.max];
    const tops = edges.map(edge => u.valToPos(Math.min(Math.max(edge, low), high), 'y', true));
    for (let row = from; row < to; row += 1) {
      const right = u.valToPos(store.at[row], 'x', true);
      const left = u.valToPos(store.at[row] - Math.min(store.seconds[row], 2), 'x', true);
      const cells = store.heat[chosen.operation]?.[row] ?? [];
      for (let at = 0; at < cells.length; at += 2) {
        const bucket = cells[at];
        const bottom = bucket === 0 ? u.bbox.top + u.bbox.height : tops[bucket - 1];
        const top = bucket < tops.length ? tops[bucket] : u.bbox.top;
        const heat = most > 1 ? Math.log(cells[at + 1]) / Math.log(most) : 1;
        ctx.fillStyle = steps[Math.min(31, Math.max(0, Math.round(heat * 31)))];
        ctx.fillRect(Math.floor(left), Math.floor(top), Math.ceil(right) - Math.floor(left), Math.max(1, Math.ceil(bottom) - Math.floor(top)));
      }
    }
    ctx.restore();
  };
  const lines = [
    { name: 'p50', tone: 'over1', read: reader(current, '0.5') },
    { name: 'p99', tone: 'over2', read: reader(current, '0.99') },
    { name: 'max', tone: 'over3', dash: [2, 3], read: reader(current, '1') },
  ];
  const chart = new Chart({ lines, log: true, height: 240, format: latency, under, label: 'Latency heat map' });
  chart.bounds = drawn => {
    // From the lowest bucket in use to the largest value.
    const bounds = Chart.prototype.bounds.call(chart, drawn);
    const store = chart.store;
    let lowest = store.edges.length;
    for (let row = chart.range[0]; row < chart.range[1]; row += 1) {
      const cells = store.heat[chosen.operation]?.[row] ?? [];
      if (cells.length > 0) lowest = Math.min(lowest, cells[0]);
    }
    const edge = store.edges[Math.max(0, lowest - 1)] ?? bounds.min;
    return { min: Math.min(bounds.max / 10, edge), max: bounds.max };
  };
  panel.body.append(chart.node, scale);
  panel.draw = store => {
    const sentence = nothing(store);
    if (sentence !== null) return sentence;
    steps = ramp(32);
    most = 1;
    for (const cells of store.heat[chosen.operation] ?? []) {
      for (let at = 1; at < cells.length; at += 2) most = Math.max(most, cells[at]);
    }
    chart.draw(store);
    text(scale, `One column a second, four buckets to each power of two. The strongest stands for ${count(most)} operations.`);
    return null;
  };
  return panel;
}

const NINES = Array.from({ length: 51 }, (_, step) => step / 10);

/** Percentiles up to 99.999 %, each nine as wide as the one before; now, and when they were pinned. */
function nines(repaint) {
  const panel = new Panel(8, 'Percentile curve', 'Is it better than before the change? Pin, change something, and compare.', 'wide');
  const pinned = {};
  const legend = h('ul', { class: 'legend' });
  const box = h('div', { class: 'chart', role: 'img' });
  const pin = h('button', { type: 'button' }, 'Pin');
  const unpin = h('button', { type: 'button', hidden: true }, 'Unpin');
  panel.tools.append(pin, unpin);
  panel.body.append(legend, box);
  let plot = null;
  let scheme = '';
  let last = null;
  const values = (store, found) => NINES.map(nine => {
    const share = 1 - 10 ** -nine;
    // Beyond the last observation a curve has nothing to say.
    return found.total * (1 - share) < 1 ? null : quantile(store.edges, found, share);
  });
  pin.addEventListener('click', () => {
    if (last) pinned[chosen.operation] = last;
    repaint();
  });
  unpin.addEventListener('click', () => {
    delete pinned[chosen.operation];
    repaint();
  });
  const create = () => {
    plot?.destroy();
    const line = { stroke: colour('grid'), width: 1 };
    const common = { stroke: colour('muted'), font: '11px system-ui, sans-serif', ticks: { ...line, size: 4 }, grid: line };
    const label = nine => (nine === 0 ? '0 %' : `${(100 * (1 - 10 ** -nine)).toFixed(Math.max(0, nine - 2))} %`);
    const one = (tone, dash) => ({ stroke: colour(tone), width: 2, dash, points: { show: false } });
    plot = new uPlot({
      width: box.clientWidth, height: 240,
      series: [{}, one('c1'), one('c5', [6, 4])],
      axes: [
        { ...common, size: 28, splits: () => [0, 1, 2, 3, 4, 5], values: (_, splits) => splits.map(label) },
        { ...common, size: 74, space: 22, values: (_, splits) => splits.map(value => (value === null ? '' : latency(value))) },
      ],
      scales: { x: { time: false, range: [0, 5] }, y: { distr: 3, log: 10 } },
      legend: { show: false }, cursor: { drag: { x: false, y: false }, y: false }, padding: [8, 36, 0, 0],
      hooks: { setCursor: [() => tell()] },
    }, [NINES, [], []], box);
  };
  let shown = [[], []];
  const figures = ['now', 'pinned'].map((name, at) => {
    const value = h('b');
    const item = h('li', {}, h('span', {}, h('i', { class: `swatch ${at === 0 ? 'c1' : 'c5 dashed'}` }), name, value));
    legend.append(item);
    return { item, value };
  });
  function tell() {
    const at = plot?.cursor.idx ?? 20;
    const share = `p${(100 * (1 - 10 ** -NINES[at])).toFixed(Math.max(0, Math.ceil(NINES[at]) - 2))}`;
    figures.forEach(({ value }, place) => text(value, shown[place]?.[at] ? `${share} ${latency(shown[place][at])}` : '–'));
    attribute(box, 'aria-label', `Percentile curve of ${chosen.operation}, p99 now ${latency(shown[0]?.[20] ?? NaN)}`);
  }
  panel.draw = store => {
    const to = store.at.length;
    let from = to;
    while (from > 0 && store.at[from - 1] >= store.end - view.seconds) from -= 1;
    const found = collect(store, chosen.operation, from, to);
    if (found.total === 0) return `No ${chosen.operation} in the window.`;
    last = values(store, found);
    const base = pinned[chosen.operation];
    unpin.hidden = !base;
    figures[1].item.hidden = !base;
    shown = [last, base ?? NINES.map(() => null)];
    const now = `${colour('grid')} ${box.clientWidth}`;
    if (box.clientWidth > 0 && (!plot || scheme !== now)) {
      create();
      scheme = now;
    }
    plot?.setData([NINES, ...shown]);
    tell();
    return null;
  };
  return panel;
}
