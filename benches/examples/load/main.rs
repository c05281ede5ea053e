//! What does a datagram cost a real agent, and what do a thousand idle agents cost a process?
//!
//! ```sh
//! cargo run --release -p swim-benches --example load -- datagrams
//! cargo run --release -p swim-benches --example load -- fleet --agents 1000
//! cargo run --release -p swim-benches --example load -- --quick
//! ```
//!
//! `datagrams` sends prepared datagrams over the loopback to an agent whose runtime has one thread,
//! faster and faster until it drops some, and then as fast as they are answered. Beside it, in the
//! same run and from the same sender, three that answer without a protocol: what a datagram costs
//! the kernel, and Tokio, whoever answers it. On the loopback a send includes its delivery to the
//! receiver's socket. `fleet` starts many agents in one process and measures them idle. All figures
//! are of Linux (`/proc`); times compare within one run only.
#![forbid(unsafe_code)]

mod datagrams;
mod fleet;
mod packets;
mod sender;
mod target;

use clap::{Parser, Subcommand};

/// Measures agents over real sockets.
#[derive(Debug, Parser)]
struct Arguments {
    /// Both measurements, short and small: proves that they run
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// An agent under load, and what answers without a protocol
    Datagrams(datagrams::Arguments),
    /// Many idle agents in one process
    Fleet(fleet::Arguments),
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Arguments { quick, command } = Arguments::parse();
    match command {
        _ if quick => {
            datagrams::run(&datagrams::Arguments::quick())?;
            fleet::run(&fleet::Arguments::quick())
        }
        Some(Command::Datagrams(arguments)) => datagrams::run(&arguments),
        Some(Command::Fleet(arguments)) => fleet::run(&arguments),
        None => {
            datagrams::run(&datagrams::Arguments::parse_from(["datagrams"]))?;
            fleet::run(&fleet::Arguments::parse_from(["fleet"]))
        }
    }
}
