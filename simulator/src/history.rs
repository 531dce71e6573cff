//! A history: where it starts from, and what is done.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::op::Op;
use crate::swarm::Swarm;

/// Everything that decides what happens: the same history runs the same way, on every machine and for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What it shows, for those that are kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What it was generated from; the ids of files follow from it, too.
    pub seed: u64,
    /// How many different keys there are, about.
    pub keys: u16,
    /// The options of the first opening.
    pub options: Swarm,
    /// What is done, in order.
    pub ops: Vec<Op>,
}

impl History {
    /// Reads a history that was kept.
    ///
    /// # Errors
    /// If there is no such file, or it holds no history.
    pub fn load(path: &Path) -> io::Result<History> {
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text).map_err(io::Error::from)
    }

    /// Keeps a history, one operation a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let head = History { ops: Vec::new(), ..self.clone() };
        let head = serde_json::to_string(&head)?;
        let ops: Result<Vec<String>, _> = self.ops.iter().map(serde_json::to_string).collect();
        let head = head.trim_end_matches("[]}").to_owned();
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(path, format!("{head}[\n{}\n]}}\n", ops?.join(",\n")))
    }
}
