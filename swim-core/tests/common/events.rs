//! Events that a lone node hears, and what it says of them.

use super::id;
use super::lone::Lone;
use swim_core::{
    GossipMessage, Mechanisms, Notice, Options, Recent, Said, Stamp, UserEvent, UserNotice,
};

pub fn stamp(number: u64) -> Stamp {
    Stamp { ltime: number, id: number }
}

/// An event with a payload of so many bytes.
pub fn event(number: u64, bytes: usize) -> Notice<UserNotice> {
    let event = UserEvent { origin: id(2), name: "x".into(), payload: vec![0; bytes] };
    let said = Said::Whole(UserNotice::Event(event.into()));
    Notice { stamp: stamp(number), after: [].into(), said }
}

pub fn after(number: u64, before: u64) -> Notice<UserNotice> {
    Notice { after: [stamp(before)].into(), ..event(number, 0) }
}

pub fn announced(number: u64) -> Notice<UserNotice> {
    Notice { said: Said::Announced(5_000), ..event(number, 0) }
}

pub fn tell(lone: &mut Lone, from: usize, notices: Vec<Notice<UserNotice>>) {
    lone.hear(from, GossipMessage::Notices { notices });
}

pub fn without(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

/// Requests for events: after how many milliseconds, to whom, and for which.
pub fn asked(lone: &Lone, begin: u64) -> Vec<(u64, usize, Vec<u64>)> {
    let fetch = |(at, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Fetch { stamps } => {
            Some(((at - begin) / 1_000, *to, stamps.iter().map(|stamp| stamp.ltime).collect()))
        }
        _ => None,
    };
    lone.sent.iter().filter_map(fetch).collect()
}

/// Comparisons that were sent: when, to whom, and what.
pub fn compared(lone: &Lone) -> Vec<(u64, usize, Recent)> {
    let recent = |(at, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Recent { recent } => Some((*at, *to, *recent)),
        _ => None,
    };
    lone.sent.iter().filter_map(recent).collect()
}

/// Messages with events: when, to whom, and which.
pub fn told(lone: &Lone) -> Vec<(u64, usize, Vec<u64>)> {
    let told = |(at, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Notices { notices } => {
            Some((*at, *to, notices.iter().map(|notice| notice.stamp.ltime).collect()))
        }
        _ => None,
    };
    lone.sent.iter().filter_map(told).collect()
}
