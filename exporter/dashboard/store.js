// All databases of a server, and the way to it: filled by one stream; by asking again and again where streams do not come through.

import { Database } from './database.js';

const root = new URL('..', import.meta.url);

/** A request without the token it needs. */
export class TokenNeeded extends Error {}

/** All databases of a server, and the way to it. */
export class Store {
  constructor(changed) {
    this.changed = changed;
    this.databases = new Map();
    this.heard = 0;
    this.way = 'connecting';
    this.failures = 0;
    this.token = sessionStorage.getItem('bettong-token');
  }

  path(path) {
    return new URL(path, root);
  }

  async fetch(path, options = {}) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    const answer = await fetch(this.path(path), { ...options, headers, cache: 'no-store', credentials: 'same-origin' });
    if (answer.status === 401) throw new TokenNeeded();
    return answer;
  }

  async json(path) {
    const answer = await this.fetch(path);
    if (!answer.ok && answer.status !== 503) throw new Error(`${path}: ${answer.status}`);
    const found = await answer.json();
    if (!answer.ok && found.error) throw new Error(found.error);
    return found;
  }

  /** Reads the history, then listens until the page is closed. */
  async run() {
    for (;;) {
      try {
        await this.begin();
        await this.listen();
      } catch (fault) {
        if (fault instanceof TokenNeeded) throw fault;
        this.failures += 1;
        this.way = 'reconnecting';
        this.changed();
        // A stream that does not come through is no reason to know nothing.
        if (this.failures >= 2) await this.ask();
      }
      await rest(Math.min(1000 * this.failures, 5000) + 500 * Math.random());
    }
  }

  async begin() {
    const history = await this.json('api/v1/history');
    const documents = history.databases ?? [history];
    this.databases = new Map(documents.map(document => {
      // Anew: a process that was started again counts from the beginning.
      const database = new Database(document.database);
      database.remember(document);
      return [document.database, database];
    }));
    const events = await this.json('api/v1/events?limit=1024');
    for (const one of events.databases ?? [events]) this.databases.get(one.database)?.hear(one.events);
  }

  async listen() {
    const stop = new AbortController();
    let alarm = setTimeout(() => stop.abort(), 8000);
    try {
      const answer = await this.fetch('api/v1/live', { signal: stop.signal });
      if (!answer.ok) throw new Error(`no stream: ${answer.status}`);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let waiting = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new Error('the stream ended');
        clearTimeout(alarm);
        alarm = setTimeout(() => stop.abort(), 8000);
        const events = (waiting + value).split('\n\n');
        waiting = events.pop();
        events.forEach(event => this.take(event));
      }
    } finally {
      clearTimeout(alarm);
      stop.abort();
    }
  }

  /** One event of the stream. */
  take(event) {
    const found = /^event: (\w+)\ndata: (.*)$/s.exec(event);
    if (!found) return;
    const message = JSON.parse(found[2]);
    const database = this.databases.get(message.database);
    if (!database) return;
    if (found[1] === 'tree') database.plant(message);
    else database.second(message);
    this.alive('live');
  }

  alive(way) {
    this.heard = performance.now();
    this.way = way;
    if (way === 'live') this.failures = 0;
    this.changed();
  }

  /** Half a minute of asking, every two seconds. */
  async ask() {
    for (let turn = 0; turn < 15; turn += 1) {
      try {
        const history = await this.json('api/v1/history?seconds=10');
        const snapshot = await this.json('metrics.json');
        for (const document of history.databases ?? [history]) {
          const database = this.databases.get(document.database);
          if (database) database.follow(document);
          else await this.begin();
        }
        for (const document of snapshot.databases ?? [snapshot]) this.databases.get(document.database)?.read(document);
        this.alive('polling');
      } catch (fault) {
        if (fault instanceof TokenNeeded) throw fault;
        this.way = 'reconnecting';
        this.changed();
        return;
      }
      await rest(2000);
    }
  }
}

const rest = millis => new Promise(resolve => setTimeout(resolve, millis));
