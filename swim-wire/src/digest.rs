//! `Digest`: a view in one hash, in one per bucket, in one per member.

use bytes::{BufMut, BytesMut};
use prost::encoding::encoded_len_varint;
use swim_core::Digest;

use crate::error::DecodeError;
use crate::field::{buckets, digest as field, versions};
use crate::limits::Tally;
use crate::message::one_of;
use crate::reader::{Fields, Varints, fixed};
use crate::writer::{
    delimited_len, fixed32s_len, fixed64_len, nonempty_len, put_fixed32s, put_fixed64, put_header,
    put_number, put_varint, varint_len,
};

pub(crate) fn len(digest: &Digest) -> usize {
    match digest {
        Digest::View { .. } => fixed64_len(field::VIEW),
        Digest::Buckets { hashes } => delimited_len(field::BUCKETS, buckets_len(hashes)),
        Digest::Versions { of, buckets, versions } => {
            delimited_len(field::VERSIONS, versions_len(*of, buckets, versions))
        }
    }
}

pub(crate) fn put(digest: &Digest, packet: &mut BytesMut) {
    match digest {
        Digest::View { hash } => put_fixed64(field::VIEW, *hash, packet),
        Digest::Buckets { hashes } => {
            put_header(field::BUCKETS, buckets_len(hashes), packet);
            put_buckets(hashes, packet);
        }
        Digest::Versions { of, buckets, versions } => {
            put_header(field::VERSIONS, versions_len(*of, buckets, versions), packet);
            put_versions(*of, buckets, versions, packet);
        }
    }
}

fn buckets_len(hashes: &[u64]) -> usize {
    nonempty_len(buckets::HASHES, size_of_val(hashes))
}

fn put_buckets(hashes: &[u64], packet: &mut BytesMut) {
    if hashes.is_empty() {
        return;
    }
    put_header(buckets::HASHES, size_of_val(hashes), packet);
    for hash in hashes {
        packet.put_u64_le(*hash);
    }
}

fn bucket_numbers_len(buckets: &[u32]) -> usize {
    buckets.iter().map(|bucket| encoded_len_varint(u64::from(*bucket))).sum()
}

fn versions_len(of: u32, buckets: &[u32], hashes: &[u32]) -> usize {
    varint_len(versions::OF, u64::from(of))
        + nonempty_len(versions::BUCKETS, bucket_numbers_len(buckets))
        + fixed32s_len(versions::VERSIONS, hashes)
}

fn put_versions(of: u32, buckets: &[u32], hashes: &[u32], packet: &mut BytesMut) {
    put_varint(versions::OF, u64::from(of), packet);
    if !buckets.is_empty() {
        put_header(versions::BUCKETS, bucket_numbers_len(buckets), packet);
        for bucket in buckets {
            put_number(u64::from(*bucket), packet);
        }
    }
    put_fixed32s(versions::VERSIONS, hashes, packet);
}

/// `None`, counted, for a summary of an unknown kind.
pub(crate) fn decode(body: &[u8], tally: &mut Tally<'_>) -> Result<Option<Digest>, DecodeError> {
    let Some(summary) = one_of("digest", field::VIEW..=field::VERSIONS, body, tally)? else {
        return Ok(None);
    };
    Ok(Some(match summary.number {
        field::VIEW => Digest::View { hash: summary.fixed64("view")? },
        field::BUCKETS => decode_buckets(summary.bytes("buckets")?, tally)?,
        _ => decode_versions(summary.bytes("versions")?, tally)?,
    }))
}

fn decode_buckets(body: &[u8], tally: &mut Tally<'_>) -> Result<Digest, DecodeError> {
    let mut hashes = None;
    for field in Fields::of("buckets", body) {
        let field = field?;
        match field.number {
            buckets::HASHES => field.bytes_once("hashes", &mut hashes)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    let hashes = fixed("hashes", hashes.unwrap_or_default())?;
    if !hashes.len().is_power_of_two() {
        return Err(DecodeError::BucketCount { found: hashes.len() as u64 });
    }
    tally.take_digest_entries(hashes.len())?;
    Ok(Digest::Buckets { hashes: hashes.iter().map(|raw| u64::from_le_bytes(*raw)).collect() })
}

fn decode_versions(body: &[u8], tally: &mut Tally<'_>) -> Result<Digest, DecodeError> {
    let (mut of, mut buckets, mut hashes) = (0, None, None);
    for field in Fields::of("versions", body) {
        let field = field?;
        match field.number {
            versions::OF => of = field.uint32("of")?,
            versions::BUCKETS => field.bytes_once("buckets", &mut buckets)?,
            versions::VERSIONS => field.bytes_once("versions", &mut hashes)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    if !of.is_power_of_two() {
        return Err(DecodeError::BucketCount { found: u64::from(of) });
    }
    Ok(Digest::Versions {
        of,
        buckets: decode_bucket_numbers(of, buckets.unwrap_or_default(), tally)?,
        versions: decode_hashes("versions", hashes.unwrap_or_default(), tally)?,
    })
}

fn decode_bucket_numbers(
    of: u32,
    column: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Vec<u32>, DecodeError> {
    let numbers = Varints::of("buckets", column);
    let count = numbers.count_left()?;
    tally.take_digest_entries(count)?;
    let mut buckets = Vec::with_capacity(count);
    // The least number that the next one may be.
    let mut least = 0;
    for bucket in numbers {
        let bucket = bucket?;
        match u32::try_from(bucket) {
            Ok(number) if number >= least && number < of => {
                buckets.push(number);
                least = number + 1;
            }
            _ => return Err(DecodeError::Bucket { bucket, of }),
        }
    }
    Ok(buckets)
}

/// A packed column of 32-bit hashes.
pub(crate) fn decode_hashes(
    name: &'static str,
    column: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Vec<u32>, DecodeError> {
    let hashes = fixed(name, column)?;
    tally.take_digest_entries(hashes.len())?;
    Ok(hashes.iter().map(|raw| u32::from_le_bytes(*raw)).collect())
}
