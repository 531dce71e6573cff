//! Batches: what is put in comes out in order, and a batch that was written is there as a whole after a power cut.

use std::collections::BTreeMap;

use super::script::Script;
use crate::batch::WriteBatch;
use crate::db::Db;
use crate::env::Env;
use crate::env::sim::SimDisk;
use crate::error::ErrorKind;
use crate::key::Kind;
use crate::limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES};
use crate::options::{Durability, Options};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Batches that the input names, one after the other, into one database.
pub fn batch(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    let disk = SimDisk::new(1);
    let threshold = if choice & 1 == 0 { usize::MAX } else { 64 };
    let options = || {
        let options = Options::default().memtable_bytes(4 << 10).separation_threshold(threshold);
        options.durability(Durability::Sync).cache_bytes(0).env(Env::sim(&disk))
    };
    let db = Db::open("/db", options()).expect("a sound disk");
    let mut model = Model::new();
    let mut batch = WriteBatch::new();
    for _ in 0..8 {
        let ops = fill(&mut script, &mut batch);
        let Some(ops) = ops else {
            let error = db.write(std::mem::take(&mut batch)).expect_err("an entry is out of bounds");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            continue;
        };
        check(&batch, &ops);
        db.write(std::mem::take(&mut batch)).expect("a sound disk");
        for (key, value) in ops {
            match value {
                Some(value) => drop(model.insert(key, value)),
                None => drop(model.remove(&key)),
            }
        }
        if script.is_done() {
            break;
        }
    }
    assert_eq!(contents(&db), model, "what was written is not there");
    disk.crash(1, choice.into());
    let db = Db::open("/db", options()).expect("a crash is no corruption");
    assert_eq!(contents(&db), model, "what was durable is not there");
}

type Ops = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Puts some entries into a batch; `None` if one of them is out of bounds.
fn fill(script: &mut Script<'_>, batch: &mut WriteBatch) -> Option<Ops> {
    let (mut ops, mut good) = (Ops::new(), true);
    for _ in 0..script.byte() % 32 {
        let (shape, len) = (script.byte(), script.byte());
        let key = match shape >> 2 {
            0 => Vec::new(),
            1 => vec![len; MAX_KEY_BYTES + usize::from(shape & 1)],
            _ => script.bytes(usize::from(shape >> 2 & 3) + 1).to_vec(),
        };
        good &= (1..=MAX_KEY_BYTES).contains(&key.len());
        let value = (shape & 3 != 3).then(|| vec![len; usize::from(len) * usize::from(shape & 3)]);
        match &value {
            Some(value) => batch.set(&key, value),
            None => batch.delete(&key),
        }
        ops.push((key, value));
    }
    good.then_some(ops)
}

fn check(batch: &WriteBatch, ops: &Ops) {
    let found = batch.ops().map(|op| (op.key.to_vec(), (op.kind == Kind::Value).then(|| op.value.to_vec())));
    assert_eq!(&found.collect::<Ops>(), ops, "a batch does not read back");
    let payload: usize = ops.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum();
    assert_eq!((batch.len(), batch.payload_bytes()), (ops.len(), payload));
    assert_eq!(batch.sets(), ops.iter().filter(|(_, value)| value.is_some()).count());
    assert!(payload < MAX_BATCH_BYTES);
}

fn contents(db: &Db) -> Model {
    let items = db.scan(..).map(|item| item.expect("a sound database"));
    items.map(|item| (item.key().to_vec(), item.value().expect("a value").to_vec())).collect()
}
