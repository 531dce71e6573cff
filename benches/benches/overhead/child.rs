//! The processes that go the paths: started, driven.

use std::io::{BufRead, BufReader, Write};
use std::path::Path as FilePath;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};

use bettong_benches::paths::Path;
use bettong_metrics::Instrumentation;

use crate::Result;

/// What one thread does in a slice, and how many threads do it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) threads: usize,
    pub(crate) count: u64,
    pub(crate) from: u64,
}

/// One process. It does nothing while it waits for its next command.
#[derive(Debug)]
pub(crate) struct Child {
    process: Process,
    commands: Option<ChildStdin>,
    /// Which of its times counts.
    processor_time: bool,
    answers: BufReader<ChildStdout>,
    /// As of its last slice.
    pub(crate) interval: u64,
    /// Whether the sampling interval has had time to settle.
    pub(crate) settled: bool,
}

impl Child {
    pub(crate) fn start(program: &FilePath, processor_time: bool) -> Result<Child> {
        let mut process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let commands = process.stdin.take();
        let answers = process.stdout.take().ok_or("a process without output")?;
        let answers = BufReader::new(answers);
        Ok(Child { process, commands, processor_time, answers, interval: 0, settled: false })
    }

    /// Gives the process a fresh database for a path.
    pub(crate) fn open(&mut self, path: Path, keys: u64) -> Result<()> {
        self.settled = false;
        self.ask(&format!("open {} {keys}", path.name())).map(drop)
    }

    /// The time per operation, in nanoseconds, by the clock that was chosen.
    pub(crate) fn run(&mut self, level: Instrumentation, work: Work) -> Result<f64> {
        let Work { threads, count, from } = work;
        let answer = self.ask(&format!("run {level} {threads} {count} {from}"))?;
        let words: Vec<&str> = answer.split_ascii_whitespace().collect();
        let &[elapsed, processor, interval] = words.as_slice() else {
            return Err(format!("not understood: {answer}").into());
        };
        self.interval = interval.parse()?;
        let nanos: f64 = if self.processor_time { processor } else { elapsed }.parse()?;
        Ok(nanos / count as f64)
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        let commands = self.commands.as_mut().ok_or("a process without input")?;
        writeln!(commands, "{command}")?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(format!("the process ended at: {command}").into());
        }
        Ok(answer)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Without input it ends by itself, and removes its database.
        self.commands = None;
        self.process.wait().ok();
    }
}
