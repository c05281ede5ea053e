//! `Message`: one of the kinds.

use std::ops::RangeInclusive;

use bytes::BytesMut;
use swim_core::{
    Accusation, Digest, GossipMessage, Member, MemberId, MemberUpdate, Notice, Recent, Stamp,
    UserNotice,
};

use crate::error::DecodeError;
use crate::field::{delta, message as field, packet};
use crate::limits::Tally;
use crate::probe::{self, Probe};
use crate::reader::{Field, Fields};
use crate::updates;
use crate::writer::{delimited_len, fixed32s_len, nonempty_len, put_fixed32s, put_header};
use crate::{digest, evidence, notice, recent, stamps, user};

/// One message, measured and ready to be written.
pub(crate) struct Encoder<'a> {
    kind: u32,
    body: Body<'a>,
    body_len: usize,
}

/// What follows the kind, borrowed.
enum Body<'a> {
    Probe(Probe<'a>),
    Updates(updates::Encoder<'a, MemberUpdate>),
    Members(updates::Encoder<'a, Member>),
    SyncRequest(&'a MemberId),
    Evidence(&'a [u8], &'a [Accusation]),
    Digest(&'a Digest),
    Delta(updates::Encoder<'a, MemberUpdate>, &'a [u32]),
    Notices(&'a [Notice<UserNotice>]),
    Stamps(&'a [Stamp]),
    Recent(&'a Recent),
    Held(recent::Held<'a>),
    Answer(user::Answer<'a>),
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(message: &'a GossipMessage) -> Self {
        let (kind, body) = match message {
            GossipMessage::Ping { seq, from } => {
                (field::PING, Body::Probe(Probe::new(*seq, from, None)))
            }
            GossipMessage::Ack { seq, from } => {
                (field::ACK, Body::Probe(Probe::new(*seq, from, None)))
            }
            GossipMessage::LocatedAck { seq, from, coordinate } => {
                (field::ACK, Body::Probe(Probe::new(*seq, from, None).at(*coordinate)))
            }
            GossipMessage::PingReq { seq, from, target } => {
                (field::PING_REQ, Body::Probe(Probe::new(*seq, from, Some(target))))
            }
            GossipMessage::Nack { seq, from } => {
                (field::NACK, Body::Probe(Probe::new(*seq, from, None)))
            }
            GossipMessage::Gossip { updates } => {
                (field::GOSSIP, Body::Updates(updates::Encoder::new(updates)))
            }
            GossipMessage::Sync { members } => {
                (field::SYNC, Body::Members(updates::Encoder::new(members)))
            }
            GossipMessage::SyncRequest { from } => (field::SYNC_REQUEST, Body::SyncRequest(from)),
            GossipMessage::Evidence { ages, accusations } => {
                (field::EVIDENCE, Body::Evidence(ages, accusations))
            }
            GossipMessage::Digest { digest } => (field::DIGEST, Body::Digest(digest)),
            GossipMessage::Delta { updates, wanted } => {
                let updates = updates::Encoder::new(updates);
                (field::DELTA, Body::Delta(updates, wanted))
            }
            GossipMessage::Notices { notices } => (field::NOTICES, Body::Notices(notices)),
            GossipMessage::Fetch { stamps } => (field::FETCH, Body::Stamps(stamps)),
            GossipMessage::Recent { recent } => (field::RECENT, Body::Recent(recent)),
            GossipMessage::Held { from, above, upto, stamps } => {
                let held = recent::Held { from, above: *above, upto: *upto, stamps };
                (field::HELD, Body::Held(held))
            }
            GossipMessage::QueryAnswer { query, from, to, relay, payload, declined } => {
                let (query, relay, payload) = (*query, *relay, payload.as_deref());
                let answer = user::Answer { query, from, to, relay, payload, declined: *declined };
                (field::QUERY_ANSWER, Body::Answer(answer))
            }
        };
        let body_len = body.len();
        Self { kind, body, body_len }
    }

    /// Bytes that `put` adds.
    pub(crate) fn len(&self) -> usize {
        delimited_len(packet::MESSAGES, delimited_len(self.kind, self.body_len))
    }

    pub(crate) fn put(&self, packet: &mut BytesMut) {
        put_header(packet::MESSAGES, delimited_len(self.kind, self.body_len), packet);
        put_header(self.kind, self.body_len, packet);
        self.body.put(packet);
    }
}

impl Body<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Probe(probe) => probe.len(),
            Self::Updates(updates) => updates.len(),
            Self::Members(members) => members.len(),
            Self::SyncRequest(from) => probe::sync_request_len(from),
            Self::Evidence(ages, accusations) => evidence::len(ages, accusations),
            Self::Digest(digest) => digest::len(digest),
            Self::Delta(updates, wanted) => {
                nonempty_len(delta::UPDATES, updates.len()) + fixed32s_len(delta::WANTED, wanted)
            }
            Self::Notices(notices) => notice::len(notices),
            Self::Stamps(stamps) => stamps::len(stamps),
            Self::Recent(recent) => recent::len(recent),
            Self::Held(held) => held.len(),
            Self::Answer(answer) => answer.len(),
        }
    }

    fn put(&self, packet: &mut BytesMut) {
        match self {
            Self::Probe(probe) => probe.put(packet),
            Self::Updates(updates) => updates.put(packet),
            Self::Members(members) => members.put(packet),
            Self::SyncRequest(from) => probe::put_sync_request(from, packet),
            Self::Evidence(ages, accusations) => evidence::put(ages, accusations, packet),
            Self::Digest(digest) => digest::put(digest, packet),
            Self::Delta(updates, wanted) => {
                if updates.len() > 0 {
                    put_header(delta::UPDATES, updates.len(), packet);
                    updates.put(packet);
                }
                put_fixed32s(delta::WANTED, wanted, packet);
            }
            Self::Notices(notices) => notice::put(notices, packet),
            Self::Stamps(stamps) => stamps::put(stamps, packet),
            Self::Recent(recent) => recent::put(recent, packet),
            Self::Held(held) => held.put(packet),
            Self::Answer(answer) => answer.put(packet),
        }
    }
}

/// `None`, counted, for a message of an unknown kind.
pub(crate) fn decode(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Option<GossipMessage>, DecodeError> {
    let Some(kind) = one_of("message", field::PING..=field::QUERY_ANSWER, body, tally)? else {
        return Ok(None);
    };
    let body = kind.bytes("kind")?;
    Ok(Some(match kind.number {
        field::GOSSIP => GossipMessage::Gossip { updates: updates::decode_updates(body, tally)? },
        field::SYNC => GossipMessage::Sync { members: updates::decode_members(body, tally)? },
        field::SYNC_REQUEST => {
            GossipMessage::SyncRequest { from: probe::decode_sync_request(body, tally)? }
        }
        field::EVIDENCE => evidence::decode(body, tally)?,
        field::DIGEST => match digest::decode(body, tally)? {
            Some(digest) => GossipMessage::Digest { digest },
            None => return Ok(None),
        },
        field::DELTA => decode_delta(body, tally)?,
        field::NOTICES => GossipMessage::Notices { notices: notice::decode(body, tally)? },
        field::FETCH => GossipMessage::Fetch { stamps: stamps::decode(body, tally)? },
        field::RECENT => GossipMessage::Recent { recent: recent::decode(body, tally)? },
        field::HELD => recent::decode_held(body, tally)?,
        field::QUERY_ANSWER => user::decode_answer(body, tally)?,
        _ => decode_probe(kind.number, body, tally)?,
    }))
}

fn decode_probe(
    kind: u32,
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<GossipMessage, DecodeError> {
    let probe = Probe::decode(body, tally)?;
    let (seq, from) = (probe.seq, probe.from(tally)?);
    Ok(match kind {
        field::PING => GossipMessage::Ping { seq, from },
        field::ACK => match probe.coordinate {
            None => GossipMessage::Ack { seq, from },
            Some(coordinate) => GossipMessage::LocatedAck { seq, from, coordinate },
        },
        field::NACK => GossipMessage::Nack { seq, from },
        _ => GossipMessage::PingReq { seq, from, target: probe.target(tally)? },
    })
}

fn decode_delta(body: &[u8], tally: &mut Tally<'_>) -> Result<GossipMessage, DecodeError> {
    let (mut updates, mut wanted) = (None, None);
    for field in Fields::of("delta", body) {
        let field = field?;
        match field.number {
            delta::UPDATES => field.bytes_once("updates", &mut updates)?,
            delta::WANTED => field.bytes_once("wanted", &mut wanted)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(GossipMessage::Delta {
        updates: updates::decode_updates(updates.unwrap_or_default(), tally)?,
        wanted: digest::decode_hashes("wanted", wanted.unwrap_or_default(), tally)?,
    })
}

/// The field of `body` that is set among those of a oneof, whose numbers are `known`.
///
/// None of them means one that a newer sender knows: counted as a kind.
///
/// # Errors
/// [`DecodeError::Repeated`] for more than one. Protobuf lets the last one win; here a sender
/// that writes two has not understood the schema.
pub(crate) fn one_of<'a>(
    name: &'static str,
    known: RangeInclusive<u32>,
    body: &'a [u8],
    tally: &mut Tally<'_>,
) -> Result<Option<Field<'a>>, DecodeError> {
    let (mut found, mut unknown) = (None, 0);
    for field in Fields::of(name, body) {
        let field = field?;
        if !known.contains(&field.number) {
            unknown += 1;
        } else if found.replace(field).is_some() {
            return Err(DecodeError::Repeated { field: name });
        }
    }
    match found {
        Some(_) => tally.decoded.skipped_fields += unknown,
        None => tally.decoded.skipped_kinds += 1,
    }
    Ok(found)
}
