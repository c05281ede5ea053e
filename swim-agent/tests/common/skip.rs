//! Saying that something was not tried.

use std::io::Write as _;

/// Says that the running test, or a part of it, was left out, and why; with `SWIM_REQUIRE=1` that is a
/// failure. Straight to standard error: what `eprintln!` says is swallowed where the test passes.
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("SWIM_REQUIRE").is_some_and(|value| value == "1");
    assert!(!required, "skipped, and SWIM_REQUIRE=1: {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}
