//! A directory one of whose files has been overwritten with anything: opening and reading it gives right data or a typed error.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run open`
#![no_main]

use bettong::env::{Env, sim::SimDisk};
use bettong::{Db, Durability, Options};
use libfuzzer_sys::fuzz_target;

fn options() -> Options {
    Options::default().memtable_bytes(8 << 10).block_bytes(256).durability(Durability::Sync)
}

fn build() -> SimDisk {
    let disk = SimDisk::new(1);
    let db = Db::open("/db", options().env(Env::sim(&disk))).unwrap();
    for n in 0..40u8 {
        db.set([n], [n; 30]).unwrap();
    }
    db.compact(..).unwrap();
    for n in 30..50u8 {
        db.set([n], [n; 30]).unwrap();
    }
    disk.kill();
    disk
}

fuzz_target!(|input: (u8, u16, Vec<u8>)| {
    let (which, at, bytes) = input;
    let disk = build();
    let paths = disk.paths();
    let path = &paths[usize::from(which) % paths.len()];
    let mut content = disk.read(path).unwrap();
    let start = usize::from(at) % (content.len() + 1);
    for (place, byte) in content[start..].iter_mut().zip(&bytes) {
        *place ^= byte;
    }
    disk.overwrite(path, &content);
    let Ok(db) = Db::open("/db", options().env(Env::sim(&disk))) else { return };
    for n in 0..60u8 {
        if let Ok(Some(value)) = db.get([n]) {
            assert_eq!(value, [n; 30], "wrong data after damage to {}", path.display());
        }
    }
    db.scan(..).take_while(Result::is_ok).count();
    db.verify().unwrap();
});
