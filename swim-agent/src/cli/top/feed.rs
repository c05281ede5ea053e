//! What comes to `swim top`: answers and events of the agent, keys, signals; each from a thread of
//! its own, through one bounded queue. The threads end with the process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use ratatui::crossterm::event::{self, Event, KeyEvent};
use ratatui::crossterm::terminal::disable_raw_mode;

use super::state::Known;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::signals::{Hangups, Signals};
use crate::cli::{info, monitor};
use crate::http::types::{InfoBody, MembersBody};

/// How often the agent is asked.
const PERIOD: Duration = Duration::from_secs(1);
/// A huge cluster's answer takes longer: then this many times as long is waited as it took.
const EASE: u32 = 4;
/// Events of before that are asked for; an agent that keeps none sends those to come.
const BACKLOG: &str = "/v1/events?backlog=100";
/// How long a signal waits until the terminal has taken its last.
const PATIENCE: Duration = Duration::from_secs(2);
/// What waits to be shown. A full queue holds up the agent's stream, which then tells what is missed.
const QUEUE: usize = 1024;

/// Something to show or to do.
pub(super) enum News {
    /// The agent answered.
    Seen(Box<(InfoBody, MembersBody)>),
    /// It did not.
    Lost(String),
    /// What it knows and remembers of the member of that name, or why it does not say.
    Known(String, Known),
    /// Something happened, in a line.
    Event(String),
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// A signal, or no more keys can come.
    End,
}

/// What comes, and which member to ask about besides.
pub(super) struct Feed {
    pub(super) news: Receiver<News>,
    /// Takes the name of the member that is shown whole, and nothing when none is any more.
    pub(super) shown: Sender<Option<String>>,
}

/// Starts all that feeds the screen.
pub(super) fn start(client: Client) -> Result<Feed, Failure> {
    let (news, receiver) = sync_channel(QUEUE);
    let (shown, names) = channel();
    let client = Arc::new(client);
    let (asker, sender) = (Arc::clone(&client), news.clone());
    spawn("asks", move || while sender.send(ask(&asker)).is_ok() {})?;
    let (asker, sender) = (Arc::clone(&client), news.clone());
    spawn("asks about one", move || ask_about(&asker, &names, &sender))?;
    let (sender, mut last) = (news.clone(), None);
    spawn("listens", move || while listen(&client, &mut last, &sender).is_some() {})?;
    let sender = news.clone();
    spawn("reads keys", move || while sender.send(key()).is_ok() {})?;
    take_signals(news)?;
    Ok(Feed { news: receiver, shown })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(|error| Failure::Failed(format!("cannot start a thread: {error}")))
}

/// What the agent says now, after a while.
fn ask(client: &Client) -> News {
    let started = Instant::now();
    let news = look(client).map_or_else(|failure| News::Lost(why(failure)), News::Seen);
    thread::sleep(PERIOD.max(started.elapsed() * EASE));
    news
}

/// Asks the agent for all that is shown.
pub(super) fn look(client: &Client) -> Result<Box<(InfoBody, MembersBody)>, Failure> {
    let info = client.get("/v1/info", &[])?.parse()?;
    let members = client.get("/v1/members", &[])?.parse()?;
    Ok(Box::new((info, members)))
}

/// Asks about the member that is shown whole, at once and then again and again, until nobody listens.
fn ask_about(client: &Client, names: &Receiver<Option<String>>, news: &SyncSender<News>) {
    let mut shown: Option<String> = None;
    loop {
        match names.recv_timeout(PERIOD) {
            Ok(name) => shown = name,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(name) = &shown else { continue };
        let known = client.get(&info::path(name), &[]).and_then(|body| body.parse().map(Box::new));
        if news.send(News::Known(name.clone(), known.map_err(why))).is_err() {
            return;
        }
    }
}

/// Without what the header says already.
fn why(failure: Failure) -> String {
    match failure {
        Failure::Unreachable { why, .. } => why,
        other => other.to_string(),
    }
}

/// Tells what happens after the event whose id is `last` until the stream ends, and waits a while; `None`
/// when nobody listens.
fn listen(client: &Client, last: &mut Option<String>, news: &SyncSender<News>) -> Option<()> {
    if let Ok(lines) = client.lines(BACKLOG, last.as_deref()) {
        let (mut data, mut id) = (None, None);
        for line in lines.map_while(Result::ok) {
            match line.split_once(':') {
                Some(("data", text)) => data = Some(text.trim_start().to_owned()),
                Some(("id", text)) => id = Some(text.trim_start().to_owned()),
                Some(_) => {}
                // An empty line ends an event; one that broke off before comes again.
                None => {
                    if let Some(data) = data.take() {
                        let line = monitor::readable(&data).unwrap_or_else(|why| why.to_string());
                        news.send(News::Event(strip_str(&line).to_string())).ok()?;
                    }
                    *last = id.take().or_else(|| last.take());
                }
            }
        }
    }
    thread::sleep(PERIOD);
    Some(())
}

fn key() -> News {
    loop {
        match event::read() {
            Ok(Event::Key(key)) => return News::Key(key),
            Ok(Event::Resize(..)) => return News::Resized,
            Ok(_) => {}
            Err(_) => return News::End,
        }
    }
}

/// Takes over what asks for the end, so that the terminal is given back first.
fn take_signals(news: SyncSender<News>) -> Result<(), Failure> {
    let failed = |error| Failure::Failed(format!("cannot take signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let entered = runtime.enter();
    let (mut signals, mut hangups) =
        (Signals::new().map_err(failed)?, Hangups::new().map_err(failed)?);
    drop(entered);
    spawn("takes signals", move || {
        runtime.block_on(async {
            tokio::select! {
                _ = signals.next() => {}
                () = hangups.next() => {}
            }
        });
        // An error says that it ends already, or that the queue is full.
        let _ = news.try_send(News::End);
        thread::sleep(PATIENCE);
        // A terminal that takes nothing any more keeps the screen from being given back, but must
        // not keep the process.
        let _ = disable_raw_mode();
        std::process::exit(0);
    })
}
