//! A process for each chain on each engine: its memory, its processor time and the state of its allocator are its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::failed::Done;
use crate::job::{Job, Message};
use crate::workload::Chain;
use crate::{chain, opening};

/// The child's side: a job on standard input, messages on standard output. A failure is a message, too.
pub(crate) fn serve() -> Done {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let job: Job = serde_json::from_str(&text)?;
    let mut say = |message: Message| {
        let mut line = serde_json::to_string(&message)?;
        line.push('\n');
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes())?;
        Ok(out.flush()?)
    };
    let result = match job.chain {
        Chain::Open | Chain::OpenLog => opening::run(&job, &mut say),
        _ => chain::run(&job, &mut say),
    };
    result.or_else(|error| say(Message::Failed(error.to_string())))
}

/// The parent's side: runs a job and hears what the child says. A child that says nothing for so long is ended.
pub(crate) fn run(job: &Job, patience: Duration, mut hear: impl FnMut(Message)) -> Done {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(serde_json::to_string(job)?.as_bytes())?;
    }
    let lines = lines(&mut child)?;
    loop {
        match lines.recv_timeout(patience) {
            Ok(line) => hear(serde_json::from_str(&line?)?),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Err(format!("nothing happened for {patience:?}").into());
            }
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the process ended with {status}").into()) }
}

fn lines(child: &mut Child) -> Done<mpsc::Receiver<std::io::Result<String>>> {
    let output = child.stdout.take().ok_or("a child without output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| sender.send(line)));
    Ok(receiver)
}
