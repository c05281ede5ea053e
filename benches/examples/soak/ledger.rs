//! What is true of the agents, and what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use swim_agent::{Event, EventKind, StreamItem};

/// What is said while or so long after somebody was cut off is put down to that.
const AFTER_A_CUT: Duration = Duration::from_secs(30);
/// How long an event may take to reach all.
const TOLD: Duration = Duration::from_secs(20);
/// Who began or was cut off so shortly before an event need not hear it.
const NEWCOMER: Duration = Duration::from_secs(10);
/// Events that are waited for; more than are told in [`TOLD`].
const WAITING: usize = 10_000;
/// Sentences kept of what went wrong.
const SENTENCES: usize = 20;

/// What is true of an agent that runs, or did lately.
#[derive(Debug)]
struct Truth {
    life: u32,
    since: Instant,
    ending: bool,
    /// When it ended; what it said is heard for a while.
    over: Option<Instant>,
    cut: Cut,
}

/// Whether an agent is cut off from others.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Never,
    Now,
    Until(Instant),
}

impl Cut {
    /// Whether it was, at `time` or less than `before` that.
    fn touches(self, time: Instant, before: Duration) -> bool {
        match self {
            Self::Never => false,
            Self::Now => true,
            Self::Until(end) => end + before > time,
        }
    }
}

impl Truth {
    /// Whether it was there for all of an event's time.
    fn had_to_hear(&self, told: Instant) -> bool {
        let is_new = self.since + NEWCOMER > told;
        !(self.ending || is_new || self.cut.touches(told, NEWCOMER))
    }
}

/// An event of a user on its way.
#[derive(Debug)]
struct Told {
    at: Instant,
    by: u32,
    heard: BTreeSet<u32>,
}

/// Counts of what agents said. All only grow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Times that somebody suspected an agent that ran, was not cut off, and nor was who suspected it.
    pub(crate) suspicions: u64,
    /// Times that somebody held such a one dead, or gone.
    pub(crate) false_deaths: u64,
    /// Times that an agent that ran was held dead because of a cut.
    pub(crate) cut_deaths: u64,
    /// Times that somebody held an agent dead.
    pub(crate) deaths: u64,
    /// Times that two claims to a name were seen.
    pub(crate) conflicts: u64,
    /// Deliveries of events, to agents that had to hear them.
    pub(crate) delivered: u64,
    /// Those that were missed.
    pub(crate) missed: u64,
    /// Events that came to an agent a second time.
    pub(crate) twice: u64,
    /// Events that a reader lost because it was too slow.
    pub(crate) unread: u64,
    /// Agents that ended without being told to.
    pub(crate) ended_alone: u64,
    /// Times that one was asked something who had to hear it, and those that were answered.
    pub(crate) asked: u64,
    pub(crate) answered: u64,
    /// What went wrong, the first times.
    pub(crate) sentences: Vec<String>,
}

#[derive(Debug, Default)]
struct Book {
    agents: BTreeMap<String, Truth>,
    told: BTreeMap<u64, Told>,
    tally: Tally,
}

/// Shared by who runs the agents and those who read what they say.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Book>);

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent of this name begins its life of that number, which is its boot epoch too.
    pub(crate) fn begins(&self, name: &str, life: u32, now: Instant) {
        let mut book = self.book();
        // What its former life said while it was cut off is still about.
        let cut = book.agents.get(name).map_or(Cut::Never, |before| before.cut);
        let truth = Truth { life, since: now, ending: false, over: None, cut };
        book.agents.insert(name.to_owned(), truth);
    }

    /// It is about to end.
    pub(crate) fn ending(&self, name: &str) {
        if let Some(truth) = self.book().agents.get_mut(name) {
            truth.ending = true;
        }
    }

    /// It is cut off, or is no longer.
    pub(crate) fn cut(&self, name: &str, is: bool) {
        if let Some(truth) = self.book().agents.get_mut(name) {
            truth.cut = if is { Cut::Now } else { Cut::Until(Instant::now()) };
        }
    }

    /// A life is over, told so or not.
    pub(crate) fn over(&self, name: &str, life: u32) {
        let mut book = self.book();
        let Book { agents, tally, .. } = &mut *book;
        let Some(truth) = agents.get_mut(name).filter(|truth| truth.life == life) else { return };
        if !truth.ending {
            tally.ended_alone += 1;
            tally.say(|| format!("{name} ended by itself"));
        }
        (truth.ending, truth.over) = (true, Some(Instant::now()));
    }

    /// An event of that number is told.
    pub(crate) fn tells(&self, number: u64, life: u32, now: Instant) {
        let told = Told { at: now, by: life, heard: BTreeSet::new() };
        let mut book = self.book();
        book.told.insert(number, told);
        while book.told.len() > WAITING {
            book.told.pop_first();
        }
    }

    /// It is not, after all.
    pub(crate) fn untold(&self, number: u64) {
        self.book().told.remove(&number);
    }

    /// Whoever has had time to hear an event has heard it, or missed it.
    pub(crate) fn settle(&self, now: Instant) {
        let mut book = self.book();
        let Book { agents, told, tally } = &mut *book;
        agents.retain(|_, truth| truth.over.is_none_or(|over| over + AFTER_A_CUT > now));
        let due = |told: &Told| now.saturating_duration_since(told.at) > TOLD;
        while told.first_key_value().is_some_and(|(_, told)| due(told)) {
            let Some((number, told)) = told.pop_first() else { return };
            // Who told it may have ended before anybody heard of it.
            if !agents.values().any(|truth| truth.life == told.by && truth.had_to_hear(told.at)) {
                continue;
            }
            for (name, truth) in agents.iter().filter(|(_, truth)| truth.had_to_hear(told.at)) {
                match told.heard.contains(&truth.life) {
                    true => tally.delivered += 1,
                    false => {
                        tally.missed += 1;
                        tally.say(|| format!("{name} missed event {number}"));
                    }
                }
            }
        }
    }

    /// What an agent says.
    pub(crate) fn said(&self, by: (&str, u32), item: StreamItem) {
        let mut book = self.book();
        match item {
            StreamItem::Event(event) => book.of_member(by.0, &event),
            StreamItem::User(event) => {
                let number = event.payload.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                let told = number.and_then(|number| book.told.get_mut(&number));
                let twice = told.is_some_and(|told| !told.heard.insert(by.1));
                book.tally.twice += u64::from(twice);
            }
            StreamItem::Missed(count) => book.tally.unread += count,
            _ => {}
        }
    }

    /// Members were asked at some time, and did or did not answer: those count that run and have run all
    /// the time, and so is who asked.
    pub(crate) fn asked<'a>(
        &self,
        at: Instant,
        by: &str,
        members: impl Iterator<Item = (&'a str, bool)>,
    ) {
        let mut book = self.book();
        let Book { agents, tally, .. } = &mut *book;
        let there = |name: &str| agents.get(name).is_some_and(|truth| truth.had_to_hear(at));
        if there(by) {
            for (_, answered) in members.filter(|(name, _)| there(name)) {
                tally.asked += 1;
                tally.answered += u64::from(answered);
            }
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.book().tally.clone()
    }
}

impl Book {
    /// Whether this is wrong, what an agent says of another, and whose fault.
    fn of_member(&mut self, by: &str, event: &Event) {
        let gone = match event.kind {
            EventKind::Suspected => false,
            EventKind::Died | EventKind::Left => true,
            EventKind::Conflict => {
                self.tally.conflicts += 1;
                return;
            }
            _ => return,
        };
        self.tally.deaths += u64::from(event.kind == EventKind::Died);
        let now = Instant::now();
        // The upper half of an incarnation is the boot epoch: what is said of a former life is no mistake.
        let runs =
            |truth: &&Truth| u64::from(truth.life) == event.incarnation >> 32 && !truth.ending;
        let Some(subject) = self.agents.get(&event.name).filter(runs) else { return };
        let touched = |truth: &Truth| truth.cut.touches(now, AFTER_A_CUT);
        let is_cut = |name: &str| self.agents.get(name).is_some_and(touched);
        let accuser = event.by.as_deref().unwrap_or(by);
        let excused = touched(subject) || is_cut(by) || is_cut(accuser);
        let age = now.saturating_duration_since(subject.since).as_secs();
        let tally = &mut self.tally;
        match (gone, excused) {
            (false, false) => tally.suspicions += 1,
            (false, true) => {}
            (true, true) => tally.cut_deaths += 1,
            (true, false) => {
                tally.false_deaths += 1;
                let (name, kind, reason) = (&event.name, event.kind.as_str(), event.reason);
                tally.say(|| {
                    format!("{by} holds {name} {kind} by {accuser} ({reason:?}), which runs since {age} s")
                });
            }
        }
    }
}

impl Tally {
    /// Keeps a sentence, if there is room.
    fn say(&mut self, sentence: impl FnOnce() -> String) {
        if self.sentences.len() < SENTENCES {
            self.sentences.push(sentence());
        }
    }
}
