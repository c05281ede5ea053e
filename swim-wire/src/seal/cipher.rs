//! The two algorithms, behind one face: the only place that knows the crates they come from.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;

use super::header::TAG_LEN;
use super::key::Algorithm;

/// The cipher of one session. A counter must never seal twice.
#[allow(clippy::large_enum_variant, reason = "lives on the stack while a packet is opened")]
pub(super) enum Cipher {
    Aes(Aes256Gcm),
    ChaCha(ChaCha20Poly1305),
}

impl Cipher {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8; 32]) -> Self {
        match algorithm {
            Algorithm::Aes256Gcm => Self::Aes(Aes256Gcm::new(secret.into())),
            Algorithm::ChaCha20Poly1305 => Self::ChaCha(ChaCha20Poly1305::new(secret.into())),
        }
    }

    /// Encrypts at most 4 GiB in place.
    pub(super) fn seal(&self, counter: u32, aad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = nonce(counter).into();
        match self {
            Self::Aes(aes) => aes.encrypt_inout_detached(&nonce, aad, text.into()),
            Self::ChaCha(chacha) => chacha.encrypt_inout_detached(&nonce, aad, text.into()),
        }
        .expect("both algorithms take 64 GiB")
        .into()
    }

    /// Decrypts in place; where the tag is wrong, it is false, and `text` as it was. Both crates
    /// compare tags in constant time.
    pub(super) fn open(
        &self,
        counter: u32,
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> bool {
        let (nonce, tag) = (nonce(counter).into(), tag.into());
        match self {
            Self::Aes(aes) => aes.decrypt_inout_detached(&nonce, aad, text.into(), tag),
            Self::ChaCha(chacha) => chacha.decrypt_inout_detached(&nonce, aad, text.into(), tag),
        }
        .is_ok()
    }
}

/// The session is in the key, so the counter is all that a nonce needs.
fn nonce(counter: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&counter.to_be_bytes());
    nonce
}
