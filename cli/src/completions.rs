//! `completions`: scripts that complete commands and options in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::fault::Result;
use crate::out::Out;

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  bettong completions bash > /etc/bash_completion.d/bettong")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command`.
pub(crate) fn run(args: &CompletionsArgs, mut command: clap::Command, out: &mut Out) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "bettong", &mut script);
    out.raw(&script)
}
