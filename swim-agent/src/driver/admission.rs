//! Who is let in: what a packet claims of somebody who is not is taken out before the protocol hears
//! it, whoever sent it and by whatever way.
//!
//! A refusal holds for this agent alone: it believes nothing of it, and tells nobody.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use swim_core::{Digest, GossipMessage, GossipProtocol, Member, MemberId};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::Instant;

use super::Driver;
use super::rest::{Rest, differences, wants};
use super::screen::{Claimed, claims, drop_strays, screen};
use crate::admission::{Allowed, Held, Merge, Newcomer, Rules};
use crate::counters::Meter;

/// How often at most the log names a refusal of one kind.
const AGAIN: Duration = Duration::from_secs(60);

/// What becomes of a claim.
#[derive(Debug)]
enum Verdict {
    /// It is about a member.
    Keep,
    /// It makes somebody a member.
    Add,
    /// The protocol makes nothing of it, unless the packet makes its subject a member: then it might
    /// change what was asked about.
    Void,
    Refuse(Refusal),
}

/// Why a claim is taken out.
#[derive(Debug)]
enum Refusal {
    /// It is of an address outside of the allowed networks.
    Outside,
    /// There is no room for one more member.
    Full,
    /// The embedding program says no.
    Veto(String),
}

/// Judges what packets claim.
pub(super) struct Admission {
    rules: Rules,
    meter: Arc<Meter>,
    /// When the log last named a refusal of each kind.
    named: [Option<Instant>; 4],
    /// What somebody says of itself who says nothing.
    nothing: HashMap<String, String>,
    rest: Rest,
    /// Who asks for all members in the packet at hand, and whether what it says of itself is refused.
    asker: Option<(MemberId, bool)>,
    /// Whose claims in the packet at hand wait for their addresses to answer.
    waits: HashSet<MemberId>,
}

impl Admission {
    pub(super) fn new(rules: Rules, meter: Arc<Meter>) -> Self {
        let (nothing, rest, waits) = (HashMap::new(), Rest::default(), HashSet::new());
        Self { rules, meter, named: [None; 4], nothing, rest, asker: None, waits }
    }

    pub(super) fn allowed(&self) -> &Allowed {
        &self.rules.allowed
    }

    pub(super) fn max_members(&self) -> usize {
        self.rules.max_members
    }

    /// Whether a claim that somebody lives there would be refused, whatever the embedding program says.
    /// Else it waits for its address to answer, and is judged then.
    pub(super) fn refuses(
        &mut self,
        protocol: &GossipProtocol,
        name: &MemberId,
        at: &SocketAddr,
    ) -> bool {
        let is_full = || protocol.held_count() >= self.rules.max_members;
        let refuses = !self.allowed().has(at) || is_full() && protocol.held(name).is_none();
        if !refuses {
            self.waits.insert(name.clone());
        }
        refuses
    }

    /// Takes out of a packet what is not to be believed, by whichever way it came. Costs next to nothing
    /// where there is room and nobody to ask, else a hash for each claim, and a question for each that is
    /// news.
    pub(super) fn screen(
        &mut self,
        protocol: &GossipProtocol,
        (from, by_stream): (SocketAddr, bool),
        messages: &mut Vec<GossipMessage>,
    ) {
        drop_strays(messages);
        let waits = std::mem::take(&mut self.waits);
        let mut room = self.rules.max_members.saturating_sub(protocol.held_count());
        self.rest.has_room(room > 0);
        let (now, of_partner) = (Instant::now(), self.rest.is_partner(from, by_stream));
        let rested = self.rest.take(messages, of_partner, protocol.view_hash(), now);
        self.meter.comparisons_withheld.add(rested);
        let asks = self.rules.admit.is_some() || self.rules.admit_merge.is_some();
        let is_open = !asks && self.allowed().is_all() && room > 0;
        if is_open && claims(messages).nth(room).is_none() {
            return;
        }
        let compared = messages.iter().any(|it| matches!(it, GossipMessage::Delta { .. }));
        self.asker = asker(messages).map(|name| (name.clone(), false));
        let mut adds = false;
        screen(messages, &mut |claimed| match self.judge(protocol, from, &claimed, room) {
            Verdict::Keep => true,
            Verdict::Void => false,
            Verdict::Add => {
                (adds, room) = (true, room - 1);
                true
            }
            Verdict::Refuse(refusal) => {
                self.refused(claimed.id, claimed.address, &refusal);
                false
            }
        });
        if adds {
            self.screen_merge(protocol, from, messages);
        }
        self.screen_requests(protocol, !waits.is_empty(), messages);
        if of_partner && differences(messages) > 0 {
            self.rest.repaired();
        } else if of_partner && compared && !wants(messages) {
            self.rest.refused(waits, now);
        }
    }

    /// Who asks for all members and is not held as one, after all that the packet says, is not told: else
    /// it would take itself for a member.
    fn screen_requests(
        &mut self,
        protocol: &GossipProtocol,
        waits: bool,
        messages: &mut Vec<GossipMessage>,
    ) {
        let Some((asker, refused)) = self.asker.take() else { return };
        let is_held = || {
            let is_added = || claims(messages).any(|claimed| *claimed.id == asker);
            waits || protocol.held(&asker).is_some() || is_added()
        };
        let is_member = !refused && is_held();
        let before = messages.len();
        messages.retain(|message| match message {
            GossipMessage::SyncRequest { from } => is_member && *from == asker,
            _ => true,
        });
        self.meter.joins_refused.add(before - messages.len());
    }

    fn judge(
        &mut self,
        protocol: &GossipProtocol,
        from: SocketAddr,
        claimed: &Claimed<'_>,
        room: usize,
    ) -> Verdict {
        if *claimed.id == protocol.local_member().id {
            // Whatever it says, it is to be refuted.
            return Verdict::Keep;
        }
        if claimed.address.is_some_and(|at| !self.rules.allowed.has(&at)) {
            return Verdict::Refuse(Refusal::Outside);
        }
        let held = protocol.held(claimed.id);
        match held {
            Some(member) if !changes(member, claimed) => return Verdict::Keep,
            None if !claimed.state.is_live() || claimed.address.is_none() => return Verdict::Void,
            None if room == 0 => return Verdict::Refuse(Refusal::Full),
            _ => {}
        }
        let Self { rules, nothing, .. } = self;
        if let Some(admit) = &mut rules.admit
            && let Some(newcomer) = newcomer(claimed, held, nothing, from)
            && let Err(why) = ask(|| admit(&newcomer))
        {
            return Verdict::Refuse(Refusal::Veto(why));
        }
        if held.is_some() { Verdict::Keep } else { Verdict::Add }
    }

    /// All that a packet would add, or nobody.
    fn screen_merge(
        &mut self,
        protocol: &GossipProtocol,
        from: SocketAddr,
        messages: &mut [GossipMessage],
    ) {
        let Self { rules, nothing, .. } = self;
        let Some(admit) = &mut rules.admit_merge else { return };
        let is_new = |claimed: &Claimed<'_>| protocol.held(claimed.id).is_none();
        let news = claims(messages).filter(is_new);
        let news: Vec<_> = news.filter_map(|it| newcomer(&it, None, nothing, from)).collect();
        let merge = Merge { newcomers: &news, told_from: from };
        let Err(why) = ask(|| admit(&merge)) else { return };
        let refusal = Refusal::Veto(why);
        screen(messages, &mut |claimed| {
            let refused = is_new(&claimed);
            if refused {
                self.refused(claimed.id, claimed.address, &refusal);
            }
            !refused
        });
    }

    /// Books a claim that was taken out.
    fn refused(&mut self, name: &MemberId, address: Option<SocketAddr>, refusal: &Refusal) {
        let (kind, count) = match refusal {
            Refusal::Outside => (0, &self.meter.claims_refused_address),
            Refusal::Full => (1, &self.meter.claims_refused_full),
            Refusal::Veto(_) => (2, &self.meter.claims_refused_veto),
        };
        count.one();
        self.rest.refused_too(name, Instant::now());
        // Who is said twice finds the last place taken by itself: that it is not held says it as well.
        let asks = self.asker.as_mut().filter(|(asker, _)| asker == name);
        if let Some((_, refused)) = asks.filter(|_| !matches!(refusal, Refusal::Full)) {
            *refused = true;
        }
        if !self.is_news(kind) {
            return;
        }
        // Names are a peer's choice: no control character of theirs reaches a terminal.
        let (member, address) =
            (name.as_str().escape_debug(), address.map(tracing::field::display));
        match refusal {
            Refusal::Outside => {
                let outside = self.allowed().outside();
                tracing::warn!(%member, address, "member refused: it lives {outside}");
            }
            Refusal::Full => {
                let most = self.rules.max_members;
                tracing::warn!(
                    %member, address,
                    "member refused: {most} are held, dead ones included (max_members, --max-members)"
                );
            }
            Refusal::Veto(why) => {
                let why = why.escape_debug();
                tracing::warn!(%member, address, "member refused: {why}");
            }
        }
    }

    /// Books a packet that came from outside of the allowed networks.
    pub(super) fn outsider(&mut self, from: SocketAddr) {
        if self.is_news(0) {
            tracing::warn!(%from, "packet refused: it comes from {}", self.allowed().outside());
        }
    }

    /// Says that nobody of that name answers where somebody told that it lives.
    pub(super) fn silent(&mut self, name: &MemberId, address: SocketAddr, told_by: SocketAddr) {
        if self.is_news(3) {
            let member = name.as_str().escape_debug();
            tracing::warn!(
                %member, %address, %told_by,
                "member refused: nobody of that name answers there; is its advertised address right, and open for UDP and TCP?"
            );
        }
    }

    /// Whether the log is to name a refusal of this kind now.
    fn is_news(&mut self, kind: usize) -> bool {
        let now = Instant::now();
        let lately = |at: Instant| now.saturating_duration_since(at) < AGAIN;
        let is_news = !self.named[kind].is_some_and(lately);
        if is_news {
            self.named[kind] = Some(now);
        }
        is_news
    }
}

/// Who asks for all members, if anybody does.
fn asker(messages: &[GossipMessage]) -> Option<&MemberId> {
    messages.iter().find_map(|message| match message {
        GossipMessage::SyncRequest { from } => Some(from),
        _ => None,
    })
}

/// Whether a claim would change where a member lives or what it says of itself, the protocol's own
/// words aside.
fn changes(member: &Member, claimed: &Claimed<'_>) -> bool {
    if claimed.incarnation < member.incarnation || claimed.is_removal() {
        return false;
    }
    let moves = claimed.address.is_some_and(|address| address != member.address);
    let own = |metadata: &HashMap<String, String>| {
        metadata.keys().filter(|key| !Member::is_reserved(key)).count()
    };
    let other = |says: &HashMap<String, String>| {
        let mut all = says.iter().filter(|(key, _)| !Member::is_reserved(key));
        own(says) != own(&member.metadata)
            || all.any(|(key, value)| member.metadata.get(key) != Some(value))
    };
    moves || claimed.metadata.is_some_and(other)
}

/// What the embedding program is asked about; `None` if nobody knows where it lives.
fn newcomer<'a>(
    claimed: &Claimed<'a>,
    held: Option<&'a Member>,
    nothing: &'a HashMap<String, String>,
    told_from: SocketAddr,
) -> Option<Newcomer<'a>> {
    let address = claimed.address.or(held.map(|member| member.address))?;
    let metadata = claimed.metadata.or(held.map(|member| &member.metadata)).unwrap_or(nothing);
    let held = held.map(|member| Held {
        address: member.address,
        metadata: &member.metadata,
        state: member.state,
    });
    Some(Newcomer { name: claimed.id.as_str(), address, metadata, held, told_from })
}

/// Asks the embedding program. One that panics lets nobody in, and the agent goes on.
fn ask(question: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let answer = catch_unwind(AssertUnwindSafe(question));
    answer.unwrap_or_else(|_| Err("the program that was asked about it panicked".to_owned()))
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Takes out of a packet from that very address what is not to be believed.
    pub(super) fn admit(&mut self, from: SocketAddr, messages: &mut Vec<GossipMessage>) {
        self.admission.screen(&self.protocol, (from, false), messages);
    }

    /// Likewise of a packet on a stream that somebody opened there, by whatever port.
    pub(super) fn admit_stream(&mut self, from: SocketAddr, messages: &mut Vec<GossipMessage>) {
        self.admission.screen(&self.protocol, (from, true), messages);
    }

    /// This node is about to send that: it may begin a comparison of views with a member.
    pub(super) fn note_comparison(
        &mut self,
        to: SocketAddr,
        message: &GossipMessage,
        by_stream: bool,
    ) {
        let GossipMessage::Digest { digest } = message else { return };
        let begins = match digest {
            Digest::View { .. } => true,
            // By datagram they are an answer.
            Digest::Buckets { .. } => by_stream,
            Digest::Versions { .. } => false,
        };
        if begins && self.is_proven(&to) {
            self.admission.rest.begun(to);
        }
    }
}
