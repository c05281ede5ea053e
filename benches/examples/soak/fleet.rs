//! All agents: those that run, and those that are to come.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand_pcg::Pcg32;
use swim_agent::{Handle, Info, MemberInfo, MemberState};
use tokio::sync::mpsc;

use crate::ledger::Ledger;
use crate::life::{Common, Life, Person};

/// Datagrams that are lost at all times, as a share.
pub(crate) const LOSS: f64 = 0.05;
/// The port of all; each has an address of its own.
const PORT: u16 = 7_946;
/// Addresses of all, one after the other and then again: 127.45.1.1 to 127.45.250.250.
const OCTETS: u32 = 250;
/// Seeds that an agent is given.
const SEEDS: usize = 3;
/// One in so many names has a data directory.
const WITH_DIRECTORY: u32 = 3;
/// Seconds until who ended comes back: some before anybody misses them.
const AWAY: std::ops::Range<f64> = 1.0..20.0;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How a life ends, and what comes after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// With a goodbye.
    pub(crate) leaves: bool,
    pub(crate) then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The same name at the same address.
    Back,
    /// The same name elsewhere.
    Moved,
    /// Another name.
    Another,
}

/// Who comes next.
#[derive(Debug)]
struct Coming {
    at: Instant,
    person: Person,
    /// A name that does not come back: somebody may say so.
    gone: Option<String>,
}

/// Whom a life of the past makes room for.
#[derive(Debug)]
pub(crate) struct Over {
    coming: Person,
    gone: Option<String>,
    counted: Counted,
}

/// Counters by their names, summed over agents.
pub(crate) type Counted = BTreeMap<&'static str, u64>;

/// All agents.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) common: Common,
    pub(crate) running: Vec<Life>,
    coming: Vec<Coming>,
    over: mpsc::UnboundedSender<Over>,
    /// Lives that are about to end.
    pub(crate) ending: usize,
    /// Where data directories are.
    pub(crate) root: PathBuf,
    /// Lives so far.
    pub(crate) lives: u32,
    names: u32,
    addresses: u32,
    /// Datagrams that are lost now, as a share.
    loss: f64,
    /// What agents counted that have ended.
    ended: Counted,
}

impl Fleet {
    /// Without agents; data directories are made in `root`.
    pub(crate) fn new(common: Common, root: &Path, over: mpsc::UnboundedSender<Over>) -> Self {
        Self {
            common,
            running: Vec::new(),
            coming: Vec::new(),
            over,
            ending: 0,
            root: root.to_owned(),
            lives: 0,
            names: 0,
            addresses: 0,
            loss: LOSS,
            ended: Counted::new(),
        }
    }

    /// Somebody who was never there before.
    pub(crate) fn newcomer(&mut self, stays: bool) -> Person {
        let number = self.names;
        self.names += 1;
        let name = format!("node-{number:06}");
        let keeps = number.is_multiple_of(WITH_DIRECTORY);
        let directory = keeps.then(|| self.root.join(&name));
        let address = self.address();
        Person { name, address, directory, stays, answers: number.is_multiple_of(2) }
    }

    fn address(&mut self) -> SocketAddr {
        let number = self.addresses;
        self.addresses = (self.addresses + 1) % (OCTETS * OCTETS);
        let octet = |number: u32| (1 + number % OCTETS) as u8;
        (Ipv4Addr::new(127, 45, octet(number / OCTETS), octet(number)), PORT).into()
    }

    /// Begins a life of somebody.
    pub(crate) async fn begin(&mut self, person: Person, dice: &mut Pcg32) -> Result<(), Error> {
        self.lives += 1;
        // Who remembers others finds them without seeds.
        let alone = person.directory.as_ref().is_some_and(|directory| directory.exists());
        let seeds = if alone && dice.random_bool(0.5) { Vec::new() } else { self.seeds(dice) };
        let life = Life::begin(&self.common, person, self.lives, seeds, self.loss).await?;
        self.running.iter().filter(|other| other.cut).for_each(|other| other.part(&life));
        self.running.push(life);
        Ok(())
    }

    /// Addresses of some who run and are not cut off.
    fn seeds(&self, dice: &mut Pcg32) -> Vec<String> {
        let there: Vec<_> = self.running.iter().filter(|life| !life.cut).collect();
        if there.is_empty() {
            return Vec::new();
        }
        let mut one = || there[dice.random_range(0..there.len())].person.address.to_string();
        (0..SEEDS).map(|_| one()).collect()
    }

    /// One who runs and is not cut off, and of those that do not stay if it is to end.
    pub(crate) fn any(&self, dice: &mut Pcg32, may_end: bool) -> Option<usize> {
        let fits = |life: &Life| !(life.cut || may_end && life.person.stays);
        let fitting = |(at, life): (usize, &Life)| fits(life).then_some(at);
        let fitting: Vec<_> = self.running.iter().enumerate().filter_map(fitting).collect();
        (!fitting.is_empty()).then(|| fitting[dice.random_range(0..fitting.len())])
    }

    /// The handle of one who runs and is not cut off.
    pub(crate) fn handle(&self, dice: &mut Pcg32) -> Option<Handle> {
        self.any(dice, false).map(|at| self.running[at].handle.clone())
    }

    /// Ends a life, beside all else; [`over`](Self::over) takes what comes of it.
    pub(crate) fn end(&mut self, at: usize, ending: Ending) {
        let life = self.running.swap_remove(at);
        self.ending += 1;
        self.common.ledger.ending(&life.person.name);
        let gone = (ending.then == Then::Another).then(|| life.person.name.clone());
        let coming = match ending.then {
            Then::Back => life.person.clone(),
            Then::Moved => Person { address: self.address(), ..life.person.clone() },
            Then::Another => self.newcomer(life.person.stays),
        };
        let (over, old) = (self.over.clone(), life.person.directory.clone());
        tokio::spawn(async move {
            let counted = end(life.handle, ending.leaves).await;
            if let (Some(_), Some(directory)) = (&gone, old) {
                // It may have had no time to make one.
                let _ = fs::remove_dir_all(directory);
            }
            // Nobody listens any more when the run is over.
            let _ = over.send(Over { coming, gone, counted });
        });
    }

    /// A life is over: its successor comes after a while.
    pub(crate) fn over(&mut self, over: Over, dice: &mut Pcg32) {
        self.ending -= 1;
        add(&mut self.ended, &over.counted);
        let at = Instant::now() + Duration::from_secs_f64(dice.random_range(AWAY));
        self.coming.push(Coming { at, person: over.coming, gone: over.gone });
    }

    /// When the next one comes.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.coming.iter().map(|coming| coming.at).min()
    }

    /// Begins the lives that are due. Of a name that does not come back, somebody says so now and then.
    pub(crate) async fn come(&mut self, dice: &mut Pcg32) -> Result<(), Error> {
        let now = Instant::now();
        let due: Vec<_> = self.coming.extract_if(.., |coming| coming.at <= now).collect();
        for Coming { person, gone, .. } in due {
            self.begin(person, dice).await?;
            let (says, prune) = (dice.random_bool(0.3), dice.random_bool(0.5));
            if let (Some(name), Some(handle), true) = (gone, self.handle(dice), says) {
                // It may be unknown by now.
                tokio::spawn(async move { drop(handle.force_leave(name, prune).await) });
            }
        }
        Ok(())
    }

    /// Everybody loses so much from now on.
    pub(crate) fn lose(&mut self, loss: f64) {
        self.loss = loss;
        self.running.iter().for_each(|life| life.faults.set_loss(loss));
    }

    /// Cuts `count` agents that are side by side in the list off from all others.
    pub(crate) fn cut(&mut self, first: usize, count: usize) {
        let all = self.running.len();
        for at in (first..first + count).map(|at| at % all) {
            self.running[at].cut = true;
            self.common.ledger.cut(&self.running[at].person.name, true);
        }
        let (cut, others): (Vec<_>, Vec<_>) = self.running.iter().partition(|life| life.cut);
        cut.iter().for_each(|one| others.iter().for_each(|other| one.part(other)));
    }

    /// Ends all cuts.
    pub(crate) fn heal(&mut self) {
        for life in &mut self.running {
            life.faults.unblock_all();
            if std::mem::take(&mut life.cut) {
                self.common.ledger.cut(&life.person.name, false);
            }
        }
    }

    /// Nobody comes any more.
    pub(crate) fn close(&mut self) {
        self.coming.clear();
    }

    /// How all who run are doing.
    pub(crate) async fn infos(&self) -> Vec<Info> {
        let mut infos = Vec::with_capacity(self.running.len());
        for life in &self.running {
            // Who ended by itself is told by its reader.
            infos.extend(life.handle.info().await.ok());
        }
        infos
    }

    /// What all counted, also those that have ended.
    pub(crate) fn counted(&self, infos: &[Info]) -> Counted {
        let mut all = self.ended.clone();
        infos.iter().for_each(|info| add(&mut all, &counted(info)));
        all
    }

    /// The first difference between what agents hold and what is true of those that run.
    pub(crate) fn difference(&self) -> Option<String> {
        let own: Vec<_> = self.running.iter().map(|life| life.handle.members()).collect();
        let own = |at: usize| own[at].local();
        for life in &self.running {
            let (by, held) = (&life.person.name, life.handle.members());
            for at in 0..self.running.len() {
                let (is, name) = (own(at), &own(at).name);
                let Some(member) = held.get(name) else {
                    return Some(format!("{by} does not know {name}"));
                };
                let said =
                    |it: &MemberInfo| (it.state, it.address, it.incarnation, it.metadata.clone());
                if said(member) != said(is) {
                    return Some(format!("{by} holds {member:?}, which is {is:?}"));
                }
            }
            let live = held.count(MemberState::Alive) + held.count(MemberState::Suspect);
            if live != self.running.len() {
                return Some(format!("{by} holds {live} of {} live", self.running.len()));
            }
        }
        None
    }

    /// Ends all, every other one with a goodbye.
    pub(crate) async fn end_all(&mut self) {
        let mut ends = tokio::task::JoinSet::new();
        for (at, life) in self.running.drain(..).enumerate() {
            self.common.ledger.ending(&life.person.name);
            ends.spawn(end(life.handle, at.is_multiple_of(2)));
        }
        for counted in ends.join_all().await {
            add(&mut self.ended, &counted);
        }
    }

    pub(crate) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.common.ledger)
    }
}

/// Ends a life, and says what it counted.
async fn end(handle: Handle, leaves: bool) -> Counted {
    let counted = handle.info().await.map(|info| counted(&info)).unwrap_or_default();
    match leaves {
        // It ended before its goodbye was done, which its reader tells.
        true => drop(handle.leave().await),
        false => handle.shutdown().await,
    }
    counted
}

fn counted(info: &Info) -> Counted {
    let entries = info.counters.entries().chain(info.stats.entries());
    entries.map(|(name, count, _)| (name, count)).collect()
}

fn add(to: &mut Counted, more: &Counted) {
    more.iter().for_each(|(name, count)| *to.entry(name).or_default() += count);
}
