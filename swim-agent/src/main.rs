//! The command `swim`: real agents, and what asks them.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    swim_agent::command()
}
