//! What is measured at one moment.

use std::fs;
use std::path::Path;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use swim_agent::Info;
use swim_benches::proc;
use tokio::runtime::Handle;

use crate::fleet::Fleet;
use crate::replay::Replay;

/// Counts what is allocated in the whole process; the system's allocator does the work.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Bytes allocated and not freed.
pub(crate) fn heap() -> usize {
    HEAP.current_usage()
}

/// What this process takes; a figure that the system does not tell is 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    /// Bytes allocated and not freed.
    pub(crate) heap: usize,
    /// Resident KiB.
    pub(crate) resident: u64,
    pub(crate) threads: usize,
    pub(crate) files: usize,
    pub(crate) tasks: usize,
}

impl Process {
    pub(crate) fn now() -> Self {
        Self {
            heap: heap(),
            resident: proc::resident().unwrap_or_default(),
            threads: proc::threads().unwrap_or_default(),
            files: proc::files().unwrap_or_default(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}

/// What is measured at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Since the churn began.
    pub(crate) at: Duration,
    pub(crate) process: Process,
    /// Agents that run or are about to end.
    pub(crate) agents: usize,
    /// Members that all agents together hold, and those of them that are dead or left, pruned ones too.
    pub(crate) held: usize,
    pub(crate) gone: usize,
    /// Updates, events and queries that wait to be told, in all agents together.
    pub(crate) waiting: usize,
    /// Sessions whose packets agents remember, so that none is heard twice, and bytes that this takes.
    pub(crate) sessions: usize,
    pub(crate) replay: usize,
    /// Bytes in data directories.
    pub(crate) disk: u64,
}

impl Sample {
    /// Says where the run is.
    pub(crate) fn tell(&self) {
        let Self { at, process, agents, replay, .. } = self;
        let Process { heap, resident, threads, files, tasks } = process;
        let (heap, replay) = (heap >> 20, replay >> 20);
        println!(
            "{:5} s: {agents} agents, heap {heap} MiB ({replay} of them for replay), resident {} MiB, \
             {tasks} tasks, {files} descriptors, {threads} threads",
            at.as_secs(),
            resident >> 10,
        );
    }

    pub(crate) fn take(at: Duration, fleet: &Fleet, replay: &Replay, infos: &[Info]) -> Self {
        let process = Process::now();
        let sum = |of: fn(&Info) -> usize| infos.iter().map(of).sum();
        Self {
            at,
            process,
            agents: fleet.running.len() + fleet.ending,
            held: sum(|info| info.counts.alive + info.counts.suspect),
            gone: sum(|info| info.counts.dead + info.counts.left + info.pruned),
            waiting: sum(|info| info.updates_waiting + info.notices_waiting + info.queries_open),
            sessions: sum(|info| info.sessions.datagrams + info.sessions.streams),
            replay: replay.of(infos),
            disk: bytes_in(&fleet.root),
        }
    }
}

/// Bytes in the files of a directory and those below it.
fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(is) if is.is_dir() => bytes_in(&entry.path()),
        Ok(is) => is.len(),
        // It has gone meanwhile.
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
