//! `--event-handler '[filter=]command'`: commands that are run when something happens.
//!
//! Nothing waits for them: a handler has a queue of its own that is bounded, runs a few commands
//! at a time, and each command has a time-out after which it is killed with all that it started.
//! What finds the queue full is dropped and counted.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use swim_agent::{
    Decline, EventStream, Handle, QueryItem, QueryStream, ReceivedQuery, StreamItem, UserEvent,
};
use swim_core::EventKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};

use super::filter::Handler;
use super::input;
use crate::http::users::MAX_PAYLOAD;

/// Events that wait for one handler.
const WAITING: usize = 256;
/// Commands of one handler at a time.
const AT_A_TIME: usize = 8;

/// What was dropped in this process because handlers were too slow; `swim info` shows it.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Events that were dropped because handlers were too slow.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

fn drop_events(count: u64) {
    let before = DROPPED.fetch_add(count, Relaxed);
    // Rarer and rarer: a flood of drops must not become one of lines.
    if (before + count).next_power_of_two() != before.next_power_of_two() || before == 0 {
        warn!("{} events were dropped so far: event handlers are too slow", before + count);
    }
}

/// Something that a handler may be run for.
#[derive(Debug)]
pub(super) struct Happened {
    /// As filters call it.
    pub(super) kind: &'static str,
    pub(super) item: StreamItem,
    /// To be answered.
    pub(super) query: Option<ReceivedQuery>,
}

impl Happened {
    fn new(item: StreamItem) -> Option<Self> {
        let kind = match &item {
            StreamItem::Event(event) => match event.kind {
                EventKind::Joined => "member-join",
                EventKind::Left => "member-leave",
                EventKind::Died => "member-failed",
                EventKind::Updated => "member-update",
                EventKind::Forgotten => "member-reap",
                EventKind::Suspected => "member-suspect",
                EventKind::Refuted => "member-refute",
                EventKind::Conflict => "member-conflict",
            },
            StreamItem::User(_) => "user",
            // Those that are for this agent come from elsewhere.
            _ => return None,
        };
        Some(Self { kind, item, query: None })
    }

    fn asked(query: ReceivedQuery) -> Self {
        let item = StreamItem::Query(query.event().clone());
        Self { kind: "query", item, query: Some(query) }
    }

    /// No answer comes from this handler; when none comes from any, who asked is told why.
    fn give_up(&self, why: Decline) {
        if let Some(query) = &self.query {
            query.clone().decline(why);
        }
    }

    /// What a user told, if a user did.
    pub(super) fn told(&self) -> Option<&UserEvent> {
        match &self.item {
            StreamItem::User(event) | StreamItem::Query(event) => Some(event),
            _ => None,
        }
    }
}

/// Starts what runs handlers, until it is aborted or the agent ends.
pub(super) fn start(handle: &Handle, handlers: Vec<Handler>, patience: Duration) -> JoinHandle<()> {
    // From now on, not from whenever the task is first run.
    let streams = (handle.events(), handle.queries());
    tokio::spawn(run(handle.clone(), streams, handlers, patience))
}

async fn run(
    handle: Handle,
    (mut events, mut queries): (EventStream, QueryStream),
    handlers: Vec<Handler>,
    patience: Duration,
) {
    if handlers.is_empty() {
        return;
    }
    let mut workers = JoinSet::new();
    let mut queues = Vec::new();
    for handler in handlers {
        let (sender, jobs) = mpsc::channel(WAITING);
        let handler = Arc::new(handler);
        workers.spawn(work(handle.clone(), Arc::clone(&handler), jobs, patience));
        queues.push((handler, sender));
    }
    loop {
        let happened = tokio::select! {
            item = events.next() => match item {
                Some(StreamItem::Missed(missed)) => {
                    drop_events(missed);
                    continue;
                }
                Some(item) => Happened::new(item),
                None => return,
            },
            item = queries.next() => match item {
                Some(QueryItem::Query(query)) => Some(Happened::asked(query)),
                Some(QueryItem::Missed(missed)) => {
                    drop_events(missed);
                    continue;
                }
                None => return,
            },
        };
        let Some(happened) = happened.map(Arc::new) else { continue };
        for (handler, queue) in &queues {
            if handler.wants(&happened) && queue.try_send(Arc::clone(&happened)).is_err() {
                drop_events(1);
                happened.give_up(Decline::Busy);
            }
        }
        // A query that no handler wants is declined as it is dropped here.
    }
}

/// Starts the commands of one handler, in the order in which things happened.
async fn work(
    handle: Handle,
    handler: Arc<Handler>,
    mut jobs: mpsc::Receiver<Arc<Happened>>,
    patience: Duration,
) {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Some(happened) = jobs.recv().await else { break };
        let (handle, handler) = (handle.clone(), Arc::clone(&handler));
        running.spawn(async move {
            let _permit = permit;
            one(&handle, &handler, &happened, patience).await;
        });
        while running.try_join_next().is_some() {}
    }
}

/// Runs one command to its end, and answers with what it wrote if it was asked.
async fn one(handle: &Handle, handler: &Handler, happened: &Happened, patience: Duration) {
    let patience = match &happened.query {
        Some(query) => patience.min(query.time_left()),
        None => patience,
    };
    let command = handler.command.escape_debug();
    let written = match tokio::time::timeout(patience, execute(handle, handler, happened)).await {
        Ok(Ok(written)) => written,
        Ok(Err(error)) => {
            warn!(event = happened.kind, "event handler {command}: {error}");
            happened.give_up(Decline::Failed);
            return;
        }
        Err(_) => {
            warn!(event = happened.kind, "event handler {command}: killed after {patience:?}");
            happened.give_up(Decline::Failed);
            return;
        }
    };
    if let Some(query) = &happened.query
        && let Err(error) = query.respond(written).await
    {
        debug!("event handler {command}: its answer was not sent: {error}");
        happened.give_up(Decline::Failed);
    }
}

/// Kills a command with all that it started, unless it has ended.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // An error says that nothing of it is left.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn execute(handle: &Handle, handler: &Handler, happened: &Happened) -> io::Result<Vec<u8>> {
    let asked = happened.query.is_some();
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(&handler.command).envs(input::environment(handle, happened));
    command.stdin(Stdio::piped()).kill_on_drop(true);
    command.stdout(if asked { Stdio::piped() } else { Stdio::null() });
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let mut group = Group(child.id());
    let written = talk(&mut child, handler, handle, happened).await?;
    let status = child.wait().await?;
    group.0 = None;
    if !status.success() {
        return Err(io::Error::other(format!("ended with {status}")));
    }
    Ok(written)
}

/// Gives a command its input and takes its output, both at once.
async fn talk(
    child: &mut Child,
    handler: &Handler,
    handle: &Handle,
    happened: &Happened,
) -> io::Result<Vec<u8>> {
    let input = input::stdin(handle, happened, handler.json);
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A command need not read it.
            let _ = stdin.write_all(&input).await;
        }
    };
    let read = async {
        let mut written = Vec::new();
        if let Some(stdout) = stdout {
            // One more, so that an answer that is too large is refused and not cut.
            stdout.take(MAX_PAYLOAD as u64 + 1).read_to_end(&mut written).await?;
        }
        Ok(written)
    };
    tokio::join!(write, read).1
}
