//! What the log says of members. Others decide how much happens to them, and disks are finite: only so
//! many lines at a time.

use std::time::Duration;

use swim_core::{EventKind, MemberEvent, MemberId, MemberState, Reason};
use tokio::time::Instant;

use super::rate::{Bucket, Rate};
use crate::counters::Meter;

/// Lines a second in the long run, and what may come at once, in seconds of these: a cluster of a thousand
/// that starts or is cut in two is logged whole.
const A_SECOND: u32 = 20;
const BURST: Duration = Duration::from_secs(60);

/// How much may be said, and how much was not.
#[derive(Debug, Default)]
pub(super) struct Lines {
    left: Bucket,
    unsaid: u64,
}

impl Lines {
    /// Logs what happened to a member, unless too much did.
    pub(super) fn say(&mut self, event: &MemberEvent, meter: &Meter) {
        if self.take(meter) {
            log(event);
        }
    }

    /// Whether there is room for one more; says how many found none before.
    fn take(&mut self, meter: &Meter) -> bool {
        if !self.left.take(Rate::new(A_SECOND, BURST), Instant::now()) {
            self.unsaid += 1;
            meter.log_lines_dropped.one();
            return false;
        }
        let unsaid = std::mem::take(&mut self.unsaid);
        if unsaid > 0 {
            tracing::warn!(unsaid, "too much happened to members to log all of it");
        }
        true
    }
}

fn log(event: &MemberEvent) {
    let MemberEvent { address, incarnation, .. } = event;
    // Names are a peer's choice: no control character of theirs reaches a terminal.
    let member = event.member.as_str().escape_debug();
    let (kind, reason) = (event.kind.as_str(), event.reason.as_str());
    let named = || event.by.as_ref().map_or("somebody", MemberId::as_str).escape_debug();
    let by = event.by.as_ref().map(|by| tracing::field::display(by.as_str().escape_debug()));
    let was_live = event.old_state.is_some_and(MemberState::is_live);
    match (event.kind, event.old_address) {
        (EventKind::Conflict, other) => {
            let other = other.map(tracing::field::display);
            tracing::warn!(%member, %address, other, incarnation, by, "two agents have this name");
        }
        (EventKind::Refuted, _) if event.reason.is_removal() => {
            let by = named();
            tracing::warn!(
                reason,
                "{by} removed this agent from the cluster; it tells all that it lives"
            );
        }
        (EventKind::Refuted, Some(other)) => {
            tracing::warn!(
                %member, %address, %other, incarnation, by,
                "the name of this agent was claimed from elsewhere: its former life, or another agent"
            );
        }
        (EventKind::Refuted, None) if event.old_state == event.state => {
            let by = named();
            tracing::info!(
                incarnation,
                "{by} held this agent suspect or gone; it tells all that it lives"
            );
        }
        (EventKind::Updated, Some(other)) if was_live => {
            tracing::warn!(
                %member, %address, %other, incarnation, by,
                "a live member is elsewhere now: it restarted there, or another agent has its name"
            );
        }
        (EventKind::Updated, _) if event.reason == Reason::Restarted => {
            tracing::info!(%member, %address, incarnation, by, "member restarted");
        }
        (EventKind::Forgotten | EventKind::Updated, _) if !event.reason.is_removal() => {
            tracing::debug!(%member, %address, incarnation, by, reason, "member {kind}");
        }
        _ => tracing::info!(%member, %address, incarnation, by, reason, "member {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_logged_in_part_and_counted() {
        let (mut lines, meter) = (Lines::default(), Meter::default());
        let mut dropped = |count| {
            let before = meter.read().log_lines_dropped;
            let said = (0..count).filter(|_| lines.take(&meter)).count() as u64;
            assert_eq!(meter.read().log_lines_dropped - before, count - said);
            count - said
        };
        assert_eq!(dropped(1_500), 299);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(dropped(25), 5);
    }
}
