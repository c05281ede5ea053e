//! A key of the cluster: what its members have in common, and strangers have not.

use std::fmt;
use std::str::FromStr;

use base64::engine::{Engine as _, general_purpose::STANDARD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Carrier;
use super::cipher::Cipher;
use super::error::KeyError;
use super::header::SessionId;
use super::wrap::SALT_LEN;

/// Bytes of a secret, with either algorithm.
pub(super) const SECRET_LEN: usize = 32;
/// Bytes of a secret in base64.
const TEXT_LEN: usize = SECRET_LEN.div_ceil(3) * 4;

/// What a key is for. It belongs to the key and does not travel: nobody can have a receiver open a
/// packet with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// AES-256-GCM (NIST SP 800-38D): the faster one on processors with instructions for it, which
    /// is all that servers have had since about 2013.
    #[default]
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439): the faster one where there are no such instructions.
    ChaCha20Poly1305,
}

impl Algorithm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// Its name in keyring files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::ChaCha20Poly1305 => "chacha20-poly1305",
        }
    }

    /// What parts the keys derived from one secret for two algorithms.
    fn label(self) -> u8 {
        match self {
            Self::Aes256Gcm => 1,
            Self::ChaCha20Poly1305 => 2,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or(KeyError::Algorithm)
    }
}

/// The name of a key: 32 bits derived from it, of which the key cannot be found. It may be shown
/// to anyone, and travels in each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub(super) [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    /// Eight hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() != 8 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(KeyError::Id);
        }
        u32::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| KeyError::Id)
    }
}

/// A secret of 256 bits and what it is for.
///
/// It is overwritten when it is dropped, and shown by its id alone; [`to_text`](Self::to_text) is
/// the one way to see it. As text it is `algorithm:base64`.
///
/// ```
/// use swim_wire::seal::{Algorithm, Key};
/// let key = Key::generate(Algorithm::Aes256Gcm)?;
/// assert_eq!(key.to_text().parse::<Key>()?.id(), key.id());
/// assert_eq!(format!("{key:?}"), format!("Key(aes-256-gcm {})", key.id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    id: KeyId,
    secret: Zeroizing<[u8; SECRET_LEN]>,
}

impl Key {
    /// A new key from the system's random source.
    ///
    /// # Errors
    /// [`KeyError::Random`] where the system has none.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        getrandom::fill(&mut *secret).map_err(|_| KeyError::Random)?;
        Self::new(algorithm, secret)
    }

    /// The key of a secret that was drawn elsewhere. It must have come from a random source: a
    /// password is none.
    ///
    /// # Errors
    /// [`KeyError::Weak`] for a secret of one byte 32 times over: what a place-holder looks like.
    pub fn new(
        algorithm: Algorithm,
        secret: Zeroizing<[u8; SECRET_LEN]>,
    ) -> Result<Self, KeyError> {
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(KeyError::Weak);
        }
        let mut id = [0; 4];
        derive(&secret, &[b"swim seal 1 key id", &[algorithm.label()]], &mut id);
        Ok(Self { algorithm, id: KeyId(id), secret })
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself, `algorithm:base64`, as a keyring file has it. Not for logs.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0; TEXT_LEN]);
        let written = STANDARD.encode_slice(*self.secret, &mut *digits);
        debug_assert_eq!(written, Ok(TEXT_LEN));
        // At its length from the start: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN + 32));
        text.push_str(self.algorithm.name());
        text.push(':');
        text.extend(digits.iter().map(|digit| char::from(*digit)));
        text
    }

    /// Whether it is the same key, and not only one of the same id.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // Who installs a key has it, and learns nothing from how long this takes.
        self.algorithm == other.algorithm && *self.secret == *other.secret
    }

    /// The cipher of one session of one sender: HKDF-Expand (RFC 5869) of this key, which being
    /// uniform needs no extraction. A packet of one carrier can so never pass on the other.
    pub(super) fn cipher(&self, session: SessionId, carrier: Carrier) -> Cipher {
        let parts = [self.algorithm.label(), carrier.label()];
        self.derive_cipher(&[b"swim seal 1 session", &parts, &session.0])
    }

    /// The cipher that wraps one other key.
    pub(super) fn wrapping_cipher(&self, salt: &[u8; SALT_LEN]) -> Cipher {
        self.derive_cipher(&[b"swim seal 1 wrap", &[self.algorithm.label()], salt])
    }

    fn derive_cipher(&self, info: &[&[u8]]) -> Cipher {
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        derive(&self.secret, info, &mut *secret);
        Cipher::new(self.algorithm, &secret)
    }

    /// Algorithm and secret, to be wrapped.
    pub(super) fn to_bytes(&self) -> Zeroizing<[u8; 1 + SECRET_LEN]> {
        let mut bytes = Zeroizing::new([0; 1 + SECRET_LEN]);
        bytes[0] = self.algorithm.label();
        bytes[1..].copy_from_slice(&*self.secret);
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made.
    pub(super) fn from_bytes(bytes: &[u8; 1 + SECRET_LEN]) -> Result<Self, KeyError> {
        let algorithm = Algorithm::ALL.into_iter().find(|one| one.label() == bytes[0]);
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        secret.copy_from_slice(&bytes[1..]);
        Self::new(algorithm.ok_or(KeyError::Algorithm)?, secret)
    }
}

fn derive(secret: &[u8; SECRET_LEN], info: &[&[u8]], out: &mut [u8]) {
    Hkdf::<Sha256>::from_prk(secret)
        .expect("a secret is as long as a hash")
        .expand_multi_info(info, out)
        .expect("one hash is enough for what is derived");
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (algorithm, digits) = text.split_once(':').ok_or(KeyError::Algorithm)?;
        let algorithm = algorithm.parse()?;
        // The engine wants room for what four more digits could mean.
        let mut bytes = Zeroizing::new([0; SECRET_LEN + 3]);
        // Its own error would tell a digit and where it stands.
        let len = STANDARD.decode_slice(digits, &mut *bytes).map_err(|_| KeyError::Secret)?;
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        if len != SECRET_LEN {
            return Err(KeyError::Secret);
        }
        secret.copy_from_slice(&bytes[..SECRET_LEN]);
        Self::new(algorithm, secret)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.algorithm, self.id)
    }
}
