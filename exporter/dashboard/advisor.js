// Advice: plain sentences, each from a rule on counters. What a rule cannot judge yet it does not mention.

import { bytes, count, digits, duration, exact, latency, percent, words } from './format.js';
import { stallColumns } from './overview.js';
import { growth } from './space.js';

const STALL_ADVICE = {
  l0_files: 'Give compactions more threads (compaction_threads), write less at once, or let level 0 have more tables (l0_slowdown_tables, l0_stop_tables).',
  memtables: 'Flushes are slower than writes: allow more memtables (max_immutable_memtables), make them larger (memtable_bytes), or look at the disk.',
  compaction_debt: 'Compactions fall behind: more compaction_threads, or fewer writes.',
  vlog_gc: 'The value log is collected more slowly than it fills: allow more space (max_space_amplification), or look at the disk.',
  memory: 'The memory limit is reached: raise it, or make memtables and cache smaller.',
  disk_space: 'Free some disk space.',
};

const RULES = [
  function stalls(store) {
    const active = store.series('db_write_stall_active').filter(([, value]) => value > 0).map(([labels]) => labels.cause);
    const held = store.rate('db_write_stall_duration_seconds_sum', 300) * Math.min(300, store.end - (store.at[0] ?? 0));
    const causes = new Map(active.map(cause => [cause, 0]));
    for (const { cause, column } of stallColumns(store)) {
      const entered = column.slice(-300).reduce((sum, value) => sum + value, 0);
      if (entered > 0) causes.set(cause, (causes.get(cause) ?? 0) + entered);
    }
    return [...causes].map(([cause, entered]) => {
      const stalls = entered === 1 ? 'A stall' : `${exact(entered)} stalls`;
      const how = entered > 0 ? `${stalls} for ${words(cause)} in 5 minutes; stalls of all causes held writers back for ${latency(held)} together.` : `Writes are held back: ${words(cause)}.`;
      return [held > 1 ? 'bad' : held > 0.1 ? 'warn' : 'info', `${how} ${STALL_ADVICE[cause] ?? ''}`];
    });
  },
  function falsePositives(store) {
    const target = store.value('db_filter_target_false_positive_ratio');
    return store.labelled('db_filter_checks_total').flatMap(level => {
      const [negative, wrong] = ['negative', 'false_positive'].map(result => store.value('db_filter_checks_total', { level, result }));
      const measured = wrong / (negative + wrong);
      return negative + wrong > 1000 && target > 0 && measured > 2 * target
        ? [['warn', `Filters of L${level} are wrong for ${percent(measured)} of absent keys and were built for ${percent(target)}: raise filter_bits_per_key (now ${store.option('filter_bits_per_key')}) and compact.`]] : [];
    });
  },
  function cacheTooSmall(store) {
    const [hit, miss] = ['hit', 'miss'].map(result => store.rate(`db_cache_requests_total{block_type="data",result="${result}"}`, 60));
    const [used, capacity] = [store.value('db_cache_bytes'), store.value('db_cache_capacity_bytes')];
    return hit + miss > 100 && miss / (hit + miss) > 0.2 && used > 0.9 * capacity
      ? [['warn', `${percent(miss / (hit + miss), 0)} of the data blocks that were asked for are not in the cache, and it is full (${bytes(capacity)}): raise cache_bytes.`]] : [];
  },
  function lonelySyncs(store) {
    const syncs = store.rate('db_wal_syncs_total{result="ok"}', 60);
    const size = store.last('db_commit_group_writers_mean');
    const median = store.last('db_wal_sync_duration_seconds{quantile="0.5"}');
    return syncs > 20 && size < 1.5 && median > 5e-4
      ? [['warn', `Every write waits for a sync of its own (${latency(median)} each, ${digits(syncs)} a second): write in batches, or from several threads, which then share syncs.`]] : [];
  },
  function readAmplification(store) {
    const runs = store.value('db_read_amplification');
    return runs > 12 ? [['warn', `A get may have to look into ${digits(runs)} sorted runs: compactions out of level 0 do not keep up (l0_compaction_tables is ${store.option('l0_compaction_tables')}).`]] : [];
  },
  function oldReaders(store) {
    const oldest = Math.max(store.value('db_snapshot_oldest_age_seconds'), store.value('db_iterator_oldest_age_seconds'));
    const pinned = store.value('db_pinned_obsolete_bytes') + store.value('db_pinned_memtable_bytes');
    return oldest > 600 || (oldest > 30 && pinned > 64 * 2 ** 20)
      ? [['warn', `A reader has been held for ${duration(oldest)} and keeps ${bytes(pinned)} from being given back: see "Readers held".`]] : [];
  },
  function tombstones(store) {
    const [entries, dead] = [store.all('db_level_entries'), store.all('db_level_tombstones')];
    return entries.flatMap((all, level) => (all > 10000 && dead[level] / all > 0.4
      ? [['info', `${percent(dead[level] / all, 0)} of the entries of L${level} are tombstones, which scans step over: compact the range, or delete whole ranges at once.`]] : []));
  },
  function skipped(store) {
    const steps = ['forward', 'backward'].reduce((sum, direction) => sum + store.rate(`db_iterator_steps_total{direction="${direction}"}`, 60), 0);
    const over = store.rate('db_iterator_skipped_keys_total{reason="tombstone"}', 60) + store.rate('db_iterator_skipped_keys_total{reason="shadowed"}', 60);
    return steps > 100 && over > 2 * steps ? [['info', `Scans step over ${digits(over / steps)} dead entries for each that they return.`]] : [];
  },
  function diskFull(store) {
    const [free, pace] = [store.value('db_disk_free_bytes'), growth(store)];
    const capacity = store.value('db_disk_capacity_bytes');
    const rules = [];
    if (pace > 1024 && free / pace < 7 * 86400 && free / pace > 0) rules.push(['warn', `At the pace of the last minutes the disk is full in ${duration(free / pace)}.`]);
    if (capacity > 0 && free / capacity < 0.05) rules.push(['bad', `The disk has ${percent(free / capacity)} free.`]);
    return rules;
  },
  function busyCompactions(store) {
    const busy = store.rate('db_background_busy_seconds_total{pool="compaction"}', 60) / Math.max(1, Number(store.option('compaction_threads') ?? 1));
    const debts = store.column('db_compaction_pending_bytes');
    const grew = (debts.at(-1) ?? 0) - (debts.at(-60) ?? 0);
    return busy > 0.9 && grew > 0 ? [['warn', `Compaction threads are busy ${percent(busy, 0)} of the time and the debt grows: raise compaction_threads (now ${store.option('compaction_threads')}).`]] : [];
  },
  function damage(store) {
    const failures = store.value('db_checksum_failures_total');
    return failures > 0 ? [['bad', `${count(failures)} checksums did not match: data on disk are damaged. Run "bettong verify" and see the runbook.`]] : [];
  },
  function errors(store) {
    const wrong = store.rate('db_set_errors_total', 60) + store.rate('db_get_errors_total', 60) + store.rate('db_delete_errors_total', 60);
    return wrong > 0 ? [['bad', `${digits(wrong)} operations a second fail: see "Errors and recovery".`]] : [];
  },
  function slowDisk(store) {
    const slow = store.value('db_io_slow_operations_total');
    const p99 = Math.max(0, ...store.column('db_wal_sync_duration_seconds{quantile="0.99"}').slice(-60));
    const rules = slow > 0 ? [['warn', `${count(slow)} calls of the file system took a second or longer: look at the disk.`]] : [];
    if (p99 > 0.05) rules.push(['warn', `Syncs of the log took up to ${latency(p99)} (p99) in the last minute: the disk is slow or shared.`]);
    return rules;
  },
  function costlyMeasuring(store) {
    const most = Math.max(0, ...store.all('db_instrumentation_overhead_ratio'));
    return most > 0.05 ? [['info', `Measuring takes ${percent(most)} of an operation's time: a lower level of instrumentation costs less.`]] : [];
  },
  function tornTail(store) {
    const torn = store.value('db_recovered_truncated_bytes');
    return torn > 0 ? [['info', `The last open dropped ${bytes(torn)} of a log tail that was not written completely.`]] : [];
  },
];

const RANK = { bad: 0, warn: 1, info: 2 };

/** What should be changed, most important first: `[tone, sentence]`. */
export function advice(store) {
  return RULES.flatMap(rule => rule(store)).sort((a, b) => RANK[a[0]] - RANK[b[0]]);
}

export const ruleCount = RULES.length;
