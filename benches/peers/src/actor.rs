//! One thread of a workload: what a single operation is, and the check of what it reads.

use crate::draws::Draws;
use crate::failed::{Done, wrong};
use crate::keys::{self, Key, Shuffle};
use crate::random::Random;
use crate::site::Site;
use crate::store::{Entries, Store};
use crate::values::{Check, Values};
use crate::walk::Walk;
use crate::workload::{BATCH_ENTRIES, Workload};

/// The longest scan of YCSB E.
const SCAN_ENTRIES_MAX: u64 = 100;

/// What the operations of a thread came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Bytes of keys and values that were set, and of keys that were deleted.
    pub(crate) written_bytes: u64,
    pub(crate) sets: u64,
    pub(crate) inserts: u64,
    pub(crate) deletes: u64,
}

pub(crate) struct Actor<'a> {
    store: &'a dyn Store,
    check: Check,
    /// The random order of keys that are set, or deleted, once each.
    shuffle: Shuffle,
    random: Random,
    values: Values,
    deed: Deed,
    fresh: Fresh,
    pub(crate) tally: Tally,
}

/// New keys of this thread: every so manieth number, so that threads need not agree on them.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    keys: u64,
    first: u64,
    stride: u64,
    thread: u64,
}

/// What an operation is.
enum Deed {
    /// Sets the keys at these places of the random order, or with these numbers.
    Fill {
        places: std::ops::Range<u64>,
        shuffled: bool,
    },
    Batch {
        places: std::ops::Range<u64>,
        entries: Entries,
    },
    Get(Draws),
    Miss {
        keys: u64,
    },
    GetDeleted {
        places: std::ops::Range<u64>,
    },
    Seek {
        starts: u64,
        entries: u64,
    },
    Overwrite {
        keys: u64,
    },
    Delete {
        places: std::ops::Range<u64>,
    },
    Mix {
        recipe: Recipe,
        draws: Draws,
    },
}

/// Percentages of YCSB; what is left of a hundred are scans.
#[derive(Clone, Copy, Debug)]
struct Recipe {
    gets: u64,
    sets: u64,
    get_sets: u64,
    inserts: u64,
    /// Whether gets are of the newest keys.
    latest: bool,
}

impl Recipe {
    const NONE: Recipe = Recipe { gets: 0, sets: 0, get_sets: 0, inserts: 0, latest: false };
    const A: Recipe = Recipe { gets: 50, sets: 50, ..Recipe::NONE };
    const B: Recipe = Recipe { gets: 95, sets: 5, ..Recipe::NONE };
    const C: Recipe = Recipe { gets: 100, ..Recipe::NONE };
    const D: Recipe = Recipe { gets: 95, inserts: 5, latest: true, ..Recipe::NONE };
    const E: Recipe = Recipe { inserts: 5, ..Recipe::NONE };
    const F: Recipe = Recipe { gets: 50, get_sets: 50, ..Recipe::NONE };
}

impl Deed {
    fn of(workload: Workload, site: &Site, thread: usize, random: &mut Random) -> Done<Deed> {
        let (keys, scatter, places) = (site.shape.keys, site.scatter(), site.part(thread));
        let mut mix = |recipe: Recipe| {
            let draws =
                if recipe.latest { Draws::ranks(keys, random) } else { Draws::zipf(keys, &scatter, random) };
            Deed::Mix { recipe, draws }
        };
        Ok(match workload {
            Workload::FillSeq => Deed::Fill { places, shuffled: false },
            Workload::FillRandom
            | Workload::FillDurable
            | Workload::FillSync
            | Workload::FillSync8
            | Workload::MemFill => Deed::Fill { places, shuffled: true },
            Workload::FillBatch => Deed::Batch { places, entries: Entries::default() },
            Workload::MemGet | Workload::ReadRandom | Workload::ReadWhileWriting => {
                Deed::Get(Draws::Uniform(keys))
            }
            Workload::ReadMissing => Deed::Miss { keys },
            Workload::ReadZipf => Deed::Get(Draws::zipf(keys, &scatter, random)),
            Workload::ReadHot => Deed::Get(Draws::hot(keys, scatter)),
            Workload::Seek10 => Deed::Seek { starts: keys.saturating_sub(10), entries: 10 },
            Workload::Seek50 => Deed::Seek { starts: keys.saturating_sub(50), entries: 50 },
            Workload::YcsbA => mix(Recipe::A),
            Workload::YcsbB => mix(Recipe::B),
            Workload::YcsbC => mix(Recipe::C),
            Workload::YcsbD => mix(Recipe::D),
            Workload::YcsbE => mix(Recipe::E),
            Workload::YcsbF => mix(Recipe::F),
            Workload::Overwrite => Deed::Overwrite { keys },
            Workload::Deletes => Deed::Delete { places },
            Workload::ReadDeleted => {
                let deleted = site.deleted.get(thread).copied().unwrap_or(0);
                Deed::GetDeleted { places: places.start..places.start + deleted }
            }
            Workload::ReadSeq | Workload::Open | Workload::OpenLog => {
                return Err(format!("{} is not made of single operations", workload.name()).into());
            }
        })
    }
}

impl<'a> Actor<'a> {
    pub(crate) fn new(
        store: &'a dyn Store,
        site: &Site,
        workload: Workload,
        thread: usize,
    ) -> Done<Actor<'a>> {
        let mut random = site.random(thread);
        let deed = Deed::of(workload, site, thread, &mut random)?;
        let values = site.values(&mut random);
        let fresh = Fresh {
            keys: site.shape.keys,
            first: site.next,
            stride: site.threads as u64,
            thread: thread as u64,
        };
        let (check, tally) = (site.check(), Tally::default());
        let shuffle = if workload.is_fill() { site.shuffle() } else { site.scatter() };
        Ok(Actor { store, check, shuffle, random, values, deed, fresh, tally })
    }

    /// Does the next operation and says for how many it counts: 0 when there are no more.
    #[inline]
    pub(crate) fn act(&mut self) -> Done<u64> {
        match &mut self.deed {
            Deed::Fill { places, shuffled } => {
                let Some(place) = places.next() else { return Ok(0) };
                let number = if *shuffled { self.shuffle.at(place) } else { place };
                self.set(number)
            }
            Deed::Batch { .. } => self.batch(),
            Deed::Get(draws) => {
                let number = draws.next(&mut self.random);
                self.get(number)
            }
            Deed::Miss { keys } => {
                let key = keys::missing(self.random.below(*keys));
                self.miss(&key)
            }
            Deed::GetDeleted { places } => {
                if places.is_empty() {
                    return Ok(0);
                }
                let place = places.start + self.random.below(places.end - places.start);
                self.miss(&keys::present(self.shuffle.at(place)))
            }
            Deed::Seek { starts, entries } => {
                let (number, entries) = (self.random.below((*starts).max(1)), *entries);
                self.seek(number, entries)
            }
            Deed::Overwrite { keys } => {
                let number = self.random.below(*keys);
                self.set(number)
            }
            Deed::Delete { places } => {
                let Some(place) = places.next() else { return Ok(0) };
                self.delete(place)
            }
            Deed::Mix { .. } => self.mix(),
        }
    }

    fn get(&mut self, number: u64) -> Done<u64> {
        let (key, check) = (keys::present(number), self.check);
        let mut good = false;
        let found = self.store.get(&key, &mut |value| good = check.is_good(&key, value))?;
        if good { Ok(1) } else { Err(wrong(&key, if found { "has a wrong value" } else { "is lost" })) }
    }

    fn miss(&mut self, key: &Key) -> Done<u64> {
        let found = self.store.get(key, &mut |_| ())?;
        if found { Err(wrong(key, "is there and must not be")) } else { Ok(1) }
    }

    fn set(&mut self, number: u64) -> Done<u64> {
        let key = keys::present(number);
        let value = self.values.make(&key, self.random.next());
        self.store.set(&key, value)?;
        self.tally.written_bytes += (key.len() + value.len()) as u64;
        self.tally.sets += 1;
        Ok(1)
    }

    fn delete(&mut self, place: u64) -> Done<u64> {
        let key = keys::present(self.shuffle.at(place));
        self.store.delete(&key)?;
        self.tally.written_bytes += key.len() as u64;
        self.tally.deletes += 1;
        Ok(1)
    }

    fn batch(&mut self) -> Done<u64> {
        let Deed::Batch { places, entries } = &mut self.deed else { return Ok(0) };
        entries.clear();
        for place in places.take(BATCH_ENTRIES as usize) {
            let key = keys::present(self.shuffle.at(place));
            entries.push(&key, self.values.make(&key, self.random.next()));
        }
        if entries.len() > 0 {
            self.store.batch(entries)?;
        }
        self.tally.written_bytes += entries.bytes();
        self.tally.sets += entries.len();
        Ok(entries.len())
    }

    /// Reads so many entries from a key on, all of which are there.
    fn seek(&mut self, number: u64, entries: u64) -> Done<u64> {
        let (from, check) = (keys::present(number), self.check);
        let mut walk = Walk::from(&from);
        self.store.scan(&from, &mut |key, value| walk.step(key, value, check) && walk.entries < entries)?;
        walk.end()?;
        if walk.entries == entries {
            Ok(1)
        } else {
            Err(wrong(&from, "has fewer entries after it than were set"))
        }
    }

    fn mix(&mut self) -> Done<u64> {
        let dice = self.random.below(100);
        let Deed::Mix { recipe, draws } = &mut self.deed else { return Ok(0) };
        let recipe = *recipe;
        let sets = recipe.gets + recipe.sets;
        let get_sets = sets + recipe.get_sets;
        if dice >= get_sets && dice < get_sets + recipe.inserts {
            return self.insert();
        }
        let drawn = draws.next(&mut self.random);
        if dice < recipe.gets {
            let number = if recipe.latest { self.fresh.latest(drawn, self.tally.inserts) } else { drawn };
            self.get(number)
        } else if dice < sets {
            self.set(drawn)
        } else if dice < get_sets {
            self.get(drawn)?;
            self.set(drawn)
        } else {
            let entries = 1 + self.random.below(SCAN_ENTRIES_MAX.min(self.fresh.keys));
            self.seek(drawn.min(self.fresh.keys - entries), entries)
        }
    }

    fn insert(&mut self) -> Done<u64> {
        self.set(self.fresh.number(self.tally.inserts))?;
        self.tally.inserts += 1;
        Ok(1)
    }
}

impl Fresh {
    /// The number of this thread's new key number so many.
    fn number(self, insert: u64) -> u64 {
        self.first + insert * self.stride + self.thread
    }

    /// The key that is this many before the newest: this thread's own, then those of the fill.
    fn latest(self, rank: u64, inserts: u64) -> u64 {
        if rank < inserts {
            self.number(inserts - 1 - rank)
        } else {
            self.keys.saturating_sub(1 + rank - inserts)
        }
    }
}
