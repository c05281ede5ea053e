//! Runs of many seeds on all cores, with a progress bar where someone may be watching.

use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;

/// Work that is done sooner needs no bar, which would only flicker.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two redraws of the elapsed time, should no seed be done in the meantime.
const REDRAW: Duration = Duration::from_millis(250);

const TEMPLATE: &str = "{prefix} {bar:32} {pos}/{len} runs, {elapsed} elapsed, {eta} left";

/// Runs `f` for each of the `seeds` on all cores, and returns the results in the order of the
/// seeds, whichever was done first.
///
/// A run that takes longer than a second shows a progress bar named `label` on stderr, and clears
/// it at the end; but nothing is ever printed if `quiet`, or where stderr is not a terminal.
///
/// # Panics
///
/// If `f` does.
pub fn run_seeds<R: Send>(
    seeds: &[u64],
    label: &str,
    quiet: bool,
    f: impl Fn(u64) -> R + Sync,
) -> Vec<R> {
    let bar = ProgressBar::with_draw_target(Some(seeds.len() as u64), ProgressDrawTarget::hidden());
    let work = || {
        // Seeds take unequal time: each is a task of its own, for the next idle core to take.
        let runs = seeds.par_iter().with_max_len(1).map(|&seed| {
            let result = f(seed);
            bar.inc(1);
            result
        });
        runs.collect()
    };
    if quiet || !io::stderr().is_terminal() {
        return work();
    }
    bar.set_prefix(label.to_owned());
    let results = doing_when_late(PATIENCE, || show(&bar), work);
    bar.finish_and_clear();
    results
}

/// Does the `work`, and beside it, once that has taken longer than `patience`, what is to be done
/// `when_late`.
fn doing_when_late<R>(
    patience: Duration,
    when_late: impl FnOnce() + Send,
    work: impl FnOnce() -> R,
) -> R {
    thread::scope(|scope| {
        let (done, waiting) = mpsc::channel::<()>();
        scope.spawn(move || {
            // The sender goes when the work ends, by a panic too.
            if waiting.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                when_late();
            }
        });
        let results = work();
        drop(done);
        results
    })
}

fn show(bar: &ProgressBar) {
    // The template is constant: were it wrong, a plain bar would do.
    let style = ProgressStyle::with_template(TEMPLATE).map(|style| style.progress_chars("=> "));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.enable_steady_tick(REDRAW);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_seeds() {
        let seeds: Vec<u64> = (0..64).rev().collect();
        let results = run_seeds(&seeds, "test", true, |seed| {
            thread::sleep(Duration::from_micros(seed % 7 * 100));
            seed * 2
        });
        assert_eq!(results, seeds.iter().map(|seed| seed * 2).collect::<Vec<_>>());
    }

    #[test]
    fn no_seeds_have_no_results() {
        assert_eq!(run_seeds(&[], "test", false, |seed| seed), [0; 0]);
    }

    #[test]
    fn work_done_in_time_has_no_bar() {
        let mut shown = false;
        assert_eq!(doing_when_late(Duration::from_secs(3_600), || shown = true, || 7), 7);
        assert!(!shown);
    }

    #[test]
    fn work_that_is_late_has_a_bar_while_it_lasts() {
        let (show, shown) = mpsc::channel();
        let patience = Duration::from_millis(1);
        let work = || shown.recv_timeout(Duration::from_secs(60));
        assert_eq!(doing_when_late(patience, move || show.send(7).unwrap(), work), Ok(7));
    }

    #[test]
    #[should_panic(expected = "seed 3")]
    fn a_panic_of_a_run_is_not_swallowed() {
        run_seeds(&[1, 2, 3], "test", true, |seed| assert!(seed != 3, "seed {seed}"));
    }
}
