//! All figures of one run as a Markdown table: ours beside foca in the same run, al8n's
//! memberlist-proto as it was measured once, the goals, how each grows with the cluster, and what
//! the machine allows.
//!
//! `cargo run --release -p swim-benches --example table [-- --quick]`. One minute; two seconds
//! with `--quick`. Progress goes to stderr.
#![forbid(unsafe_code)]

#[path = "../../benches/common/foca.rs"]
mod foca;
mod goals;
mod machine;
mod measure;
mod render;

use std::process::ExitCode;
use std::time::Duration;

use measure::Effort;
use swim_benches::SIZES;

/// Enough for medians that differ by some percent from run to run on a quiet machine.
const FULL: Effort = Effort { sizes: &SIZES, each: Duration::from_millis(400) };
/// Enough to see whether all of it works.
const QUICK: Effort =
    Effort { sizes: SIZES.first_chunk::<2>().unwrap(), each: Duration::from_millis(40) };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let effort = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => FULL,
        ["--quick"] => QUICK,
        _ => {
            eprintln!("usage: table [--quick]");
            return ExitCode::FAILURE;
        }
    };
    println!("{}\n", machine::line());
    let figures = measure::all(&effort);
    print!("{}", render::markdown(&figures, effort.sizes));
    let (bare, full) = (measure::kernel(&effort, 0), measure::kernel(&effort, 8));
    println!(
        "\nThe kernel sends and receives such a ping on loopback in {bare:.1} us, \
         with 8 updates in {full:.1} us."
    );
    ExitCode::SUCCESS
}
