//! The command line: one file per command, and what they share.

mod address;
mod agent;
mod client;
mod completions;
mod demo;
mod event;
mod failure;
mod force_leave;
mod history;
mod info;
mod join;
mod keygen;
mod keys;
mod leave;
mod members;
mod meta;
mod monitor;
mod output;
mod query;
mod reachability;
mod rtt;
mod signals;
mod socket;
mod top;
mod version;

use std::process::ExitCode;

#[cfg(feature = "fuzz")]
pub use agent::config_file;
use clap::{Parser, Subcommand};

/// SWIM cluster membership: who is in the cluster, and who is alive.
#[derive(Parser)]
#[command(name = "swim", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no agent reachable.";

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Agent(Box<agent::Args>),
    Members(members::Args),
    Join(join::Args),
    Leave(leave::Args),
    ForceLeave(force_leave::Args),
    Info(info::Args),
    Meta(meta::Args),
    Monitor(monitor::Args),
    Top(top::Args),
    CheckConfig(agent::check::Args),
    Completions(completions::Args),
    Version(version::Args),
    Event(event::Args),
    Query(query::Args),
    Reachability(reachability::Args),
    Rtt(rtt::Args),
    Keygen(keygen::Args),
    Keys(keys::Args),
}

/// Parses the command line, does what it says, and tells how that went.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage_exit(&error),
    };
    let done = match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Agent(args) => agent::run(*args),
        Command::Members(args) => members::run(&args),
        Command::Join(args) => join::run(&args),
        Command::Leave(args) => leave::run(&args),
        Command::ForceLeave(args) => force_leave::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Meta(args) => meta::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Top(args) => top::run(&args),
        Command::CheckConfig(args) => agent::check::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Version(args) => version::run(&args),
        Command::Event(args) => event::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Reachability(args) => reachability::run(&args),
        Command::Rtt(args) => rtt::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Keys(args) => keys::run(&args),
    };
    done.map_or_else(|failure| failure.exit(), |()| ExitCode::SUCCESS)
}
