//! The simulator's command; everything is in the library.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    swim_sim::cli::run(std::env::args_os())
}
