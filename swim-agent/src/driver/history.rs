//! What this node remembers of its members: bounded for each of them, and for all together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::SystemTime;

use swim_core::{EventKind, MemberEvent, MemberId, MemberState, ProbeReport, Reason};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::Instant;

use super::Driver;
use crate::contact::StreamContact;
use crate::event::Event;
use crate::history::{FailedProbe, Incident, RelayReport};

/// Incidents kept of one member.
const OF_ONE: usize = 16;
/// Incidents kept of all; some 300 bytes each.
const OF_ALL: usize = 4_096;

/// The latest incidents, numbered as they came.
#[derive(Debug, Default)]
pub(super) struct History {
    incidents: BTreeMap<u64, Incident>,
    by_name: HashMap<String, VecDeque<u64>>,
    next: u64,
}

impl History {
    /// Remembers what happened, unless it is only metadata that changed, or a newcomer: a mass join
    /// would push out all else.
    pub(super) fn happened(&mut self, event: &Event) {
        let notable = event.old_address.is_some() || event.reason == Reason::Restarted;
        let only_metadata = event.kind == EventKind::Updated && !notable;
        let newcomer = event.old_state.is_none() && event.state == Some(MemberState::Alive);
        if !only_metadata && !newcomer {
            self.push(Incident::Event(Event { changed: BTreeMap::new(), ..event.clone() }));
        }
    }

    /// Remembers an incident; the oldest one of its member, or of all, makes room. O(log n).
    pub(super) fn push(&mut self, incident: Incident) {
        let of_one = self.by_name.entry(incident.name().to_owned()).or_default();
        of_one.push_back(self.next);
        if of_one.len() > OF_ONE
            && let Some(oldest) = of_one.pop_front()
        {
            self.incidents.remove(&oldest);
        }
        self.incidents.insert(self.next, incident);
        self.next += 1;
        if self.incidents.len() > OF_ALL
            && let Some((_, oldest)) = self.incidents.pop_first()
            && let Some(of_one) = self.by_name.get_mut(oldest.name())
        {
            of_one.pop_front();
            if of_one.is_empty() {
                self.by_name.remove(oldest.name());
            }
        }
    }

    /// Of one member, the latest first.
    pub(super) fn of(&self, name: &str) -> Vec<Incident> {
        let numbers = self.by_name.get(name).into_iter().flatten().rev();
        numbers.filter_map(|number| self.incidents.get(number).cloned()).collect()
    }

    /// The latest accusations of anybody, and what was said of `own`, the latest first. O(4,096).
    pub(super) fn accusations(&self, own: &str, most: usize) -> Vec<Incident> {
        let accuses = |incident: &&Incident| match incident {
            Incident::Event(event) => is_accusation(event) || event.name == own,
            Incident::ProbeFailed(_) => false,
        };
        self.incidents.values().rev().filter(accuses).take(most).cloned().collect()
    }
}

/// Whether somebody has spoken against a member.
fn is_accusation(event: &Event) -> bool {
    let by_another = event.by.as_ref().is_some_and(|by| *by != event.name);
    match event.kind {
        EventKind::Suspected | EventKind::Died | EventKind::Conflict => true,
        EventKind::Left | EventKind::Forgotten => by_another && event.reason.is_removal(),
        _ => event.state == Some(MemberState::Suspect),
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Takes down what happened to a member.
    pub(super) fn happened(&mut self, event: MemberEvent) {
        if event.reason.is_removal() {
            self.joins.rejoin.forget(event.member.as_str());
        }
        if event.kind == EventKind::Joined || event.reason == Reason::Restarted {
            self.contacts.renewed(&event.address);
        }
        self.lines.say(&event, &self.meter);
        self.view.happened(event);
    }

    /// Takes down by which ways a member was probed in vain.
    pub(super) fn probe_failed(&mut self, report: ProbeReport) {
        let now = Instant::now().into_std();
        let at = self.protocol.member(&report.member).map(|member| member.address);
        let stream = at.and_then(|at| self.contacts.of(&at, now).stream);
        self.view.probe_failed(failed_probe(report, stream));
    }
}

/// What the protocol says of a failed probe, and what is known of the stream that was tried.
fn failed_probe(report: ProbeReport, stream: Option<StreamContact>) -> FailedProbe {
    let ProbeReport { member, pings, asked, relays, by_stream, silence, .. } = report;
    let relay = |(name, nacked): (MemberId, bool)| RelayReport { name: name.0, nacked };
    FailedProbe {
        name: member.0,
        time: SystemTime::now(),
        pings,
        asked,
        relays: relays.into_iter().map(relay).collect(),
        stream: stream.filter(|stream| by_stream && stream.ago <= asked),
        by_stream,
        silence,
        moment: Instant::now(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failed(name: String, number: usize) -> Incident {
        Incident::ProbeFailed(FailedProbe {
            name,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64),
            pings: Vec::new(),
            asked: Duration::ZERO,
            relays: Vec::new(),
            stream: None,
            by_stream: false,
            silence: false,
            moment: Instant::now(),
        })
    }

    #[test]
    fn the_latest_of_each_member_are_kept_and_not_too_many_of_all() {
        let mut history = History::default();
        for number in 0..100 {
            history.push(failed("often".to_owned(), number));
        }
        let kept = history.of("often");
        assert_eq!(kept.len(), OF_ONE);
        assert_eq!(
            kept[0].time(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(99),
            "the latest first"
        );
        for number in 0..2 * OF_ALL {
            history.push(failed(format!("n{number}"), number));
            assert!(history.incidents.len() <= OF_ALL);
        }
        assert!(history.of("often").is_empty() && history.of("n0").is_empty());
        assert_eq!(history.by_name.len(), OF_ALL, "names do not pile up");
        assert_eq!(history.of(&format!("n{OF_ALL}")).len(), 1);
    }
}
