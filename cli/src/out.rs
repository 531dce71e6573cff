//! Where the tool writes: results to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write};

use clap::ValueEnum;

use crate::fault::{Fault, Result};
use crate::units::Sizes;

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Also in files and pipes
    Always,
    /// Nowhere
    Never,
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Errors only.
    Quiet,
    #[default]
    Normal,
    Verbose,
}

/// The two streams, and how to write to them.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: BufWriter<Stdout>,
    stderr: Stderr,
    color: bool,
    volume: Volume,
    sizes: Sizes,
}

impl Out {
    pub(crate) fn new(color: ColorChoice, volume: Volume, sizes: Sizes) -> Out {
        let stdout = io::stdout();
        // https://no-color.org: set and not empty.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => wanted && stdout.is_terminal(),
        };
        Out { stdout: BufWriter::with_capacity(64 << 10, stdout), stderr: io::stderr(), color, volume, sizes }
    }

    /// No colours from now on.
    pub(crate) fn plain(&mut self) {
        self.color = false;
    }

    /// One line of the result.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        writeln!(self.stdout, "{line}").map_err(Fault::output)
    }

    /// A part of the result, as it is.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stdout.write_all(bytes).map_err(Fault::output)
    }

    /// Hands everything written so far to the reader.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.stdout.flush().map_err(Fault::output)
    }

    /// A remark for the user, unless they want silence. What cannot be told is not worth failing for.
    pub(crate) fn note(&mut self, note: impl Display) {
        if self.volume >= Volume::Normal {
            let _ = writeln!(self.stderr, "{note}");
        }
    }

    /// A remark for users who asked for many.
    pub(crate) fn detail(&mut self, note: impl Display) {
        if self.volume >= Volume::Verbose {
            let _ = writeln!(self.stderr, "{note}");
        }
    }

    /// Why the tool stops.
    pub(crate) fn error(&mut self, error: impl Display) {
        let _ = writeln!(self.stderr, "error: {error}");
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Refuses a terminal, which must never get control bytes, for the reason given.
    pub(crate) fn refuse_terminal(&self, why: &str) -> Result<()> {
        if !self.stdout.get_ref().is_terminal() {
            return Ok(());
        }
        Err(Fault::Usage(format!("standard output is a terminal, and {why}: send it to a file or a pipe")))
    }

    /// Whether a progress bar would be seen, and is wanted.
    pub(crate) fn shows_progress(&self) -> bool {
        self.volume >= Volume::Normal && self.stderr.is_terminal()
    }

    /// A heading.
    pub(crate) fn heading(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Something good.
    pub(crate) fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Something bad.
    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stdout.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
