//! What the frames hold: one kind of record per thing that is kept.
//!
//! Payloads are protobuf messages of their own, so that fields can be appended; kinds and field
//! numbers are only ever appended too. A kind that this release does not know is skipped.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use prost::Message;

use super::frame;
use super::model::{Place, Remembered, Standing};
use super::overlay::Overlay;

/// One change of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// Whose state it is.
    Owner { name: String, cluster: String },
    /// A start under this boot epoch.
    Epoch(u32),
    /// All that was changed in the metadata at run time.
    Metadata(Overlay),
    /// A member, as it is now.
    Member(Remembered),
    /// The clock of user events.
    Clock(u64),
}

const OWNER: u8 = 1;
const EPOCH: u8 = 2;
const METADATA: u8 = 3;
const MEMBER: u8 = 4;
const CLOCK: u8 = 5;

#[derive(Clone, PartialEq, Message)]
struct OwnerBody {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    cluster: String,
}

#[derive(Clone, PartialEq, Message)]
struct NumberBody {
    #[prost(uint64, tag = "1")]
    value: u64,
}

#[derive(Clone, PartialEq, Message)]
struct MetadataBody {
    #[prost(btree_map = "string, string", tag = "1")]
    set: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "2")]
    hidden: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct MemberBody {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    address: String,
    /// 0 live, 1 dead, 2 left, 3 removed.
    #[prost(uint32, tag = "3")]
    standing: u32,
    /// Unix time in seconds.
    #[prost(uint64, tag = "4")]
    since: u64,
}

impl Record {
    /// Appends it to `out` as a frame.
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        let number = |value| NumberBody { value }.encode_to_vec();
        let (kind, payload) = match self {
            Self::Owner { name, cluster } => {
                let body = OwnerBody { name: name.clone(), cluster: cluster.clone() };
                (OWNER, body.encode_to_vec())
            }
            Self::Epoch(epoch) => (EPOCH, number((*epoch).into())),
            Self::Clock(clock) => (CLOCK, number(*clock)),
            Self::Metadata(Overlay { set, hidden }) => {
                let body = MetadataBody { set: set.clone(), hidden: hidden.clone() };
                (METADATA, body.encode_to_vec())
            }
            Self::Member(member) => (MEMBER, MemberBody::from(member).encode_to_vec()),
        };
        frame::append(kind, &payload, out);
    }

    /// What a whole frame says; `None` when a newer release wrote it.
    pub(super) fn read(kind: u8, payload: &[u8]) -> Option<Self> {
        let number = || NumberBody::decode(payload).ok().map(|body| body.value);
        match kind {
            OWNER => {
                let OwnerBody { name, cluster } = OwnerBody::decode(payload).ok()?;
                Some(Self::Owner { name, cluster })
            }
            EPOCH => Some(Self::Epoch(u32::try_from(number()?).ok()?)),
            CLOCK => Some(Self::Clock(number()?)),
            METADATA => {
                let MetadataBody { set, hidden } = MetadataBody::decode(payload).ok()?;
                Some(Self::Metadata(Overlay { set, hidden }))
            }
            MEMBER => Some(Self::Member(MemberBody::decode(payload).ok()?.member()?)),
            _ => None,
        }
    }
}

impl From<&Remembered> for MemberBody {
    fn from(member: &Remembered) -> Self {
        Self {
            name: member.name.clone(),
            address: member.place.address.to_string(),
            standing: match member.place.standing {
                Standing::Live => 0,
                Standing::Dead => 1,
                Standing::Left => 2,
                Standing::Removed => 3,
            },
            since: member.place.since,
        }
    }
}

impl MemberBody {
    fn member(self) -> Option<Remembered> {
        let address: SocketAddr = self.address.parse().ok()?;
        let standing = match self.standing {
            0 => Standing::Live,
            1 => Standing::Dead,
            2 => Standing::Left,
            3 => Standing::Removed,
            _ => return None,
        };
        let place = Place { address, standing, since: self.since };
        Some(Remembered { name: self.name, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> Vec<Record> {
        let texts = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let place =
            Place { address: "[::1]:7946".parse().unwrap(), standing: Standing::Left, since: 7 };
        vec![
            Record::Owner { name: "a b\n\u{1f980}".to_owned(), cluster: "prod".to_owned() },
            Record::Epoch(u32::MAX),
            Record::Metadata(Overlay { set: texts("", "x"), hidden: texts("k", "") }),
            Record::Member(Remembered { name: "b".to_owned(), place }),
            Record::Clock(u64::MAX),
        ]
    }

    #[test]
    fn each_kind_comes_back_as_it_was() {
        let mut bytes = frame::HEADER.to_vec();
        each().iter().for_each(|record| record.append(&mut bytes));
        let mut read = Vec::new();
        frame::scan(&bytes, |kind, payload| read.extend(Record::read(kind, payload)));
        assert_eq!(read, each());
    }

    #[test]
    fn what_a_newer_release_writes_is_skipped() {
        assert_eq!(Record::read(99, b"anything"), None);
        // A field that this release does not know, and a standing that it does not know.
        let mut payload = NumberBody { value: 5 }.encode_to_vec();
        payload.extend([0x78, 1]);
        assert_eq!(Record::read(CLOCK, &payload), Some(Record::Clock(5)));
        let body =
            MemberBody { address: "127.0.0.1:1".to_owned(), standing: 4, ..Default::default() };
        assert_eq!(Record::read(MEMBER, &body.encode_to_vec()), None);
    }
}
