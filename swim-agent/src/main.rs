//! The command `swim`: real agents, and what asks them.
#![forbid(unsafe_code)]

mod cli;
mod http;

fn main() -> std::process::ExitCode {
    cli::run()
}
