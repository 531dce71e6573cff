// The dashboard, looked at by a browser. Everything that is expected is in `scenes` and in the numbered checks below; a check
// that fails is told, and all others still run.

import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const { SCRATCH, BETTONG, AWKWARD } = process.env;
const [out] = process.argv.slice(2);
const require = createRequire(path.resolve(SCRATCH, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const began = Date.now();
const failures = [];
/** What a page did that it must never do: it stays wrong, however often it is looked at. */
const faults = [];
const children = new Set();
const sleep = millis => new Promise(resolve => setTimeout(resolve, millis));
const say = words => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${words}`);
function check(is, what) {
  if (!is) {
    failures.push(what);
    say(`FAILED: ${what}`);
  }
}

function run(program, ...words) {
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}
process.on('exit', () => children.forEach(child => child.kill('SIGKILL')));

async function answers(port, path = '/livez') {
  for (let turn = 0; turn < 100; turn += 1) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}${path}`)).ok) return;
    } catch { /* not yet */ }
    await sleep(100);
  }
  throw new Error(`nobody answers on port ${port}`);
}

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const never = what => {
  faults.push(what);
  say(`FAILED: ${what}`);
};

/** A page that everything is noted of: faults, and requests to anybody else. */
async function open(port, options = {}, expected = [], prefix = '') {
  const context = await browser.newContext({ viewport: { width: 1500, height: 6000 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.on('pageerror', fault => never(`port ${port}: ${fault.stack}`));
  page.on('console', message => {
    const words = message.text();
    if (message.type() === 'error' && !expected.some(one => words.includes(one))) never(`port ${port}: console: ${words}`);
  });
  page.on('request', request => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== 'blob:' && host !== `127.0.0.1:${port}`) never(`a request to ${request.url()}`);
  });
  await page.goto(`http://127.0.0.1:${port}${prefix}/dashboard`);
  return page;
}

const drawn = (page, times = 2) => page.waitForFunction(wanted => Number(document.getElementById('main').dataset.drawn ?? 0) >= wanted, times, { timeout: 15000 });
const states = page => page.$$eval('[data-panel]', nodes => Object.fromEntries(nodes.map(node => [node.dataset.panel, node.dataset.state ?? 'within'])));
const words = (page, panel) => page.$eval(`[data-panel="${panel}"]`, node => node.innerText);
const figure = (page, panel, name) => page.$$eval(`[data-panel="${panel}"] .figures div`,
  (nodes, wanted) => nodes.find(node => node.querySelector('dt').textContent === wanted)?.querySelector('dd').textContent, name);
const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, k: 1e3, M: 1e6, G: 1e9 };
function number(text) {
  const [, digits, unit] = /^([\d.\u202f]+)\s*(\w+)?/.exec(text ?? '') ?? [];
  return Number((digits ?? 'x').replaceAll('\u202f', '')) * (UNITS[unit] ?? 1);
}
const snapshot = async port => (await fetch(`http://127.0.0.1:${port}/metrics.json`)).json();
const metric = (document, name, labels = {}) => document.metrics
  .filter(one => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value))
  .reduce((sum, one) => sum + (one.value ?? one.count), 0);

/** Panels that are alive whatever happens. Those of alerts and of hot ranges say why they show nothing. */
const ALWAYS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 20, 21, 22, 28, 29, 30, 31, 32];
const NEVER = [23, 26];

const scenes = {
  steady: {
    live: [17, 19, 27],
    async look(page, port) {
      // Values are those of the JSON snapshot: what was before the page was drawn and what was after bound them.
      const before = await snapshot(port);
      await sleep(2200);
      const shown = await page.$$eval('[data-panel="2"] .tile small', nodes => nodes.map(node => node.textContent.split('\n')[1]));
      const [files, written] = [await figure(page, 17, 'files'), await figure(page, 17, 'size')];
      const after = await snapshot(port);
      ['get', 'set', 'delete', 'batch', 'scan'].forEach((name, at) => {
        const [low, high] = [before, after].map(one => metric(one, `db_${name}_operations_total`));
        const value = number(shown[at]);
        check(value >= low * 0.99 && value <= high * 1.01, `${name}: the page shows ${shown[at]}, the snapshots ${low} and ${high}`);
        check(high > low, `no ${name} in two seconds`);
      });
      const [fewest, most] = [before, after].map(one => metric(one, 'db_vlog_files')).sort((a, b) => a - b);
      check(number(files) >= fewest - 4 && number(files) <= most + 4, `${files} value files, ${fewest} to ${most}`);
      check(number(written) > 0, `the value log has ${written}`);
      const levels = await page.$$eval('[data-panel="12"] tbody tr', rows => rows.map(row => row.cells[0].textContent));
      const known = after.levels.filter(level => level.tables.length > 0).map(level => `L${level.level}`);
      check(known.every(level => levels.includes(level)), `levels ${levels} are shown, ${known} have tables`);
      const median = await page.$$eval('[data-panel="3"] tbody tr', rows => rows.find(row => row.cells[0].textContent === 'get').cells[1].textContent);
      const exact = after.metrics.find(one => one.name === 'db_get_latency_seconds').quantiles['0.5'];
      const scale = { ns: 1e-9, 'µs': 1e-6, ms: 1e-3, s: 1 }[median.split(' ')[1]];
      const ratio = (parseFloat(median) * scale) / exact;
      check(ratio > 0.4 && ratio < 2.5, `the median of gets is ${median} on the page and ${exact} s since open`);
      // The demo makes tables small, and leaves most else alone; what is set stands first.
      const options = await page.$$eval('[data-panel="31"] .scroll:first-child tbody tr', rows => rows.map(row => [...row.cells].map(cell => cell.textContent)));
      const sources = options.map(row => row[3]);
      const small = options.find(([option]) => option === 'memtable_bytes');
      check(small[3] === 'set' && small[2] === '67108864 (64.0 MiB)' && small[1] !== small[2], `the memtable is ${small}`);
      check(sources.lastIndexOf('set') < sources.indexOf('default'), `options stand as ${sources}`);
      await accessible(page);
      await keyboard(page);
      await pictures(page);
    },
  },
  burst: {
    live: [],
    async look(page, port) {
      await sleep(3000);
      const column = (await (await fetch(`http://127.0.0.1:${port}/api/v1/history?seconds=12`)).json()).columns.db_set_operations_total;
      const [least, most] = [Math.min(...column), Math.max(...column)];
      check(most > 3 * least, `no burst: sets a second are ${column}`);
    },
  },
  stall: {
    live: [1, 24, 25],
    ready: page => page.waitForFunction(() => ['active', 'over'].includes(document.querySelector('[data-panel="1"]').dataset.state), null, { timeout: 20000 }),
    async look(page) {
      const told = await words(page, 1);
      // The heading says what the colour says.
      const [state, heading] = await page.$eval('[data-panel="1"]', node => [node.dataset.state, node.querySelector('strong').textContent]);
      check(heading.startsWith(state === 'active' ? 'Writes are' : 'Writes were'), `the banner is ${state} and says ${heading}`);
      check(/Writes (are|were) (stopped|slowed down)/.test(told) && /L0 files|memtables/.test(told), `the banner says ${told}`);
      check(/stalls? for (L0 files|memtables)/.test(await words(page, 24)), `no advice about the stall: ${await words(page, 24)}`);
      check(/stall/.test(await words(page, 25)), 'no slow operation names the stall');
      await page.screenshot({ path: `${out}/stall.png`, clip: { x: 0, y: 0, width: 1500, height: 1100 } });
    },
  },
  churn: {
    live: [17],
    async look(page) {
      check(number(await figure(page, 17, 'garbage')) > 0 || number(await figure(page, 17, 'collections')) > 0, 'no garbage and no collection');
      check((await page.$$('[data-panel="17"] tbody tr')).length > 1, 'no value files');
    },
  },
  skew: {
    live: [],
    async look(page) {
      const share = parseFloat(await figure(page, 9, 'found in a memtable'));
      check(share > 60, `${share} % of gets were found in a memtable`);
    },
  },
  'scan-storm': {
    live: [18, 27],
    async look(page) {
      check(number(await figure(page, 27, 'snapshots held')) >= 1, 'no snapshot is held');
      check(/snapshot/.test(await page.$eval('[data-panel="27"] table', node => node.innerText)), 'the snapshot is not listed');
      check(parseFloat(await figure(page, 18, 'used')) > 0, 'the cache is empty');
    },
  },
  'slow-disk': {
    live: [25],
    async look(page) {
      const shown = await page.$$eval('[data-panel="15"] .legend li', nodes => nodes.map(node => node.textContent));
      const sync = shown.find(one => one.startsWith('log sync p50'))?.replace('log sync p50', '');
      check(/ms$/.test(sync ?? '') && parseFloat(sync) >= 4, `a sync takes ${sync}`);
      check(/wal sync|queue/.test(await words(page, 25)), 'no slow operation names the sync');
      check(parseFloat(await figure(page, 15, 'writers in a group')) > 1, 'writers do not share syncs');
    },
  },
};

async function accessible(page) {
  // What is being looked at must not change meanwhile.
  await page.click('#pause');
  await sleep(300);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await sleep(300);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations', 'passes'] }));
    for (const one of found.violations.filter(violation => ['serious', 'critical'].includes(violation.impact))) {
      check(false, `axe, ${scheme}: ${one.id}: ${one.nodes.slice(0, 3).map(node => `${node.target} ${node.failureSummary}`).join(' | ')}`);
    }
    check(found.passes.length > 10, 'axe found nothing to look at');
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.click('#pause');
}

async function keyboard(page) {
  await page.focus('.tree');
  await page.keyboard.press('ArrowRight');
  const first = await page.textContent('.detail');
  check(/^Table \d+ of level \d/.test(first), `the tree says ${first}`);
  await page.focus('#pause');
  await page.keyboard.press('Enter');
  const paused = await page.getAttribute('#main', 'data-drawn');
  await sleep(2200);
  check(await page.getAttribute('#main', 'data-drawn') === paused, 'a page that is paused moves');
  check(await page.textContent('#status') === 'paused', 'a page that is paused does not say so');
  await page.keyboard.press('Enter');
  await drawn(page, Number(paused) + 1);
  const slider = await page.$('.replay input');
  await slider.focus();
  await page.keyboard.press('ArrowLeft');
  check(/^(after change|before the first)/.test(await page.textContent('.replay output')), 'the replay does not go back');
  await page.click('.replay button:nth-of-type(2)');
}

async function pictures(page) {
  for (const [name, width, height, scheme] of [['light', 1500, 1200, 'light'], ['dark', 1500, 1200, 'dark'], ['phone', 360, 780, 'light'], ['4k', 3840, 2160, 'dark']]) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    await sleep(1300);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, `${name}: ${wide} pixels beyond the right edge`);
    await page.screenshot({ path: `${out}/${name}.png`, fullPage: name === 'phone' });
  }
  await page.setViewportSize({ width: 1500, height: 6000 });
}

const demo = (scene, port) => run(BETTONG, 'demo', '--headless', '--seconds', '600', '--scene', scene, '--listen', `127.0.0.1:${port}`,
  ...(scene === 'steady' || scene === 'skew' ? ['--rate', '20000'] : scene === 'churn' ? ['--rate', '8000'] : []));

/** Figures of a scene come when they come: they are looked at three times before one that is not there is a failure. */
async function lookUntilItHolds(look) {
  const known = failures.length;
  for (let tries = 0; tries < 3; tries++) {
    // What was found wrong is forgotten if it is not, a little later.
    failures.length = known;
    try {
      await look();
    } catch (fault) {
      failures.push(fault.stack);
    }
    if (failures.length === known) return;
    await sleep(4000);
  }
}

async function everyScene() {
  const names = Object.keys(scenes);
  let next = demo(names[0], 19470);
  for (const [at, name] of names.entries()) {
    const [child, port] = [next, 19470 + (at % 4)];
    await answers(port);
    // The next one warms up meanwhile.
    if (at + 1 < names.length) next = demo(names[at + 1], 19470 + ((at + 1) % 4));
    const page = await open(port);
    const scene = scenes[name];
    try {
      await drawn(page, at === 0 ? 7 : 4);
      await scene.ready?.(page);
      const expected = [...ALWAYS, ...scene.live].filter(panel => panel !== 1);
      let found = await states(page);
      // The first flush, and what follows from it, take their time where the machine does.
      for (let tries = 0; tries < 80 && !expected.every(panel => found[panel] === 'live'); tries++) {
        await sleep(500);
        found = await states(page);
      }
      check(expected.every(panel => found[panel] === 'live'), `${name}: not live: ${expected.filter(panel => found[panel] !== 'live')}`);
      check(NEVER.every(panel => found[panel] === 'empty'), `${name}: shows what nobody measures`);
      check(Object.keys(found).length === 32, `${name}: ${Object.keys(found).length} panels`);
      await lookUntilItHolds(() => scene.look(page, port));
    } catch (fault) {
      check(false, `${name}: ${fault.stack}`);
    }
    say(name);
    await page.context().close();
    child.kill('SIGKILL');
  }
}

async function markupStaysText() {
  const child = run(AWKWARD, '127.0.0.1:19475');
  await answers(19475);
  const page = await open(19475);
  await drawn(page, 3);
  for (const value of await page.$$eval('#database option', options => options.map(option => option.value))) {
    check(value.includes('<'), `a database is called ${value}`);
    await page.selectOption('#database', value);
    await sleep(1500);
    await page.click('[data-panel="10"] .segmented button:nth-of-type(2)');
    await page.focus('.tree');
    await page.keyboard.press('ArrowRight');
    check((await page.textContent('.detail')).includes('<img src=x'), 'the key is not shown as it is');
    const text = await page.innerText('main');
    check(text.includes('<img src=x onerror="window.pwned=1">'), 'markup of options or events is not shown as it is');
    check((await words(page, 32)).includes('<img src=x'), 'labels of the application are not shown');
    check(await page.evaluate(() => window.pwned === undefined), 'a script of the data ran');
    check(await page.$$eval('main img, main script, main svg [onload], main [onerror]', nodes => nodes.length) === 0, 'markup of the data became elements');
  }
  check((await page.title()).includes('<'), 'the title is not the name');
  await page.context().close();
  child.kill('SIGKILL');
  say('markup stays text');
}

async function staleAndBack() {
  let child = run(AWKWARD, '127.0.0.1:19476');
  await answers(19476);
  const page = await open(19476, {}, ['ERR_CONNECTION_REFUSED', 'ERR_INCOMPLETE', 'ERR_CONNECTION_RESET', 'ERR_EMPTY_RESPONSE']);
  await drawn(page);
  child.kill('SIGKILL');
  await page.waitForFunction(() => document.getElementById('status').dataset.state === 'stale', null, { timeout: 12000 });
  check(/stale: nothing new for/.test(await page.textContent('#status')), 'a stale page does not say so');
  check((await page.title()).startsWith('(stale)'), 'the title of a stale page does not say so');
  child = run(AWKWARD, '127.0.0.1:19476');
  await page.waitForFunction(() => document.getElementById('status').dataset.state === 'live', null, { timeout: 15000 });
  await page.context().close();

  // Where streams do not come through, it asks.
  const context = await browser.newContext({ viewport: { width: 1500, height: 3000 } });
  const asking = await context.newPage();
  await asking.route('**/api/v1/live', route => route.abort());
  await asking.goto('http://127.0.0.1:19476/dashboard');
  await asking.waitForFunction(() => document.getElementById('status').dataset.state === 'polling', null, { timeout: 15000 });
  const first = Number(await asking.getAttribute('#main', 'data-drawn'));
  await drawn(asking, first + 2);
  await context.close();
  child.kill('SIGKILL');
  say('stale, back, and without streams');
}

async function tokenIsAskedFor() {
  const child = run(AWKWARD, '127.0.0.1:19477', 'sesame');
  await answers(19477);
  const page = await open(19477, {}, ['401']);
  await page.waitForSelector('#token:not([hidden])');
  await page.fill('#secret', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.getElementById('refused').textContent !== '');
  await page.fill('#secret', 'sesame');
  await page.keyboard.press('Enter');
  await drawn(page);
  check(await page.evaluate(() => localStorage.length) === 0, 'the token is kept beyond the tab');
  check(!page.url().includes('sesame'), 'the token is in the address');
  await page.context().close();
  child.kill('SIGKILL');
  say('a token is asked for');
}

/** Below a path of an application's server, which wants a user. */
async function mountedWithAUser() {
  // What `htpasswd -nbBC 4 reader "open sesame"` prints, but for the salt.
  const hash = '$2b$04$LZbpPpL8bmKOGMuXBFnDqOuFpxScekqVwsqF1EIr0ZXkWtWEiikJi';
  const child = run(AWKWARD, '127.0.0.1:19478', '/admin/bettong', 'reader', hash);
  await answers(19478, '/admin/bettong/livez');
  check((await fetch('http://127.0.0.1:19478/admin/bettong/dashboard')).status === 401, 'the page is open to those who are no user');
  const page = await open(19478, { httpCredentials: { username: 'reader', password: 'open sesame' } }, [], '/admin/bettong');
  page.on('request', request => {
    if (!new URL(request.url()).pathname.startsWith('/admin/bettong/')) never(`a request outside of where the page is mounted: ${request.url()}`);
  });
  page.on('response', response => {
    if (response.status() >= 400 && response.status() !== 401) never(`${response.status()} for ${response.url()}`);
  });
  await drawn(page, 3);
  check(await page.getAttribute('#status', 'data-state') === 'live', 'a mounted page is not live');
  check(await page.isHidden('#token'), 'a user is asked for a token');
  await page.waitForFunction(() => document.querySelector('[data-panel="31"]').dataset.state === 'live' && document.querySelector('[data-panel="22"]').dataset.state === 'live', null, { timeout: 10000 });
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 5000 }), page.click('#hgrm')]);
  check(/StdDeviation/.test(readFileSync(await download.path(), 'utf8')), 'the histogram is not downloaded');
  await page.context().close();
  child.kill('SIGKILL');
  say('mounted, with a user');
}

/** A tree in one file: of a database whose keys and whose name are markup, opened without any server. */
async function aTreeInAFile() {
  const place = mkdtempSync(path.join(tmpdir(), 'bettong-tree-'));
  const [name, key] = ['<img src=x onerror=pwned=1>', '<svg onload=1><!--</script>'];
  const bettong = (...words) => spawnSync(path.resolve(BETTONG), words, { cwd: place, encoding: 'utf8' });
  try {
    for (let round = 0; round < 4; round += 1) {
      for (const one of [key, `plain ${round}`, `zebra ${round}`]) bettong('set', '-d', name, '--', one, `value ${round}`);
      if (round % 2 === 1) bettong('compact', '-d', name);
    }
    bettong('set', '-d', name, '--', key, 'last');
    const made = bettong('tree-view', name, '-o', 'tree.html');
    check(made.status === 0, `tree-view: ${made.stderr}`);
    const context = await browser.newContext({ viewport: { width: 1500, height: 1300 }, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const file = pathToFileURL(path.join(place, 'tree.html')).href;
    page.on('pageerror', fault => never(`the file: ${fault.stack}`));
    page.on('console', message => never(`the file: console: ${message.text()}`));
    page.on('request', request => {
      if (request.url() !== file && !request.url().startsWith('data:')) never(`the file: a request to ${request.url()}`);
    });
    await page.goto(file);
    check(await page.title() === `${name} · Bettong` && await page.textContent('#name') === name, 'the file does not tell its name');
    check(JSON.stringify(await states(page)) === JSON.stringify({ 10: 'live', 11: 'within', 12: 'live', 17: 'empty' }),
      `panels of the file: ${JSON.stringify(await states(page))}`);
    const blocks = await page.$$('.sst');
    const rows = await page.$$eval('[data-panel="12"] tbody tr', all => all.map(row => Number(row.cells[1].textContent)));
    check(blocks.length > 0 && blocks.length === rows.reduce((sum, tables) => sum + tables, 0), `${blocks.length} blocks, tables by level: ${rows}`);
    const told = [];
    for (let turn = 0; turn < blocks.length; turn += 1) {
      await blocks[turn].hover();
      told.push(await page.textContent('.detail'));
    }
    check(told.some(words => words.includes(key.slice(0, 16))), `no table tells its key: ${told}`);
    // A directory does not record the options of its database.
    check(!(await page.innerText('main')).includes('memtable_bytes'), 'the file shows options');
    check(/reckoned with default options/.test(await page.innerText('#notice')), `the file says: ${await page.innerText('#notice')}`);
    const now = await page.textContent('.replay output');
    await page.focus('.replay input');
    for (let turn = 0; turn < 3; turn += 1) await page.keyboard.press('ArrowLeft');
    const then = await page.textContent('.replay output');
    check(/^now, after change \d+ of \d+/.test(now) && /^after change \d+ of \d+/.test(then) && now !== then, `the file's replay: ${now}; ${then}`);
    await page.click('.replay button:nth-of-type(2)');
    await page.click('[data-panel="10"] .segmented button:nth-of-type(2)');
    check(await page.evaluate(() => window.pwned === undefined), 'a script of the data ran in the file');
    check(await page.$$eval('main img, main script, main svg [onload], main [onerror]', nodes => nodes.length) === 0, 'markup of the data became elements in the file');
    await page.click('[data-panel="10"] .segmented button:nth-of-type(1)');
    await page.screenshot({ path: `${out}/file.png` });
    bettong('tree-view', name, '-o', 'tree.html', '--edits', '..2');
    await page.goto(file);
    const last = await page.textContent('.replay output');
    check(/^the last shown, after change 2 of \d+/.test(last) && !last.includes('change 2 of 2:'), `a file that ends early: ${last}`);
    await page.focus('.replay input');
    await page.keyboard.press('ArrowLeft');
    check(await page.textContent('.replay button:nth-of-type(2)') === 'Back to the last shown', 'a file that ends early leads back to now');
    await context.close();
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
  say('a tree in a file');
}

try {
  await Promise.all([everyScene(), (async () => {
    for (const one of [markupStaysText, staleAndBack, tokenIsAskedFor, aTreeInAFile, mountedWithAUser]) {
      try {
        await one();
      } catch (fault) {
        check(false, `${one.name}: ${fault.stack}`);
      }
    }
  })()]);
} finally {
  await browser.close();
  children.forEach(child => child.kill('SIGKILL'));
}
failures.push(...faults);
if (failures.length > 0) {
  console.error(`\n${failures.length} checks failed:\n${failures.join('\n')}`);
  process.exit(1);
}
say('the dashboard is well');
