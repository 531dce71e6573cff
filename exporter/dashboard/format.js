// Numbers as people read them. Every figure on the page comes from here, with its unit.

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const THOUSANDS = ['', 'k', 'M', 'G', 'T'];

/** Three digits that count: 1.23, 12.3, 123. */
export function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.01) return value.toExponential(1);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

function scaled(value, step, units) {
  let at = 0;
  let size = value;
  while (Math.abs(size) >= step * 0.9995 && at < units.length - 1) {
    size /= step;
    at += 1;
  }
  return [at === 0 ? (Number.isInteger(size) ? String(size) : digits(size)) : digits(size), units[at]];
}

export function bytes(value) {
  if (!Number.isFinite(value)) return '–';
  const [number, unit] = scaled(value, 1024, BYTES);
  return `${number} ${unit}`;
}

export const byteRate = value => (Number.isFinite(value) ? `${bytes(Math.round(value))}/s` : '–');

export function count(value) {
  if (!Number.isFinite(value)) return '–';
  const [number, unit] = scaled(value, 1000, THOUSANDS);
  return number + (unit && ` ${unit}`);
}

/** The whole number, digits in groups of three. */
export const exact = value => Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');

export const rate = value => (Number.isFinite(value) ? `${count(value < 10 ? value : Math.round(value))}/s` : '–');

/** How long an operation took: 1.23 µs, 45.6 ms, 7.8 s. */
export function latency(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds === 0) return '0 s';
  const size = Math.abs(seconds);
  if (size < 0.9995e-6) return `${Math.round(seconds * 1e9)} ns`;
  if (size < 0.9995e-3) return `${digits(seconds * 1e6)} µs`;
  if (size < 0.9995) return `${digits(seconds * 1e3)} ms`;
  return size < 120 ? `${digits(seconds)} s` : duration(seconds);
}

/** A stretch of time for people: 12 s, 3 min 20 s, 2 h 5 min, 4 d 3 h. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  if (seconds < 1) return seconds <= 0 ? '0 s' : latency(seconds);
  if (seconds < 10) return `${digits(Math.max(0, seconds))} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export const percent = (value, places = 1) => {
  if (!Number.isFinite(value)) return '–';
  const shown = value * 100;
  return `${shown > 0 && shown < 0.05 ? '< 0.1' : shown.toFixed(shown >= 99.95 || shown === 0 ? 0 : places)} %`;
};

export const times = value => (Number.isFinite(value) ? `${digits(value)} ×` : '–');

const two = number => String(number).padStart(2, '0');

/** The time of day of a Unix time, in the browser's time zone. */
export function clock(seconds) {
  const at = new Date(seconds * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function date(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(seconds)}`;
}

/** Words of the catalogue for people: `l0_files` becomes "L0 files". */
export function words(name) {
  const known = {
    l0_files: 'L0 files', compaction_debt: 'compaction debt', vlog_gc: 'value-log collection', disk_space: 'disk space',
    wal: 'log', vlog: 'value log', get: 'get', set: 'set',
  };
  return known[name] ?? String(name).replaceAll('_', ' ');
}

/** The beginning of a key, given in hexadecimal: as text where it is text. Nothing of it is ever markup. */
export function key(hex) {
  let text = '';
  for (let at = 0; at + 1 < hex.length; at += 2) {
    const byte = parseInt(hex.slice(at, at + 2), 16);
    text += byte >= 0x20 && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : `\\x${hex.slice(at, at + 2)}`;
  }
  return text + (hex.length >= 32 ? '…' : '');
}
