//! Packets of peers.

use bytes::BytesMut;
use swim_core::GossipMessage;
use swim_wire::{Codec, ProtobufCodec};

/// Decodes bytes as a packet, and, since few bytes are one, as the messages of one. What could be
/// read is written again and read again, and says the same.
pub fn packet(bytes: &[u8]) {
    let codec = ProtobufCodec::new("swim").expect("a valid name");
    check(&codec, bytes);
    let mut whole = BytesMut::new();
    codec.start(&mut whole);
    whole.extend_from_slice(bytes);
    check(&codec, &whole);
}

fn check(codec: &ProtobufCodec, bytes: &[u8]) {
    let mut messages = Vec::new();
    if codec.decode(bytes, &mut messages).is_err() {
        assert!(messages.is_empty(), "a packet that is refused says nothing");
        return;
    }
    let first = encoded(codec, &messages);
    let mut again = Vec::new();
    let decoded = codec.decode(&first, &mut again).expect("what this codec wrote");
    assert_eq!((decoded.skipped_kinds, decoded.skipped_fields), (0, 0));
    assert_eq!(again.len(), messages.len());
    assert_eq!(encoded(codec, &again), first);
}

fn encoded(codec: &ProtobufCodec, messages: &[GossipMessage]) -> BytesMut {
    let mut packet = BytesMut::new();
    codec.start(&mut packet);
    for message in messages {
        let before = packet.len();
        codec.append(message, &mut packet);
        assert_eq!(packet.len() - before, codec.encoded_len(message));
    }
    packet
}
