//! `Metadata`: what a member says of itself.

use std::collections::HashMap;

use bytes::BytesMut;

use crate::error::DecodeError;
use crate::field::metadata::{ENTRIES, entries_entry as field};
use crate::limits::{Tally, text};
use crate::reader::Fields;
use crate::writer::{delimited_len, nonempty_len, put_bytes, put_header};

/// Bytes of the least entry that has a key of its own: two headers and a letter. Keys that are
/// empty or repeated fall together, however many there are.
const LEAST_ENTRY: usize = 5;

/// Never above [`swim_core::metadata_len`].
pub(crate) fn len(metadata: &HashMap<String, String>) -> usize {
    metadata.iter().map(|(key, value)| delimited_len(ENTRIES, entry_len(key, value))).sum()
}

fn entry_len(key: &str, value: &str) -> usize {
    nonempty_len(field::KEY, key.len()) + nonempty_len(field::VALUE, value.len())
}

/// In the order of the keys, so that equal metadata has equal bytes.
pub(crate) fn put(metadata: &HashMap<String, String>, packet: &mut BytesMut) {
    let mut entries: Vec<_> = metadata.iter().collect();
    entries.sort_unstable();
    for (key, value) in entries {
        put_header(ENTRIES, entry_len(key, value), packet);
        put_bytes(field::KEY, key.as_bytes(), packet);
        put_bytes(field::VALUE, value.as_bytes(), packet);
    }
}

/// Of a repeated key the last value stays, as in any protobuf map.
pub(crate) fn decode(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<HashMap<String, String>, DecodeError> {
    let least = body.len() / LEAST_ENTRY + 1;
    let mut metadata = HashMap::with_capacity(count_entries(body)?.min(least));
    for outer in Fields::of("metadata", body) {
        let outer = outer?;
        if outer.number != ENTRIES {
            tally.decoded.skipped_fields += 1;
            continue;
        }
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in Fields::of("metadata entry", outer.bytes("entries")?) {
            let field = field?;
            match field.number {
                field::KEY => key = field.bytes("metadata key")?,
                field::VALUE => value = field.bytes("metadata value")?,
                _ => tally.decoded.skipped_fields += 1,
            }
        }
        let key = text("metadata key", key)?.to_owned();
        metadata.insert(key, text("metadata value", value)?.to_owned());
    }
    Ok(metadata)
}

fn count_entries(body: &[u8]) -> Result<usize, DecodeError> {
    let (mut fields, mut count) = (Fields::of("metadata", body), 0);
    while fields.next_bytes(ENTRIES, "entries")?.is_some() {
        count += 1;
    }
    Ok(count)
}
