//! What a child process is told to do, and what it says: lines of JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::figures::Figures;
use crate::keys::KEY_BYTES;
use crate::open_loop::Rate;
use crate::settings::Settings;
use crate::site::{Bounds, Shape, Site};
use crate::workload::{Chain, Workload};

/// One chain on one engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) engine: Engine,
    pub(crate) chain: Chain,
    /// What is to be reported of the chain.
    pub(crate) wanted: Vec<Workload>,
    pub(crate) round: u64,
    pub(crate) dir: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) shape: Shape,
    pub(crate) threads: usize,
    pub(crate) bounds: Bounds,
    /// Makes it an open loop.
    pub(crate) rate: Option<Rate>,
    /// Sets a second beside readers; none is as fast as it can.
    pub(crate) write_rate: Option<f64>,
}

impl Job {
    pub(crate) fn settings_of_chain(&self) -> Settings {
        if self.chain.syncs() { self.settings.on_disk() } else { self.settings.clone() }
    }

    /// The data before the first step.
    pub(crate) fn site(&self) -> Site {
        let entry_bytes = KEY_BYTES as u64 + self.shape.sizes.mean();
        let keys = self.chain.keys(self.shape.keys, entry_bytes, self.settings.write_buffer_bytes);
        let mut shape = self.shape.clone();
        shape.keys = keys;
        Site {
            shape,
            threads: self.chain.threads(self.threads),
            bounds: self.bounds,
            next: keys,
            deleted: Vec::new(),
            write_rate: self.write_rate,
            step: 0,
        }
    }
}

/// A line of a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// What a reader of the figures should know.
    Note(String),
    /// A step begins, wanted or not.
    Begun(Workload),
    Measured(Box<Figures>),
    Failed(String),
}
