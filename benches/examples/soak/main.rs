//! Does anything grow, in hours of churn, loss and partitions?
//!
//! ```sh
//! cargo run --release -p swim-benches --example soak                   # 200 agents for an hour
//! cargo run --release -p swim-benches --example soak -- --seconds 600
//! cargo run --release -p swim-benches --example soak -- --quick
//! ```
//!
//! One cluster in one process: real agents with UDP and TCP, each on a loopback address of its own
//! (127.45.x.y, so Linux), a third of them with a data directory, packets sealed. All the time agents
//! crash, leave, come back under their name or for another one, say something else of themselves, tell
//! events and ask; datagrams are lost, now and then many, and some agents are cut off for a while. A
//! fifth of the agents stays all the time. When the churn has stopped views must become equal, and when
//! all have ended nothing may be left of them. All of it is drawn from a seed, but not when it happens.
//! `docs/checking.md` says what is measured and what fails a run.
#![forbid(unsafe_code)]

mod arguments;
mod churn;
mod fleet;
mod ledger;
mod life;
mod replay;
mod report;
mod sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::Parser as _;
use swim_agent::keys::{Algorithm, Key, Keyring};
use swim_benches::proc;
use tokio::sync::mpsc;
use tokio::time::sleep;

use arguments::Arguments;
use churn::Churn;
use fleet::Fleet;
use ledger::Ledger;
use life::Common;
use replay::Replay;
use report::End;
use sample::Process;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Files that an agent holds open: two sockets, a lock and a log; and streams for a moment.
const FILES: usize = 8;
/// How long views may take to become equal, and tasks to end.
const PATIENCE: Duration = Duration::from_secs(180);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Panics of any thread or task so far.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn main() -> Result<ExitCode, Error> {
    let arguments = Arguments::parse().completed();
    let (needed, open) = (arguments.agents * FILES, proc::open_files());
    if let Some(open) = open.filter(|&open| open < needed) {
        let agents = arguments.agents;
        let text = format!(
            "{agents} agents need {needed} open files, the limit is {open}: ulimit -n {needed}"
        );
        return Err(text.into());
    }
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Relaxed);
        usual(panic);
    }));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build()?;
    // A task of its own: what the main thread polls itself would run on a third thread.
    let passes = runtime.block_on(runtime.spawn(soak(arguments)))??;
    Ok(if passes { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The data directories of a run; gone when it is over.
struct Root(PathBuf);

impl Root {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("swim-soak-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // What cannot be removed stays where such things stay.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn soak(arguments: Arguments) -> Result<bool, Error> {
    let root = Root::new()?;
    let ledger = Arc::<Ledger>::default();
    let ring = match arguments.plain {
        true => None,
        false => Some(Keyring::new(Key::generate(Algorithm::default())?)),
    };
    let replay = Replay::measure(ring.as_ref())?;
    let retention = Duration::from_secs(arguments.retention);
    let common = Common { ring, retention, ledger: Arc::clone(&ledger) };
    let (over, overs) = mpsc::unbounded_channel();
    let fleet = Fleet::new(common, &root.0, over);
    let mut churn = Churn::new(&arguments, replay, fleet, overs);
    let before = Process::now();
    let (agents, seconds) = (arguments.agents, arguments.seconds);
    println!("{agents} agents, {seconds} s of churn, seed {}", arguments.seed);
    churn.start().await?;
    let (difference, joined) = equal(&churn.fleet).await;
    if let Some(difference) = difference {
        return Err(format!("views were never equal: {difference}").into());
    }
    println!("all know all after {joined:.1} s");
    churn.run().await?;
    churn.close().await;
    let (difference, equal_after) = equal(&churn.fleet).await;
    let infos = churn.fleet.infos().await;
    let counted = churn.fleet.counted(&infos);
    churn.fleet.end_all().await;
    let after = ended(before).await;
    let (lives, tally, panics) = (churn.fleet.lives, ledger.tally(), PANICS.load(Relaxed));
    let end = End { before, after, difference, equal_after, lives, tally, counted, panics };
    Ok(report::print(&arguments, &churn.samples, &end))
}

/// Waits until all views are equal; how long that took in seconds, or what differs still.
async fn equal(fleet: &Fleet) -> (Option<String>, f64) {
    let start = Instant::now();
    loop {
        let difference = fleet.difference();
        let took = start.elapsed();
        if difference.is_none() || took > PATIENCE {
            return (difference, took.as_secs_f64());
        }
        sleep(LOOK).await;
    }
}

/// Waits until nothing runs any more, as before the start, and for threads that end for want of work.
async fn ended(before: Process) -> Process {
    let start = Instant::now();
    loop {
        let now = Process::now();
        let over = now.tasks <= before.tasks && now.threads <= before.threads;
        if over || start.elapsed() > PATIENCE {
            return now;
        }
        sleep(LOOK).await;
    }
}
