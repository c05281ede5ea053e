//! What messages take on the wire: the bytes that `swim-wire` writes for them, without writing.
//!
//! Engines speak of members by index; only the production face turns that into names, addresses
//! and bytes. This is both steps as arithmetic, so that a simulation can count bytes at the price
//! of a walk over the message. Nothing is allocated. `tests/sizes.rs` holds every figure against
//! the codec.
//!
//! On the wire, member `i` is called `node-{i:06}`, lives at an IPv4 address with the same port
//! as everybody (7946), and has empty metadata but for the mark of a degraded
//! member; the cluster is "swim".

use swim_core::{
    DigestRef, Member, MemberIdx, Message, Notice, NoticeMessage, Outgoing, Recent, Rumor, Said,
    Stamp,
};

/// Bytes of a packet without messages: the major version and the name of the cluster. The minor
/// version is 0, which is not written.
pub const ENVELOPE: usize = uint(1) + delimited("swim".len());

/// Field numbers are all below 16: a key is one byte.
const KEY: usize = 1;
const FIXED64: usize = KEY + size_of::<u64>();

/// Metadata that holds nothing but the mark of a degraded member: one entry of a map.
const MARK: usize = delimited(delimited(delimited(Member::DEGRADED.len()) + delimited("1".len())));

/// Bytes that `message` of member `me` adds to a packet; `marked` says who is marked as degraded.
///
/// A `Gossip` includes the `Evidence` that goes with it. An `Ack` or a `PingReq` about nobody is
/// never sent by the face, and is 0 here.
pub fn message(me: MemberIdx, marked: impl Fn(MemberIdx) -> bool, message: &Outgoing<'_>) -> usize {
    // A profile goes along with each record of a `Sync`.
    let marks = |rumors: &[Rumor], all: bool| {
        rumors.iter().filter(|rumor| (all || rumor.with_profile) && marked(rumor.member)).count()
    };
    match message {
        Message::Ping { seq } | Message::Nack { seq, .. } => framed(probe(*seq, me)),
        // Without a coordinate: those are off.
        Message::Ack { seq, member, .. } => member.map_or(0, |member| framed(probe(*seq, member))),
        Message::PingReq { seq, target } => {
            target.map_or(0, |target| framed(probe(*seq, me) + name(target)))
        }
        Message::Gossip(rumors) => {
            framed(updates(rumors, marks(rumors, false))) + evidence(me, rumors)
        }
        Message::Sync(rumors) => framed(members(rumors, marks(rumors, true))),
        Message::SyncRequest => framed(name(me)),
        Message::Digest(digest) => framed(summary(*digest)),
        Message::Delta { updates: rumors, wanted } => {
            let updates = updates(rumors, marks(rumors, false));
            framed(column(updates) + column(size_of_val(*wanted)))
        }
    }
}

/// Bytes that `message` of member `me` about notices adds to a packet.
///
/// What a notice says is an event or a query of so many bytes, headers included. An answer to a
/// query is never sent by simulated nodes, and is 0 here.
pub fn notices(me: MemberIdx, message: &NoticeMessage<'_, u32>) -> usize {
    match message {
        NoticeMessage::Tell(notices) => {
            framed(notices.iter().map(|it| delimited(notice(it))).sum())
        }
        NoticeMessage::Fetch(list) => framed(stamps(list)),
        NoticeMessage::Recent(recent) => framed(stretch(recent)),
        NoticeMessage::Held { above, upto, stamps: list } => {
            let span = upto.wrapping_sub(*above);
            framed(name(me) + uint(*above) + uint(span) + column(stamps(list)))
        }
        NoticeMessage::Answer(_) => 0,
    }
}

fn notice(notice: &Notice<u32>) -> usize {
    let stamp = notice.stamp;
    let lags = notice.after.iter().map(|before| varint(stamp.ltime.wrapping_sub(before.ltime)));
    let said = match notice.said {
        Said::Announced(len) => KEY + varint(len as u64),
        Said::Whole(bytes) => bytes as usize,
    };
    fixed64(stamp.id)
        + uint(stamp.ltime)
        + column(notice.after.len() * size_of::<u64>())
        + column(lags.sum())
        + said
}

fn stamps(stamps: &[Stamp]) -> usize {
    let (mut steps, mut before) = (0, 0_u64);
    for stamp in stamps {
        steps += varint(stamp.ltime.wrapping_sub(before));
        before = stamp.ltime;
    }
    column(size_of::<u64>() * stamps.len()) + column(steps)
}

fn stretch(recent: &Recent) -> usize {
    let span = recent.upto.wrapping_sub(recent.above);
    uint(recent.clock) + uint(recent.above) + uint(span) + fixed64(recent.hash)
}

/// A number of eight bytes with its key; zero is left out.
fn fixed64(value: u64) -> usize {
    if value == 0 { 0 } else { FIXED64 }
}

/// `body` as the one kind of a message, and that as a field of the packet.
fn framed(body: usize) -> usize {
    delimited(delimited(body))
}

fn probe(seq: u64, from: MemberIdx) -> usize {
    uint(seq) + name(from)
}

/// The records of a `Gossip` or a `Delta`, some of which have an address; `marks` of these are
/// marked.
fn updates(rumors: &[Rumor], marks: usize) -> usize {
    let profiles = rumors.iter().filter(|rumor| rumor.with_profile).count();
    records(rumors, profiles) + marks * MARK
}

/// The records of a `Sync`: each has an address.
fn members(rumors: &[Rumor], marks: usize) -> usize {
    records(rumors, rumors.len()) + marks * MARK
}

/// The columns that all records have, and the addresses of `addresses` of them.
fn records(rumors: &[Rumor], addresses: usize) -> usize {
    let (mut names, mut statuses, mut epochs, mut epoch_before) = (0, 0, 0, 0);
    for rumor in rumors {
        let epoch = (rumor.incarnation >> 32) as i64;
        names += name(rumor.member);
        statuses += status(rumor.incarnation as u32);
        epochs += varint(zigzag(epoch - epoch_before));
        epoch_before = epoch;
    }
    names + column(statuses) + column(addresses_len(addresses)) + column(epochs)
}

/// The counter above six bits of flags. The flags are not looked at: alone they fit one byte, and
/// below a counter they do not change how many bits there are.
fn status(counter: u32) -> usize {
    varint(u64::from(counter) << 6)
}

/// Only the first one says its port: the others live at the same.
fn addresses_len(count: usize) -> usize {
    if count == 0 { 0 } else { 2 + 4 * count }
}

/// The companion of a `Gossip`; none if no rumor has an age or an accuser to be passed on.
fn evidence(me: MemberIdx, rumors: &[Rumor]) -> usize {
    let (mut aged, mut accusations) = (false, 0);
    for (update, rumor) in rumors.iter().enumerate() {
        aged |= rumor.age.is_some_and(|age| age > 0);
        accusations += accusations_of(me, update, rumor);
    }
    // One age to be told, and the column has all of them.
    let body = if aged { column(rumors.len()) } else { 0 } + accusations;
    if body == 0 { 0 } else { framed(body) }
}

/// A receiver takes the sender of a bare suspicion for its accuser: one that is the sender's alone
/// needs no accusations. There are none of updates above those that their index can name.
fn accusations_of(me: MemberIdx, update: usize, rumor: &Rumor) -> usize {
    let Ok(update) = u8::try_from(update) else { return 0 };
    let (mut forwarded, mut accusations) = (false, 0);
    for (accuser, health) in rumor.accusers.iter() {
        forwarded |= accuser != me;
        accusations += delimited(uint(update.into()) + name(accuser) + uint(health.into()));
    }
    if forwarded { accusations } else { 0 }
}

fn summary(digest: DigestRef<'_>) -> usize {
    match digest {
        DigestRef::View(_) => FIXED64,
        DigestRef::Buckets(hashes) => delimited(column(size_of_val(hashes))),
        DigestRef::Versions { of, buckets, versions } => {
            let numbers = buckets.iter().map(|bucket| varint(u64::from(*bucket))).sum();
            delimited(uint(u64::from(of)) + column(numbers) + column(size_of_val(versions)))
        }
    }
}

/// A name with its header: six digits, and more from the millionth on.
fn name(member: MemberIdx) -> usize {
    let digits = if member.0 < 1_000_000 { 6 } else { member.0.ilog10() as usize + 1 };
    delimited("node-".len() + digits)
}

/// A text, a column or a message of `len` bytes with its header.
const fn delimited(len: usize) -> usize {
    KEY + varint(len as u64) + len
}

/// The same where an empty one is left out.
fn column(len: usize) -> usize {
    if len == 0 { 0 } else { delimited(len) }
}

/// A number with its key; zero is left out.
const fn uint(value: u64) -> usize {
    if value == 0 { 0 } else { KEY + varint(value) }
}

/// A byte for every seven bits, and one for zero.
const fn varint(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    // bits / 7, rounded up, without dividing: exact up to 64 bits.
    ((bits * 9 + 64) / 64) as usize
}

/// Protobuf's `sint64`: small differences of either sign take few bytes.
fn zigzag(difference: i64) -> u64 {
    ((difference << 1) ^ (difference >> 63)) as u64
}
