//! Logs, on standard error: only the command installs a subscriber, never the library.
//!
//! A thread of its own writes them. Standard error may be a pipe that nobody reads or a terminal
//! that is stopped; an agent that waited for it would be taken for dead.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

/// How much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// Nothing.
    Off,
    /// What stops the agent.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens to members too.
    Info,
    /// What explains it too.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Lines that wait for standard error; what is logged beyond that is lost, and said to be.
const WAITING: usize = 1_024;
/// How long the last lines may take when the agent ends.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How often to look whether they are written.
const LOOK: Duration = Duration::from_millis(2);

/// The way to standard error; never waits.
#[derive(Clone)]
pub(super) struct Log {
    lines: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
    level: Level,
}

/// How much is logged from now on.
#[derive(Clone)]
pub(super) struct Level(reload::Handle<LevelFilter, Registry>);

impl Level {
    pub(super) fn set(&self, level: LogLevel) {
        // An error says that nothing is logged any more.
        let _ = self.0.modify(|filter| *filter = LevelFilter::from(level));
    }
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// Starts logging to standard error.
///
/// # Errors
/// The system has no thread left.
pub(super) fn start(level: LogLevel, format: LogFormat) -> io::Result<Log> {
    let (lines, waiting) = sync_channel(WAITING);
    let counts = Arc::new(Counts::default());
    let (filter, level) = reload::Layer::new(LevelFilter::from(level));
    let log = Log { lines, counts: Arc::clone(&counts), level: Level(level) };
    thread::Builder::new().name("log".to_owned()).spawn(move || write(waiting, &counts))?;
    let writer = log.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || writer.clone())
        .with_ansi(io::stderr().is_terminal())
        // Telling so would need the very stream that cannot be written to.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(log)
}

/// Writes what comes, and tells of what could not wait.
fn write(lines: Receiver<Vec<u8>>, counts: &Counts) {
    for line in lines {
        // Who does not read the log goes without.
        let _ = io::stderr().write_all(&line);
        counts.waiting.fetch_sub(1, SeqCst);
        let lost = counts.lost.swap(0, SeqCst);
        if lost > 0 {
            tracing::warn!(lost, "log lines were lost: standard error is too slow");
        }
    }
}

impl Log {
    /// What changes how much is logged.
    pub(super) fn level(&self) -> Level {
        self.level.clone()
    }

    /// Lets the last lines go out, unless nobody takes them.
    pub(super) fn finish(&self) {
        let start = Instant::now();
        while self.counts.waiting.load(SeqCst) > 0 && start.elapsed() < LAST_LINES {
            thread::sleep(LOOK);
        }
    }
}

/// Takes one line per call, as the subscriber writes them.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.counts.waiting.fetch_add(1, SeqCst);
        if self.lines.try_send(line.to_vec()).is_err() {
            self.counts.waiting.fetch_sub(1, SeqCst);
            self.counts.lost.fetch_add(1, SeqCst);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
