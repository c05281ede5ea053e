//! How packets are heard: what limits, admission and validation leave of them reaches the protocol,
//! message by message.

use std::net::SocketAddr;

use bytes::BytesMut;
use swim_core::GossipMessage;
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::Instant;

use super::Driver;
use super::burden::Burden;
use super::claims::Told;
use super::exchange::Input;
use super::post::{Answer, Origin};
use super::strangers::FACTOR;
use super::wire::Carrier;

impl<T: Transport, C: Codec> Driver<T, C> {
    pub(super) fn hear_datagram(&mut self, from: SocketAddr, datagram: &mut [u8]) {
        self.meter.datagrams_received.one();
        self.meter.datagram_bytes_received.add(datagram.len());
        if !self.wire.hears(&from) {
            self.admission.outsider(from);
            return;
        }
        let now = Instant::now();
        let known = self.protocol.remembers(&from);
        // The answers of those who are being asked are not what strangers have to say.
        let heard =
            known || self.limits.strangers.take(from.ip(), now) || self.validation.expects(&from);
        if !heard {
            self.meter.stranger_datagrams_dropped.one();
            return;
        }
        let mut messages = std::mem::take(&mut self.messages);
        let read = self.wire.open(Carrier::Datagram, from, datagram).and_then(|opened| {
            // Now only: what was not opened uses up nobody's share.
            if known && !self.contacts.bears(from, self.limits.member, now) {
                self.meter.member_datagrams_dropped.one();
                return Ok(());
            }
            self.wire.decode(from, opened, &mut messages)
        });
        if let Err(error) = read {
            tracing::debug!(%from, %error, "a datagram was refused");
        }
        let mut origin = self.origin(from, datagram.len());
        if matches!(origin, Origin::Proven) && !messages.is_empty() {
            self.heard_from(from);
        }
        let told = (from, Told::ByDatagram);
        match &mut origin {
            Origin::Stranger { allowance, .. } => {
                self.screen_claims(&mut messages, told, allowance.bytes());
            }
            _ => self.screen_claims(&mut messages, told, &mut (FACTOR * datagram.len())),
        }
        self.admit(from, &mut messages);
        let mut burden = Burden::default();
        for message in messages.drain(..) {
            if matches!(message, GossipMessage::SyncRequest { .. }) {
                // Its answer is all members, and nobody has proven that they go to the asker.
                self.meter.sync_requests_dropped.one();
                continue;
            }
            if let Origin::Stranger { allowance, .. } = &mut origin {
                if !self.strangers.bear(&message, now) {
                    self.meter.requests_dropped.one();
                    continue;
                }
                allowance.hear(&message);
            }
            self.handle(from, message, &mut origin, &mut burden);
        }
        self.messages = messages;
        self.settle();
    }

    /// How far the source of a datagram can be trusted to be the sender.
    pub(super) fn origin(&self, from: SocketAddr, received: usize) -> Origin {
        if self.is_proven(&from) {
            return Origin::Proven;
        }
        let remembered = self.protocol.remembers(&from);
        Origin::Stranger { from, allowance: self.post.allowance(received), remembered }
    }

    pub(super) fn hear(&mut self, input: Input) {
        match input {
            Input::Heard { from, messages, reply: Some(reply) } => {
                if let Some(packet) = self.hear_stream(from, messages) {
                    // An error says that the stream has run out of time.
                    let _ = reply.send(packet);
                }
            }
            Input::Heard { from, messages, reply: None } => self.hear_answer(from, messages),
            Input::Asked(incoming) => self.is_asked(incoming),
            Input::Reached { to } => self.contact(to, None),
            Input::Failed { to, why } => {
                if self.joins.failed(to, &why) {
                    self.ask();
                }
                self.contact(to, Some(why));
            }
            Input::Resolved { found, over } => self.resolved(found, over),
        }
        self.settle();
    }

    /// A packet on a stream of somebody else's; what is to go back on it.
    fn hear_stream(
        &mut self,
        from: SocketAddr,
        mut messages: Vec<GossipMessage>,
    ) -> Option<BytesMut> {
        let mut budget = self.stream_budget();
        self.screen_claims(&mut messages, (from, Told::ByStream), &mut budget);
        self.admit_stream(from, &mut messages);
        let mut origin = Origin::Stream { from, answer: Answer::default() };
        let mut burden = Burden::default();
        for message in messages {
            self.handle(from, message, &mut origin, &mut burden);
        }
        match origin {
            Origin::Stream { answer, .. } => answer.finish(),
            _ => None,
        }
    }

    /// A packet in answer to a stream of this node's own.
    fn hear_answer(&mut self, from: SocketAddr, mut messages: Vec<GossipMessage>) {
        self.admit(from, &mut messages);
        let mut burden = Burden::default();
        for message in messages {
            let joined = matches!(message, GossipMessage::Sync { .. });
            self.handle(from, message, &mut Origin::Proven, &mut burden);
            if joined {
                self.settle();
                self.joins.follow(
                    self.protocol.join_attempts(),
                    self.view.is_alone(),
                    Instant::now().into_std(),
                );
                if self.joins.answered(from) {
                    self.ask();
                }
            }
        }
    }

    /// One message of a packet.
    pub(super) fn handle(
        &mut self,
        from: SocketAddr,
        message: GossipMessage,
        origin: &mut Origin,
        burden: &mut Burden,
    ) {
        if !burden.bears(&message) {
            self.meter.requests_dropped.one();
            return;
        }
        if self.is_proof(&message) || !self.relays_for(from, &message, origin) {
            return;
        }
        self.view.note(&message, &self.protocol);
        let actions = self.protocol.handle_message(from, message);
        self.act(actions, origin);
    }
}
