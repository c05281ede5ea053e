//! A key on its way to members, sealed with one that they have: what passes it on, keeps it or shows
//! it (a query, a log) holds nothing of it.
//!
//! It is sealed with the primary. So a message that brought a key once brings it no more when the
//! primary of that time is removed: nobody can have a ring take back what was rotated out.

use super::Zeroizing;
use super::error::KeyError;
use super::header::{Aad, TAG_LEN};
use super::key::{Key, KeyId, SECRET_LEN};
use super::keyring::Keyring;

/// Random bytes that give each wrapping a cipher of its own.
pub(super) const SALT_LEN: usize = 16;
/// Algorithm and secret.
const TEXT_LEN: usize = 1 + SECRET_LEN;
/// Bytes of a wrapped key: id of the key that wraps, salt, what is wrapped, tag.
pub const WRAPPED_LEN: usize = 4 + SALT_LEN + TEXT_LEN + TAG_LEN;

/// `key`, wrapped by another.
pub(super) fn wrap(key: &Key, by: &Key, cluster: &str) -> Result<[u8; WRAPPED_LEN], KeyError> {
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt).map_err(|_| KeyError::Random)?;
    let mut wrapped = [0; WRAPPED_LEN];
    let (head, rest) = wrapped.split_at_mut(4 + SALT_LEN);
    head[..4].copy_from_slice(&by.id().0);
    head[4..].copy_from_slice(&salt);
    let (text, tag) = rest.split_at_mut(TEXT_LEN);
    text.copy_from_slice(&*key.to_bytes());
    let aad = Aad::new(head, cluster);
    tag.copy_from_slice(&by.wrapping_cipher(&salt).seal(0, aad.bytes(), text));
    Ok(wrapped)
}

/// The key in `wrapped`, if one of the ring wrapped it.
pub(super) fn unwrap(wrapped: &[u8], ring: &Keyring, cluster: &str) -> Result<Key, KeyError> {
    let (id, salt, text, tag) = split(wrapped).ok_or(KeyError::Wrapped)?;
    let by = ring.get(KeyId(*id)).ok_or(KeyError::Wrapped)?;
    let aad = Aad::new(&wrapped[..4 + SALT_LEN], cluster);
    let mut text = Zeroizing::new(*text);
    if !by.wrapping_cipher(salt).open(0, aad.bytes(), &mut *text, tag) {
        return Err(KeyError::Wrapped);
    }
    Key::from_bytes(&text)
}

type Parts<'w> = (&'w [u8; 4], &'w [u8; SALT_LEN], &'w [u8; TEXT_LEN], &'w [u8; TAG_LEN]);

fn split(wrapped: &[u8]) -> Option<Parts<'_>> {
    let (id, rest) = wrapped.split_first_chunk()?;
    let (salt, rest) = rest.split_first_chunk()?;
    let (text, tag) = rest.split_first_chunk()?;
    Some((id, salt, text, tag.try_into().ok()?))
}
