//! `swim top`: the cluster on a screen, live.
//!
//! `feed` brings what is to be shown, `keys` says what keys mean, `state` holds what is shown and
//! where the reader is, `draw` puts it on the screen.

mod draw;
mod feed;
mod keys;
mod state;

use std::io::{IsTerminal, stdin, stdout};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;

use super::client::{Client, Endpoint, Format};
use super::failure::Failure;
use feed::{Feed, News};
use state::State;

/// Show members, events and health on a screen, live; `?` there tells the keys.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Times go on though nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// A flood of events must not become one of pictures.
const BREATH: Duration = Duration::from_millis(30);

/// Shows it until the reader or a signal ends it.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if args.endpoint.format() != Format::Table {
        let message = "swim top draws a screen: `swim members --watch --format json` prints JSON";
        return Err(Failure::Usage(message.to_owned()));
    }
    if !stdin().is_terminal() || !stdout().is_terminal() {
        let message =
            "swim top needs a terminal for input and output: `swim members --watch` prints lines";
        return Err(Failure::Usage(message.to_owned()));
    }
    let client = Client::new(&args.endpoint);
    let mut state = State::new(client.address().to_owned());
    // Who cannot be asked at all is told as every command tells it.
    let (info, members) = *feed::look(&client)?;
    state.see(info, members);
    let feed = feed::start(client)?;
    let mut screen = Screen::open()?;
    let shown = show(&mut screen.0, &mut state, &feed);
    drop(screen);
    shown
}

fn show(terminal: &mut DefaultTerminal, state: &mut State, feed: &Feed) -> Result<(), Failure> {
    let theme = draw::Theme::of_environment();
    let news = &feed.news;
    let mut whole = None;
    loop {
        if state.whole() != whole.as_deref() {
            whole = state.whole().map(str::to_owned);
            // Who asks has ended only if nobody can.
            let _ = feed.shown.send(whole.clone());
        }
        terminal.draw(|frame| draw::all(frame, state, &theme, Instant::now()))?;
        let mut next = news.recv_timeout(TICK).ok();
        let until = Instant::now() + BREATH;
        while let Some(one) = next {
            if !take(state, one, Instant::now()) {
                return Ok(());
            }
            next = news.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
        }
    }
}

/// Takes one thing in; whether to go on.
fn take(state: &mut State, news: News, now: Instant) -> bool {
    match news {
        News::Seen(seen) => {
            let (info, members) = *seen;
            state.see(info, members);
        }
        News::Lost(why) => state.lose(why, now),
        News::Known(name, known) => state.know(name, known),
        News::Event(line) => state.tell(line),
        News::Resized => {}
        News::Key(key) => return keys::action(key, state.typing).is_none_or(|it| state.act(it)),
        News::End => return false,
    }
    true
}

/// The terminal while it is ours; given back as it was when dropped, and by a hook on panics.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> Result<Self, Failure> {
        ratatui::try_init().map(Self).map_err(|error| {
            // Half of it may have been done.
            let _ = ratatui::try_restore();
            Failure::Failed(format!("cannot use this terminal: {error}"))
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // When the terminal is gone, nothing is left to be given back.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}
