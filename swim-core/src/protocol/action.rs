//! What the protocol wants done, and why members change.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Change, Reason};
use crate::member::{Incarnation, MemberId, MemberState};
use crate::message::GossipMessage;
use crate::user::{Decline, UserEvent, UserQuery};

/// What the caller is to do after a call, in this order.
#[derive(Debug)]
pub enum GossipAction {
    /// Send a message; by datagram or, when it is too large for one, by stream.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        message: GossipMessage,
    },
    /// Call `handle_timer(name)` after `delay`, which is never zero; a name armed again replaces
    /// the earlier one. Only with [`Timers::Named`](crate::Timers::Named).
    ScheduleTimer {
        /// The timer's name.
        name: String,
        /// How long from now.
        delay: Duration,
    },
    /// A member changed its state in this node's view. A newcomer comes from `Dead`.
    MembershipChange {
        /// Who.
        member: MemberId,
        /// What was held of it.
        old_state: MemberState,
        /// What is held of it now.
        new_state: MemberState,
    },
    /// Send by stream, because the datagram path does not answer: a ping, and what goes along with it
    /// or has to get through where only streams pass. Consecutive ones to one address can share a
    /// stream. Only with [`Mechanisms::stream_ping`](crate::Mechanisms::stream_ping), from a driver
    /// that can; never from [`GossipProtocol::new`](crate::GossipProtocol::new).
    SendByStream {
        /// Where to.
        to: SocketAddr,
        /// What.
        message: GossipMessage,
    },
    /// A probe failed; it says by which ways. Comes before what follows from it. Only with
    /// [`Options::events`](crate::Options::events).
    ProbeFailed(ProbeReport),
    /// Explains a change. Only with [`Options::events`](crate::Options::events).
    Event(MemberEvent),
    /// An event reached this node: of any member, itself included, once, and after all events
    /// that it may have followed from.
    UserEvent {
        /// The event.
        event: Arc<UserEvent>,
        /// Its time on the clock of events: greater than that of all that it may have followed from.
        ltime: u64,
    },
    /// A query reached this node, as an event does. If it is for this node, it is to be acked when it
    /// asks for that ([`ack_query`](crate::GossipProtocol::ack_query)), and answered
    /// ([`answer_query`](crate::GossipProtocol::answer_query)) or declined
    /// ([`decline_query`](crate::GossipProtocol::decline_query)).
    Query {
        /// The query's number.
        id: u64,
        /// The query.
        query: Arc<UserQuery>,
        /// Its time on the clock of events.
        ltime: u64,
    },
    /// A member says that it heard a query of this node, and that it is for it: once for each.
    QueryAck {
        /// The query's number.
        id: u64,
        /// Who.
        from: MemberId,
    },
    /// A member that a query of this node is for has nobody who answers it: once for each, and
    /// instead of an answer.
    QueryDeclined {
        /// The query's number.
        id: u64,
        /// Who.
        from: MemberId,
        /// Why.
        why: Decline,
    },
    /// A member answered a query of this node: once for each.
    QueryAnswer {
        /// The query's number.
        id: u64,
        /// Who.
        from: MemberId,
        /// What it says.
        payload: Vec<u8>,
    },
}

/// By which ways a node tried in vain to get an answer of a member (SWIM, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Who was probed.
    pub member: MemberId,
    /// How long before its end each ping by datagram left, the first one first.
    pub pings: Vec<Duration>,
    /// How long before its end relays were asked and a ping went by stream.
    pub asked: Duration,
    /// The relays that were asked, and whether each said in time that it has no answer either; the
    /// others said nothing.
    pub relays: Vec<(MemberId, bool)>,
    /// Whether a ping went by stream too.
    pub by_stream: bool,
    /// Whether nobody at all was heard meanwhile: then it says more of this node than of the member.
    pub silence: bool,
}

/// What happened to a member in this node's view, who brought it about, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberEvent {
    /// What happened.
    pub kind: EventKind,
    /// To whom.
    pub member: MemberId,
    /// Where it lives, or lived.
    pub address: SocketAddr,
    /// Where it lived before, when it moved just now. Of a conflict, and of this node itself, where
    /// another one lives that claims its name.
    pub old_address: Option<SocketAddr>,
    /// What was held of it; `None` of a newcomer, and of one that was pruned and is shown again.
    pub old_state: Option<MemberState>,
    /// What is held of it now; `None` when it was forgotten.
    pub state: Option<MemberState>,
    /// The incarnation that `state` is about.
    pub incarnation: Incarnation,
    /// Who accused, refuted or told, if known.
    pub by: Option<MemberId>,
    /// Why.
    pub reason: Reason,
}

/// What happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// It is a member now, for the first time or again.
    Joined,
    /// Somebody could not reach it.
    Suspected,
    /// A suspicion turned out wrong; of this node itself: it outbid an accusation.
    Refuted,
    /// It did not refute in time.
    Died,
    /// It said goodbye.
    Left,
    /// It says something else of itself, metadata or address; or it was restarted before anybody
    /// missed it.
    Updated,
    /// Nothing is held of it any more.
    Forgotten,
    /// Two nodes claim its name.
    Conflict,
}

impl EventKind {
    /// The kind in lower case, as logs and interfaces print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Suspected => "suspected",
            Self::Refuted => "refuted",
            Self::Died => "died",
            Self::Left => "left",
            Self::Updated => "updated",
            Self::Forgotten => "forgotten",
            Self::Conflict => "conflict",
        }
    }

    /// How a change reads; `None` for a new incarnation and nothing else.
    pub(super) fn of(change: &Change, own: bool, updated: bool) -> Option<Self> {
        use MemberState::{Alive, Dead, Left, Suspect};
        if change.cause.reason == Reason::Conflict {
            return Some(Self::Conflict);
        }
        // What is pruned is not there: it is forgotten once, and may come back in any state.
        let old = change.old.filter(|_| !change.hidden);
        let Some(new) = change.new.filter(|_| own || change.cause.reason != Reason::Pruned) else {
            return old.map(|_| Self::Forgotten);
        };
        match (old, new) {
            (Some(Dead | Left) | None, Alive | Suspect) => Some(Self::Joined),
            (Some(Suspect), Alive) => Some(Self::Refuted),
            (Some(Alive), Suspect) => Some(Self::Suspected),
            (Some(Dead), Dead) | (Some(Left), Left) | (Some(Suspect), Suspect) => None,
            (_, Dead) => Some(Self::Died),
            (_, Left) => Some(Self::Left),
            (Some(Alive), Alive) if own && change.cause.reason.is_refuted() => Some(Self::Refuted),
            (Some(Alive), Alive) => {
                let restarted = change.cause.reason == Reason::Restarted;
                (updated || restarted).then_some(Self::Updated)
            }
        }
    }
}
