//! The wire format of the SWIM workspace: [`swim_core::GossipMessage`]s in protobuf packets.
//!
//! A packet names layout and cluster and holds messages in order; the schema is
//! `proto/swim/v1/swim.proto`. A datagram is one packet; in a stream, each packet follows
//! [its length](encode_frame_header).
//!
//! ```
//! use bytes::BytesMut;
//! use swim_core::{GossipMessage, MemberId, MemberState, MemberUpdate};
//! use swim_wire::{Codec, ProtobufCodec};
//!
//! let codec = ProtobufCodec::new("prod")?;
//! let ping = GossipMessage::Ping { seq: 7, from: MemberId::from("node-1") };
//! let news = MemberUpdate {
//!     id: MemberId::from("node-2"),
//!     state: MemberState::Suspect,
//!     incarnation: 3,
//!     address: Some("10.0.0.2:7946".parse()?),
//!     metadata: None,
//! };
//! let gossip = GossipMessage::Gossip { updates: vec![news] };
//!
//! // Two messages to one address share a packet as long as they fit.
//! let mut packet = BytesMut::new();
//! codec.start(&mut packet);
//! codec.append(&ping, &mut packet);
//! if packet.len() + codec.encoded_len(&gossip) <= 1_400 {
//!     codec.append(&gossip, &mut packet);
//! }
//!
//! let mut messages = Vec::new();
//! codec.decode(&packet, &mut messages)?;
//! assert!(matches!(&messages[0], GossipMessage::Ping { seq: 7, .. }));
//! assert!(matches!(&messages[1], GossipMessage::Gossip { updates } if updates.len() == 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Hostile packets
//!
//! [`Codec::decode`] never panics, checks [`Limits`] before it allocates for what they limit, and
//! makes room for what a packet holds, never for what it claims to hold.
//!
//! That is why the codec walks the fields itself, with prost's primitives and with the field
//! numbers that `build.rs` takes from the schema, and does without the types that prost derives:
//! those collect every repeated field before anyone can look at it (an empty string of 2 bytes
//! becomes one of 24), and own texts that the codec only has to compare. Walking also decodes
//! names straight into the members they belong to, and encodes from borrowed messages. The
//! derived types are what the tests compare with: both write the same bytes and read each
//! other's.
#![forbid(unsafe_code)]

mod codec;
mod digest;
mod error;
mod evidence;
mod framing;
mod limits;
mod message;
mod metadata;
mod notice;
mod probe;
mod reader;
mod recent;
#[cfg(feature = "seal")]
pub mod seal;
mod stamps;
mod updates;
mod user;
mod writer;

/// Field numbers, by message, from `swim.proto`. The compiler reports one that the codec does
/// not handle as unused.
mod field {
    include!(concat!(env!("OUT_DIR"), "/fields.rs"));
}

pub use codec::{Codec, Decoded, MAJOR, MINOR, ProtobufCodec};
pub use error::{CodecError, DecodeError, FrameError};
pub use framing::{FRAME_HEADER_LEN, decode_frame_header, encode_frame_header};
pub use limits::Limits;
