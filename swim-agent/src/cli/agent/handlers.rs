//! Event handlers: commands that are run when something happens.
//!
//! Nothing waits for them: they have a thread of their own, because to start a process takes about a
//! millisecond in which its thread does nothing else. A handler has a queue of its own that is
//! bounded, runs a few commands at a time, and each command has a time-out after which it is killed
//! with all that it started. What finds the queue full is dropped and counted. Handlers come and go
//! while the agent runs: one that stays keeps its queue, one that goes lets its commands end and
//! drops what waits.

use std::fs;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use swim_agent::{
    Decline, EventStream, Handle, QueryItem, QueryStream, ReceivedQuery, RespondError, StreamItem,
    UserEvent,
};
use swim_core::EventKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time;
use tracing::{debug, info, warn};

use super::filter::Handler;
use super::input;
use crate::http::users::MAX_PAYLOAD;

/// Events that wait for one handler.
const WAITING: usize = 256;
/// Commands of one handler at a time.
const AT_A_TIME: usize = 8;
/// How long the thread may take to kill what still runs when the agent ends.
const LAST_KILLS: Duration = Duration::from_secs(1);
/// What runs commands.
const SHELL: &str = "/bin/sh";

/// Whether what is to run these handlers is there.
///
/// # Errors
/// It is not, as in an image without a shell, in words.
pub(super) fn check_shell(handlers: &[Handler]) -> Result<(), String> {
    check(handlers, SHELL)
}

fn check(handlers: &[Handler], shell: &str) -> Result<(), String> {
    match fs::metadata(shell) {
        Err(error) if !handlers.is_empty() => {
            Err(format!("event handlers need {shell} to run them: {error}"))
        }
        _ => Ok(()),
    }
}

/// The handlers of an agent; they end when this is dropped.
pub(super) struct Handlers {
    lists: watch::Sender<Vec<Handler>>,
    dropped: Arc<AtomicU64>,
    /// The thread ends when this is dropped,
    stop: oneshot::Sender<()>,
    /// and drops the other end of this when it has killed what ran.
    ended: oneshot::Receiver<()>,
}

impl Handlers {
    /// Runs these, from the next event on.
    ///
    /// # Errors
    /// The system has no thread left for them.
    pub(super) fn start(handle: &Handle, handlers: Vec<Handler>) -> io::Result<Self> {
        let (lists, mut list) = watch::channel(handlers);
        list.mark_changed();
        let dropped = Arc::default();
        let running = Running {
            handle: handle.clone(),
            dropped: Dropped(Arc::clone(&dropped)),
            workers: JoinSet::new(),
            queues: Vec::new(),
        };
        // From now on, not from whenever the thread first runs.
        let streams = (handle.events(), handle.queries());
        let (stop, stopped) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("handlers".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = running.run(streams, list) => {}
                    _ = stopped => {}
                }
            });
            // Kills what still runs.
            drop(runtime);
            drop::<oneshot::Sender<()>>(alive);
        })?;
        Ok(Self { lists, dropped, stop, ended })
    }

    /// Kills what still runs.
    pub(super) async fn finish(self) {
        drop(self.stop);
        // A command that the system cannot begin now, because a disk hangs, is not waited for.
        let _ = time::timeout(LAST_KILLS, self.ended).await;
    }

    /// Where to send the handlers that run from then on.
    pub(super) fn lists(&self) -> watch::Sender<Vec<Handler>> {
        self.lists.clone()
    }

    /// Counts events that were dropped because handlers were too slow, or went.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }
}

/// Events that were dropped because handlers were too slow, or went while some waited.
#[derive(Clone)]
struct Dropped(Arc<AtomicU64>);

impl Dropped {
    fn add(&self, count: u64) {
        let before = self.0.fetch_add(count, Relaxed);
        let now = before + count;
        // Rarer and rarer: a flood of drops must not become one of lines.
        if now.next_power_of_two() != before.next_power_of_two() || before == 0 {
            warn!(
                "{now} events were dropped so far: event handlers are too slow, or were taken away"
            );
        }
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
                // No filter names a kind that is newer than this.
                _ => return None,
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

/// A handler, and what waits for it.
struct Queue {
    handler: Arc<Handler>,
    jobs: mpsc::Sender<Arc<Happened>>,
    /// Its worker starts nothing any more when this is dropped.
    _stays: oneshot::Sender<()>,
}

/// What the task of the handlers owns.
struct Running {
    handle: Handle,
    dropped: Dropped,
    workers: JoinSet<()>,
    queues: Vec<Queue>,
}

impl Running {
    async fn run(
        mut self,
        (mut events, mut queries): (EventStream, QueryStream),
        mut lists: watch::Receiver<Vec<Handler>>,
    ) {
        loop {
            let happened = tokio::select! {
                // What happens after a change is for those who are there after it.
                biased;
                Ok(()) = lists.changed() => {
                    let handlers = lists.borrow_and_update().clone();
                    self.replace(handlers);
                    continue;
                }
                item = events.next() => match item {
                    Some(StreamItem::Missed(missed)) => Err(missed),
                    Some(item) => Ok(Happened::new(item)),
                    None => return,
                },
                item = queries.next() => match item {
                    Some(QueryItem::Query(query)) => Ok(Some(Happened::asked(query))),
                    Some(QueryItem::Missed(missed)) => Err(missed),
                    None => return,
                },
            };
            match happened {
                Ok(Some(happened)) => self.tell(&Arc::new(happened)),
                // Nobody waited for it.
                Err(_) if self.queues.is_empty() => {}
                Err(missed) => self.dropped.add(missed),
                Ok(None) => {}
            }
        }
    }

    /// Those of `handlers` that run go on, others start, and who is not among them ends with the
    /// commands that it runs.
    fn replace(&mut self, handlers: Vec<Handler>) {
        let mut before = std::mem::take(&mut self.queues);
        let mut added = 0;
        for handler in handlers {
            let kept = before.iter().position(|held| *held.handler == handler);
            let queue = match kept {
                Some(kept) => before.swap_remove(kept),
                None => {
                    added += 1;
                    self.begin(handler)
                }
            };
            self.queues.push(queue);
        }
        if added + before.len() > 0 {
            info!("event handlers: {added} begin, {} end", before.len());
        }
        while self.workers.try_join_next().is_some() {}
    }

    fn begin(&mut self, handler: Handler) -> Queue {
        let (sender, jobs) = mpsc::channel(WAITING);
        let (stays, gone) = oneshot::channel();
        let handler = Arc::new(handler);
        let worker = Worker {
            handle: self.handle.clone(),
            handler: Arc::clone(&handler),
            jobs,
            gone,
            dropped: self.dropped.clone(),
        };
        self.workers.spawn(worker.run());
        Queue { handler, jobs: sender, _stays: stays }
    }

    fn tell(&self, happened: &Arc<Happened>) {
        for Queue { handler, jobs, .. } in &self.queues {
            if handler.wants(happened) && jobs.try_send(Arc::clone(happened)).is_err() {
                self.dropped.add(1);
                happened.give_up(Decline::Busy);
            }
        }
        // A query that no handler wants is declined as it is dropped here.
    }
}

/// What the task of one handler owns.
struct Worker {
    handle: Handle,
    handler: Arc<Handler>,
    jobs: mpsc::Receiver<Arc<Happened>>,
    /// Comes when the handler is taken away.
    gone: oneshot::Receiver<()>,
    dropped: Dropped,
}

impl Worker {
    /// Starts commands in the order in which things happened. When the handler is taken away, those
    /// that run go on to their end, and what waits is dropped.
    async fn run(mut self) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut self.gone => break,
                Some(_) = running.join_next() => {}
                Some(happened) = self.jobs.recv(), if running.len() < AT_A_TIME => {
                    let (handle, handler) = (self.handle.clone(), Arc::clone(&self.handler));
                    running.spawn(async move { one(&handle, &handler, &happened).await });
                }
            }
        }
        if !self.jobs.is_empty() {
            self.dropped.add(self.jobs.len() as u64);
        }
        // Queries among them are declined by that.
        drop(self.jobs);
        while running.join_next().await.is_some() {}
    }
}

/// Runs one command to its end, and answers with what it wrote if it was asked.
async fn one(handle: &Handle, handler: &Handler, happened: &Happened) {
    let patience = match &happened.query {
        Some(query) => handler.patience.min(query.time_left()),
        None => handler.patience,
    };
    let command = handler.command.escape_debug();
    let written = match time::timeout(patience, execute(handle, handler, happened)).await {
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
    let Some(query) = happened.query.as_ref().filter(|_| !written.is_empty()) else {
        // Who writes nothing has nothing to say; another handler may.
        return;
    };
    match query.respond(written).await {
        Ok(()) => {}
        Err(RespondError::Refused(error)) => {
            let query_name = query.event().name.escape_debug();
            warn!(query = %query_name, "event handler {command}: {error}");
            happened.give_up(Decline::Failed);
        }
        Err(error) => debug!("event handler {command}: its answer was not sent: {error}"),
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
    let mut command = Command::new(SHELL);
    command.arg("-c").arg(&handler.command).envs(input::environment(handle, happened));
    command.stdin(Stdio::piped()).kill_on_drop(true);
    command.stdout(if asked { Stdio::piped() } else { Stdio::null() });
    #[cfg(unix)]
    command.process_group(0);
    // The system's error does not say of what.
    let unrun = |error| io::Error::other(format!("{SHELL} cannot be run: {error}"));
    let mut child = command.spawn().map_err(unrun)?;
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

#[cfg(test)]
mod tests {
    use super::check;
    use crate::cli::agent::filter::handler;

    #[test]
    fn handlers_without_a_shell_are_refused_and_it_is_named() {
        let one = [handler("user=true").unwrap()];
        let why = check(&one, "/nowhere/sh").unwrap_err();
        assert!(why.contains("/nowhere/sh"), "{why}");
        assert_eq!(check(&[], "/nowhere/sh"), Ok(()), "nobody needs it");
        let there = std::env::current_exe().unwrap();
        assert_eq!(check(&one, there.to_str().unwrap()), Ok(()));
    }
}
