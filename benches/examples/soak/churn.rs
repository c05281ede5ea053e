//! What befalls the agents, drawn from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::arguments::Arguments;
use crate::fleet::{Ending, Fleet, LOSS, Over, Then};
use crate::life;
use crate::replay::Replay;
use crate::sample::Sample;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Agents that are started at a time, and the pause between.
const AT_A_TIME: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// Datagrams lost in a burst of loss, as a share.
const MUCH_LOSS: f64 = 0.2;
/// Measurements of which one is told while the run goes on.
const TOLD_EVERY: usize = 12;
/// Times as many events as usual in the first quarter: what agents remember of those, 32,768 at most, is
/// to be full by its end.
const FILLS: f64 = 20.0;
/// Bytes of an event.
const EVENT: usize = 64;
/// Bytes of one that does not fit a datagram, which each agent fetches by stream, and of how many
/// events one is so.
const LARGE: usize = 4_096;
const OF: usize = 100;
/// What agents say of themselves, and how many values each has.
const KEYS: [&str; 4] = ["load", "zone", "version", "note"];
const VALUES: u32 = 1_000;

/// Something that happens again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// An agent ends.
    End,
    /// An agent says something else of itself.
    Metadata,
    /// A user tells all something.
    Event,
    /// A user asks all something.
    Query,
    /// Everybody loses more, for a while.
    Burst,
    Calm,
    /// Some are cut off, for a while.
    Cut,
    Heal,
    /// All is measured.
    Measure,
}

/// The run of a fleet.
pub(crate) struct Churn {
    pub(crate) fleet: Fleet,
    pub(crate) samples: Vec<Sample>,
    arguments: Arguments,
    replay: Replay,
    dice: Pcg32,
    agenda: BinaryHeap<Reverse<(Instant, Deed)>>,
    over: mpsc::UnboundedReceiver<Over>,
    started: Instant,
    events: u64,
    queries: u64,
}

impl Churn {
    pub(crate) fn new(
        arguments: &Arguments,
        replay: Replay,
        fleet: Fleet,
        over: mpsc::UnboundedReceiver<Over>,
    ) -> Self {
        // Room for all, so that it does not grow while memory is measured.
        let samples = arguments.seconds as usize + 1;
        Self {
            fleet,
            samples: Vec::with_capacity(samples.min(4_096)),
            arguments: arguments.clone(),
            replay,
            dice: Pcg32::seed_from_u64(arguments.seed),
            agenda: BinaryHeap::new(),
            over,
            started: Instant::now(),
            events: 0,
            queries: 0,
        }
    }

    /// Starts all agents.
    pub(crate) async fn start(&mut self) -> Result<(), Error> {
        for number in 0..self.arguments.agents {
            let person = self.fleet.newcomer(number < self.arguments.stayers());
            self.fleet.begin(person, &mut self.dice).await?;
            if number % AT_A_TIME == AT_A_TIME - 1 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Lets happen what is to happen, until the time is over.
    pub(crate) async fn run(&mut self) -> Result<(), Error> {
        self.started = Instant::now();
        let end = self.started + self.arguments.time();
        use Deed::{Burst, Cut, End, Event, Measure, Metadata, Query};
        for deed in [End, Metadata, Event, Query, Burst, Cut, Measure] {
            self.again(deed);
        }
        loop {
            let deed = self.agenda.peek().map_or(end, |Reverse((at, _))| *at);
            let next = self.fleet.next().map_or(deed, |coming| coming.min(deed)).min(end);
            tokio::select! {
                () = sleep_until(next.into()) => {}
                Some(over) = self.over.recv() => self.fleet.over(over, &mut self.dice),
            }
            let now = Instant::now();
            if now >= end {
                break;
            }
            self.fleet.come(&mut self.dice).await?;
            if deed <= now
                && let Some(Reverse((_, deed))) = self.agenda.pop()
            {
                self.does(deed).await;
            }
        }
        self.fleet.lose(LOSS);
        self.fleet.heal();
        Ok(())
    }

    /// Waits until those that are about to end have, and lets nobody else come.
    pub(crate) async fn close(&mut self) {
        while self.fleet.ending > 0
            && let Some(over) = self.over.recv().await
        {
            self.fleet.over(over, &mut self.dice);
        }
        self.fleet.close();
    }

    /// When a deed comes again: by chance where many do it independently of each other.
    fn again(&mut self, deed: Deed) {
        let arguments = &self.arguments;
        let movable = self.fleet.running.iter().filter(|life| !life.person.stays).count();
        let drawn = self.dice.random::<f64>();
        let chance = |mean: f64| -mean * (1.0 - drawn).ln();
        // In a short run there is some of everything, too.
        let part = |parts: f64, most: f64| (arguments.seconds as f64 / parts).clamp(1.0, most);
        let fills = if self.fills() { FILLS } else { 1.0 };
        let seconds = match deed {
            Deed::End => chance(arguments.life / movable.max(1) as f64),
            Deed::Metadata => chance(200.0 / arguments.agents as f64),
            Deed::Event => chance(1.0 / (fills * arguments.events).max(1e-6)),
            Deed::Query => chance(part(40.0, 10.0)),
            Deed::Burst | Deed::Cut => chance(part(5.0, 90.0)),
            Deed::Calm | Deed::Heal => chance(part(12.0, 10.0)),
            Deed::Measure => arguments.pause().as_secs_f64(),
        };
        let at = Instant::now() + Duration::from_secs_f64(seconds.min(1e6));
        self.agenda.push(Reverse((at, deed)));
    }

    /// Whether what agents remember is being filled.
    fn fills(&self) -> bool {
        self.started.elapsed() < self.arguments.time() / 4
    }

    async fn does(&mut self, deed: Deed) {
        let next = match deed {
            Deed::Burst => Deed::Calm,
            Deed::Calm => Deed::Burst,
            Deed::Cut => Deed::Heal,
            Deed::Heal => Deed::Cut,
            other => other,
        };
        self.again(next);
        match deed {
            Deed::End => self.end(),
            Deed::Metadata => self.metadata(),
            Deed::Event => self.event(),
            Deed::Query => self.query(),
            Deed::Burst => self.fleet.lose(MUCH_LOSS),
            Deed::Calm => self.fleet.lose(LOSS),
            Deed::Cut => self.cut(),
            Deed::Heal => self.fleet.heal(),
            Deed::Measure => self.measure().await,
        }
    }

    /// Three in five crash; two in three come back under their name, one of those elsewhere.
    fn end(&mut self) {
        let Some(at) = self.fleet.any(&mut self.dice, true) else { return };
        let then = match self.dice.random_range(0..100) {
            0..45 => Then::Back,
            45..65 => Then::Moved,
            _ => Then::Another,
        };
        self.fleet.end(at, Ending { leaves: self.dice.random_bool(0.4), then });
    }

    fn metadata(&mut self) {
        let Some(handle) = self.fleet.handle(&mut self.dice) else { return };
        let key = KEYS[self.dice.random_range(0..KEYS.len())];
        let value = self.dice.random_range(0..VALUES).to_string();
        let removed = self.dice.random_bool(0.2);
        tokio::spawn(async move {
            // It may be about to end.
            let _ = match removed {
                true => handle.change_metadata([].into(), vec![key.to_owned()]).await,
                false => handle.update_metadata(key, value).await,
            };
        });
    }

    fn event(&mut self) {
        let Some(at) = self.fleet.any(&mut self.dice, false) else { return };
        let life = &self.fleet.running[at];
        let (handle, by, ledger) = (life.handle.clone(), life.number, self.fleet.ledger());
        let large = self.dice.random_range(0..OF) == 0;
        let len = match large {
            // As many bytes as later on, but no crowd of streams.
            _ if self.fills() => EVENT + LARGE / OF,
            true => LARGE,
            false => EVENT,
        };
        let mut payload = vec![0; len];
        let number = self.events;
        payload[..8].copy_from_slice(&number.to_be_bytes());
        self.events += 1;
        tokio::spawn(async move {
            ledger.tells(number, by, Instant::now());
            if handle.send_event("soak", payload).await.is_err() {
                ledger.untold(number);
            }
        });
    }

    fn query(&mut self) {
        let Some(handle) = self.fleet.handle(&mut self.dice) else { return };
        self.queries += 1;
        tokio::spawn(life::ask(handle, self.queries.is_multiple_of(2), self.fleet.ledger()));
    }

    /// One in fifty, and one at least.
    fn cut(&mut self) {
        let all = self.fleet.running.len();
        if all > 2 {
            let first = self.dice.random_range(0..all);
            let count = self.dice.random_range(1..=all.div_ceil(50));
            self.fleet.cut(first, count);
        }
    }

    async fn measure(&mut self) {
        self.fleet.ledger().settle(Instant::now());
        let infos = self.fleet.infos().await;
        let sample = Sample::take(self.started.elapsed(), &self.fleet, &self.replay, &infos);
        if self.samples.len().is_multiple_of(TOLD_EVERY) {
            sample.tell();
        }
        if self.samples.len() < self.samples.capacity() {
            self.samples.push(sample);
        }
    }
}
