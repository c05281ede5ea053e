//! Which addresses were heard or reached, and when.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use swim_transport::Transport;
use swim_wire::Codec;

use super::Driver;
use super::rate::{Bucket, Rate};
use crate::contact::{Contact, StreamContact};

/// Addresses beyond those of members that are kept before the rest is forgotten.
const SLACK: usize = 64;

/// What is known of the ways to addresses. One hash per datagram; about 120 bytes per member.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    by_address: HashMap<SocketAddr, Ways>,
}

#[derive(Debug, Default)]
struct Ways {
    heard: Option<Instant>,
    stream: Option<(Instant, Option<String>)>,
    datagrams: Bucket,
}

impl Contacts {
    /// Whether one more datagram of the member there may be heard now.
    pub(super) fn bears(
        &mut self,
        from: SocketAddr,
        rate: Rate,
        now: tokio::time::Instant,
    ) -> bool {
        self.by_address.entry(from).or_default().datagrams.take(rate, now)
    }

    /// A datagram came from a live member's address.
    pub(super) fn heard(&mut self, from: SocketAddr, now: Instant) {
        self.by_address.entry(from).or_default().heard = Some(now);
    }

    /// A stream to an address worked, or failed for this reason.
    pub(super) fn stream(&mut self, to: SocketAddr, failure: Option<String>, now: Instant) {
        self.by_address.entry(to).or_default().stream = Some((now, failure));
    }

    /// A member begins anew there: what failed before says nothing of it.
    pub(super) fn renewed(&mut self, at: &SocketAddr) {
        if let Some(ways) = self.by_address.get_mut(at) {
            ways.stream.take_if(|(_, failure)| failure.is_some());
        }
    }

    /// Forgets the addresses that are no member's, when there are many. O(1) amortized.
    pub(super) fn tidy(&mut self, members: usize, is_member: impl Fn(&SocketAddr) -> bool) {
        if self.by_address.len() > 2 * members + SLACK {
            self.by_address.retain(|address, _| is_member(address));
        }
    }

    /// What is known of an address, its round trip aside.
    pub(super) fn of(&self, address: &SocketAddr, now: Instant) -> Contact {
        let Some(ways) = self.by_address.get(address) else { return Contact::default() };
        let stream = ways.stream.as_ref().map(|(at, failure)| StreamContact {
            ago: now.saturating_duration_since(*at),
            failure: failure.clone(),
        });
        let heard = ways.heard.map(|at| now.saturating_duration_since(at));
        Contact { round_trip: None, heard, stream }
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Takes down that a datagram came from a live member's address.
    pub(super) fn heard_from(&mut self, from: SocketAddr) {
        self.contacts.heard(from, tokio::time::Instant::now().into_std());
        self.tidy_contacts();
    }

    /// Takes down how a stream went.
    pub(super) fn contact(&mut self, to: SocketAddr, failure: Option<String>) {
        self.contacts.stream(to, failure, tokio::time::Instant::now().into_std());
        self.tidy_contacts();
    }

    /// Forgets the addresses that are no member's, now and then.
    pub(super) fn tidy_contacts(&mut self) {
        let is_member = |address: &SocketAddr| self.protocol.member_at(address).is_some();
        self.contacts.tidy(self.view.members(), is_member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_forgotten_with_the_life_that_it_was_of() {
        let now = Instant::now();
        let mut contacts = Contacts::default();
        let [down, up] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        contacts.stream(down, Some("refused".to_owned()), now);
        contacts.stream(up, None, now);
        [down, up].iter().for_each(|at| contacts.renewed(at));
        assert_eq!(contacts.of(&down, now).stream, None);
        assert!(contacts.of(&up, now).stream.is_some_and(|stream| stream.failure.is_none()));
    }

    #[test]
    fn only_members_addresses_are_kept_when_there_are_many() {
        let now = Instant::now();
        let mut contacts = Contacts::default();
        let member: SocketAddr = ([127, 0, 0, 1], 1).into();
        contacts.heard(member, now);
        for port in 2..=100 {
            contacts.stream(([127, 0, 0, 1], port).into(), None, now);
            contacts.tidy(1, |address| *address == member);
            assert!(contacts.by_address.len() <= 2 + SLACK);
        }
        assert!(contacts.of(&member, now).heard.is_some());
    }
}
