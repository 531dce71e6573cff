// What is known of one database: 15 minutes of seconds, and what is so now.

export const ROWS = 900;
const EVENTS = 3000;
/** Kinds that there are many of and that no chart draws: the first to be forgotten. */
const NOISE = new Set(['table_created', 'table_deleted', 'wal_created', 'wal_deleted', 'level_changed', 'memtable_rotated']);
const EDITS = 500;

/** What one database did. */
export class Database {
  constructor(name) {
    this.name = name;
    this.at = [];
    this.seconds = [];
    this.names = [];
    this.columns = new Map();
    this.heat = {};
    this.edges = [];
    this.labels = {};
    this.now = {};
    this.jobs = { running: [], recent: [] };
    this.ended = new Map();
    this.holders = { iterators: 0, snapshots: 0, oldest: [] };
    this.slow = [];
    this.events = new Map();
    this.tree = null;
    this.edits = [];
    this.exporter = {};
    this.looks = 0;
  }

  /** The last 15 minutes as the server has them. */
  remember(document) {
    this.at = document.at;
    this.seconds = document.seconds;
    this.names = Object.keys(document.columns);
    this.columns = new Map(Object.entries(document.columns));
    const { edges_seconds: edges, ...heat } = document.heat;
    this.edges = edges;
    this.heat = heat;
    this.labels = document.labels;
    this.edits = document.edits;
  }

  /** The rows of a short history that are new. */
  follow(document) {
    document.at.forEach((at, row) => {
      if (this.at.length === 0 || at > this.at.at(-1) + 0.2) {
        const heat = {};
        for (const operation of Object.keys(this.heat)) heat[operation] = document.heat[operation][row];
        this.push(at, document.seconds[row], this.names.map(name => document.columns[name][row]), heat);
      }
    });
    this.edits = document.edits;
  }

  push(at, seconds, values, heat) {
    if (this.at.length > 0 && at <= this.at.at(-1)) return;
    this.at.push(at);
    this.seconds.push(seconds);
    this.names.forEach((name, place) => this.columns.get(name).push(values[place] ?? 0));
    for (const operation of Object.keys(this.heat)) this.heat[operation].push(heat[operation] ?? []);
    if (this.at.length > ROWS) {
      this.at.shift();
      this.seconds.shift();
      this.columns.forEach(column => column.shift());
      for (const operation of Object.keys(this.heat)) this.heat[operation].shift();
    }
  }

  second(message) {
    this.push(message.at, message.seconds, message.values, message.heat);
    this.now = message.now;
    this.exporter = message.exporter;
    this.note(message.activity);
    this.looks += 1;
  }

  note(activity) {
    this.jobs = activity.jobs;
    for (const job of activity.jobs.recent) this.ended.set(job.id, job);
    trim(this.ended, 64);
    this.holders = activity.holders;
    for (const operation of activity.slow_operations) {
      const known = this.slow.some(one => one.ended === operation.ended && one.seconds === operation.seconds);
      if (!known) this.slow.push(operation);
    }
    this.slow.splice(0, Math.max(0, this.slow.length - 128));
    this.hear(activity.events);
  }

  hear(events) {
    for (const event of events) this.events.set(event.number, event);
    if (this.events.size > EVENTS) {
      const all = this.story();
      const newest = all.filter((event, at) => at > all.length - 300 || !NOISE.has(event.event)).slice(-EVENTS + 300);
      this.events = new Map(newest.map(event => [event.number, event]));
    }
  }

  plant(tree) {
    this.tree = tree;
    if (tree.edit && !(this.edits.at(-1)?.number >= tree.edit.number)) {
      this.edits.push(tree.edit);
      this.edits.splice(0, Math.max(0, this.edits.length - EDITS));
    }
  }

  /** The JSON snapshot in the shape of the stream's messages. */
  read(document) {
    const now = {};
    for (const metric of document.metrics) {
      if (metric.value !== undefined && (this.labels[metric.name] || Object.keys(metric.labels).length === 0)) {
        (now[metric.name] ??= []).push(metric.value);
      }
    }
    this.now = now;
    this.note(document);
    const table = one => [one.number, one.bytes, one.entries, one.tombstones, one.smallest_key_prefix, one.largest_key_prefix];
    this.plant({
      options: document.options, option_defaults: document.option_defaults, recovery: document.recovery, edit: null, at: document.window.end,
      levels: document.levels.map(level => ({ level: level.level, count: level.tables.length, tables: level.tables.map(table) })),
      value_file_count: document.value_files.length,
      value_files: document.value_files.map(file => [file.number, file.bytes, file.live_bytes, file.live_entries, file.standing]),
    });
    this.looks += 1;
  }

  /** All events, oldest first. */
  story() {
    return [...this.events.values()].sort((a, b) => a.number - b.number);
  }

  /** A column, by its name. */
  column(name) {
    return this.columns.get(name) ?? [];
  }

  /** The newest value of a column. */
  last(name) {
    return this.column(name).at(-1) ?? 0;
  }

  /** The sum of a column over the last seconds, per second. */
  rate(name, seconds = 10) {
    const column = this.column(name);
    const rows = Math.min(seconds, column.length);
    if (rows === 0) return 0;
    let [sum, time] = [0, 0];
    for (let row = column.length - rows; row < column.length; row += 1) {
      sum += column[row];
      time += this.seconds[row];
    }
    return time > 0 ? sum / time : 0;
  }

  /** All series of a family, as they are now. */
  all(family) {
    const known = this.now[family];
    if (known) return known;
    const sizes = Object.values(this.labels[family] ?? {}).map(values => values.length);
    return new Array(sizes.reduce((product, size) => product * size, 1)).fill(0);
  }

  /** The sum of a family's series with these labels, as it is now; of all of them without. */
  value(family, labels = {}) {
    let sum = 0;
    for (const [series, value] of this.series(family)) {
      if (Object.entries(labels).every(([name, wanted]) => series[name] === wanted)) sum += value;
    }
    return sum;
  }

  /** `[labels, value]` of every series of a family. */
  series(family) {
    const labels = Object.entries(this.labels[family] ?? {});
    return this.all(family).map((value, place) => {
      const series = {};
      let rest = place;
      for (const [name, values] of [...labels].reverse()) {
        series[name] = values[rest % values.length];
        rest = Math.floor(rest / values.length);
      }
      return [series, value];
    });
  }

  /** The values of a family's only label. */
  labelled(family) {
    return Object.values(this.labels[family] ?? {})[0] ?? [];
  }

  option(name) {
    return this.tree?.options?.[name];
  }

  get end() {
    return this.at.at(-1) ?? Date.now() / 1000;
  }
}

function trim(map, most) {
  for (const name of map.keys()) {
    if (map.size <= most) break;
    map.delete(name);
  }
}
