//! The prototype's names of timers: how a [`Timer`] reads at the face.

use super::card::Card;
use super::directory::Directory;
use crate::engine::{MemberIdx, Timer};
use crate::member::MemberId;

const PROBE: &str = "probe_timeout_";
const PING_AGAIN: &str = "ping_again_";
const SUSPICION: &str = "suspicion_timeout_";
const CLEANUP: &str = "cleanup_";
const VOUCH: &str = "vouch_";
const VERIFY: &str = "verify_";
const RELAY: &str = "relay_";

/// The name of a timer; `None` for those that a caller of named timers does not keep.
pub(super) fn name(timer: Timer, cards: &[Card]) -> Option<String> {
    let of = |prefix: &str, member: MemberIdx| {
        let member = cards.get(member.0 as usize).and_then(Card::member)?;
        Some(format!("{prefix}{}", member.id))
    };
    match timer {
        Timer::Period => None,
        Timer::Gossip => Some("gossip".into()),
        Timer::Spread => Some("spread".into()),
        Timer::Fetch => Some("fetch".into()),
        Timer::HeldBack => Some("held_back".into()),
        Timer::Sync => Some("anti_entropy".into()),
        Timer::Healing => Some("healing".into()),
        Timer::Join => Some("join".into()),
        Timer::Leave => Some("leave".into()),
        Timer::Probe(member) => of(PROBE, member),
        Timer::PingAgain(member) => of(PING_AGAIN, member),
        Timer::Suspicion(member) => of(SUSPICION, member),
        Timer::Cleanup(member) => of(CLEANUP, member),
        Timer::Vouch(member) => of(VOUCH, member),
        Timer::Verify(member) => of(VERIFY, member),
        Timer::Relay(seq) => Some(format!("{RELAY}{seq}")),
    }
}

/// The timer of a name; `None` if it names nothing that exists.
pub(super) fn parse(name: &str, directory: &Directory, cards: &[Card]) -> Option<Timer> {
    let of = |id: &str| directory.find(cards, &MemberId::from(id));
    match name {
        "gossip" => return Some(Timer::Gossip),
        "spread" => return Some(Timer::Spread),
        "fetch" => return Some(Timer::Fetch),
        "held_back" => return Some(Timer::HeldBack),
        "anti_entropy" => return Some(Timer::Sync),
        "healing" => return Some(Timer::Healing),
        "join" => return Some(Timer::Join),
        "leave" => return Some(Timer::Leave),
        _ => {}
    }
    if let Some(id) = name.strip_prefix(PROBE) {
        of(id).map(Timer::Probe)
    } else if let Some(id) = name.strip_prefix(PING_AGAIN) {
        of(id).map(Timer::PingAgain)
    } else if let Some(id) = name.strip_prefix(SUSPICION) {
        of(id).map(Timer::Suspicion)
    } else if let Some(id) = name.strip_prefix(CLEANUP) {
        of(id).map(Timer::Cleanup)
    } else if let Some(id) = name.strip_prefix(VOUCH) {
        of(id).map(Timer::Vouch)
    } else if let Some(id) = name.strip_prefix(VERIFY) {
        of(id).map(Timer::Verify)
    } else {
        name.strip_prefix(RELAY)?.parse().ok().map(Timer::Relay)
    }
}
