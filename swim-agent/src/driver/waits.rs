//! Joins that users wait for: until one of those whom they named answers, or all do, and for a few seconds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::command::Target;
use crate::error::{JoinError, Joined, Unanswered};

/// How long a user waits for the outcome.
const PATIENCE: Duration = Duration::from_secs(5);

type Reply = oneshot::Sender<Result<Joined, JoinError>>;

/// A join that a user waits for.
#[derive(Debug)]
struct Waiting {
    targets: Vec<Target>,
    /// Whether to wait for all of them, and not only for the first that answers.
    all: bool,
    /// What went wrong at an address last.
    failures: Vec<(SocketAddr, String)>,
    /// Addresses that are not worth waiting for any more: those that answered, and those that failed.
    answered: Vec<SocketAddr>,
    failed: Vec<SocketAddr>,
    until: Instant,
    reply: Reply,
}

/// All that users wait for.
#[derive(Debug)]
pub(super) struct Waits {
    own: SocketAddr,
    waiting: Vec<Waiting>,
}

impl Waits {
    pub(super) fn new(own: SocketAddr) -> Self {
        Self { own, waiting: Vec::new() }
    }

    /// When to call [`expire`](Self::expire) next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }

    /// Who may still answer.
    pub(super) fn open(&self) -> impl Iterator<Item = SocketAddr> {
        self.waiting.iter().flat_map(Waiting::open)
    }

    /// A user waits for an answer through `targets`, or for that of `all` of them. False when it was
    /// refused at once.
    pub(super) fn begin(
        &mut self,
        targets: Vec<Target>,
        all: bool,
        reply: Reply,
        now: Instant,
    ) -> bool {
        let own = self.own;
        let mut addresses = targets.iter().flat_map(|target| target.resolved.iter().flatten());
        let hopeless = addresses.all(|&address| address == own);
        let waiting = Waiting {
            targets,
            all,
            failures: Vec::new(),
            answered: Vec::new(),
            failed: Vec::new(),
            until: now + PATIENCE,
            reply,
        };
        if hopeless {
            waiting.finish(own);
            return false;
        }
        self.waiting.push(waiting);
        true
    }

    /// Somebody answered with all members. Says whether others are still to be asked.
    pub(super) fn answered(&mut self, from: SocketAddr) -> bool {
        self.of(from).for_each(|waiting| waiting.answered.push(from));
        self.finish_those(Waiting::is_done);
        !self.waiting.is_empty()
    }

    /// A request to `to` brought no answer. Says whether the rest is to be asked instead.
    pub(super) fn failed(&mut self, to: SocketAddr) -> bool {
        self.of(to).for_each(|waiting| waiting.failed.push(to));
        self.finish_those(Waiting::is_done)
    }

    /// A request to `to` could not be made, or brought no answer, and why.
    pub(super) fn withheld(&mut self, to: SocketAddr, why: &str) {
        for waiting in self.of(to) {
            waiting.failures.retain(|(address, _)| *address != to);
            waiting.failures.push((to, why.to_owned()));
        }
    }

    /// Ends the waiting of those whose time is over. Says whether the rest is to be asked instead.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        self.finish_those(|waiting| waiting.until <= now || waiting.reply.is_closed())
    }

    /// Nobody joins any more: this node is leaving.
    pub(super) fn leave(&mut self) {
        for waiting in self.waiting.drain(..) {
            let _ = waiting.reply.send(Err(JoinError::Leaving));
        }
    }

    /// Who waits for an answer from there.
    fn of(&mut self, address: SocketAddr) -> impl Iterator<Item = &mut Waiting> {
        self.waiting.iter_mut().filter(move |waiting| waiting.wants(address))
    }

    fn finish_those(&mut self, over: impl Fn(&Waiting) -> bool) -> bool {
        let over: Vec<Waiting> = self.waiting.extract_if(.., |waiting| over(waiting)).collect();
        let any = !over.is_empty();
        for waiting in over {
            waiting.finish(self.own);
        }
        any
    }
}

impl Waiting {
    fn wants(&self, address: SocketAddr) -> bool {
        self.targets
            .iter()
            .flat_map(|target| target.resolved.iter().flatten())
            .any(|&held| held == address)
    }

    /// The addresses that may still answer.
    fn open(&self) -> impl Iterator<Item = SocketAddr> {
        let all = self.targets.iter().flat_map(|target| target.resolved.iter().flatten());
        let over =
            |address: &SocketAddr| self.answered.contains(address) || self.failed.contains(address);
        all.copied().filter(move |address| !over(address))
    }

    /// Whether there is nothing more to wait for.
    fn is_done(&self) -> bool {
        let first = !self.all && !self.answered.is_empty();
        first || self.open().next().is_none()
    }

    /// Whether somebody answered at one of a target's addresses.
    fn has_answered(&self, target: &Target) -> bool {
        target.resolved.iter().flatten().any(|address| self.answered.contains(address))
    }

    fn finish(self, own: SocketAddr) {
        let (answered, silent): (Vec<&Target>, _) =
            self.targets.iter().partition(|target| self.has_answered(target));
        let unanswered = silent.into_iter().map(|target| Unanswered {
            why: why(target, &self.failures, own),
            address: target.given.clone(),
        });
        let (answered, unanswered) = (answered.len(), unanswered.collect());
        let result = match answered {
            0 => Err(JoinError::Unanswered(unanswered)),
            _ => Ok(Joined { answered, unanswered }),
        };
        // An error says that the user has stopped waiting.
        let _ = self.reply.send(result);
    }
}

/// What went wrong with one target, in words.
fn why(target: &Target, failures: &[(SocketAddr, String)], own: SocketAddr) -> String {
    let addresses = match &target.resolved {
        Ok(addresses) => addresses,
        Err(why) => return why.clone(),
    };
    let reason = |address: &SocketAddr| {
        let failure = failures.iter().find(|(failed, _)| failed == address);
        match failure {
            _ if *address == own => "it is this agent itself".to_owned(),
            Some((_, why)) => why.clone(),
            None => format!("no answer within {} s", PATIENCE.as_secs()),
        }
    };
    match addresses.as_slice() {
        [only] => reason(only),
        several => {
            let each = several.iter().map(|address| format!("{address}: {}", reason(address)));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}
