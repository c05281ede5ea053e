//! `swim completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use super::failure::Failure;
use super::output;

/// Print a script that completes commands and flags, for a shell to read.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "swim", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}
