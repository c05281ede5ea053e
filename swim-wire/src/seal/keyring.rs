//! The keys that a node opens with, and the one that it seals with.

use std::fmt::{self, Write as _};

use zeroize::Zeroizing;

use super::error::{KeyError, KeyringError};
use super::key::{Key, KeyId};

/// One to eight keys. Packets are sealed with the first, the primary, and opened with any.
///
/// To replace a key, it is installed everywhere, then used everywhere, then the old one is removed
/// everywhere: so whoever is asked has the key that whoever asks seals with. All three may be
/// repeated; what was so already stays so.
///
/// As a file: one key a line, `algorithm:base64`, the primary first; `#` begins a comment line.
///
/// ```
/// use swim_wire::seal::{Algorithm, Key, Keyring};
/// let (old, new) = (Key::generate(Algorithm::Aes256Gcm)?, Key::generate(Algorithm::Aes256Gcm)?);
/// let (first, second) = (old.id(), new.id());
/// let mut ring = Keyring::new(old);
/// ring.install(new)?;
/// ring.use_key(second)?;
/// ring.remove(first)?;
/// assert_eq!(ring.primary().id(), second);
/// assert_eq!(Keyring::parse(ring.to_text().as_bytes())?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    /// Never empty, the primary first.
    keys: Vec<Key>,
}

#[allow(clippy::len_without_is_empty, reason = "it never is")]
impl Keyring {
    /// Most keys of a ring: two during a change, and room for changes that nobody finished.
    pub const MAX_KEYS: usize = 8;

    /// A ring of one key.
    pub fn new(primary: Key) -> Self {
        Self { keys: vec![primary] }
    }

    /// Reads the content of a keyring file.
    ///
    /// # Errors
    /// [`KeyringError::Line`] and [`KeyringError::Empty`]: what is wrong, in which line, and
    /// nothing of what stands there.
    pub fn parse(file: &[u8]) -> Result<Self, KeyringError> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let wrong = |error| KeyringError::Line { line: at + 1, error };
            // A text that is none cannot be a key.
            let text = str::from_utf8(line).map_err(|_| wrong(KeyError::Secret))?;
            let key: Key = text.parse().map_err(wrong)?;
            if keys.iter().any(|other| other.id() == key.id()) {
                return Err(wrong(KeyError::Twice { id: key.id() }));
            }
            if keys.len() == Self::MAX_KEYS {
                return Err(wrong(KeyError::TooMany));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Self { keys }) }
    }

    /// What [`parse`](Self::parse) reads. Not for logs.
    pub fn to_text(&self) -> Zeroizing<String> {
        // At its length from the start: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(128 * (1 + self.keys.len())));
        text.push_str("# Keys of the cluster; the first one seals. Keep this file secret.\n");
        for key in &self.keys {
            // Writing to a string never fails.
            let _ = writeln!(text, "{}", *key.to_text());
        }
        text
    }

    /// The key that packets are sealed with.
    pub fn primary(&self) -> &Key {
        &self.keys[0]
    }

    /// The key of that name.
    pub fn get(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// All keys, the primary first.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.keys.iter()
    }

    /// How many keys there are: 1 to [`MAX_KEYS`](Self::MAX_KEYS).
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Adds a key to open with; says whether it is new here.
    ///
    /// # Errors
    /// [`KeyringError::Full`] and [`KeyringError::Taken`]. The ring is then as it was.
    pub fn install(&mut self, key: Key) -> Result<bool, KeyringError> {
        if let Some(held) = self.get(key.id()) {
            // Two keys of one id occur once in 2^32 pairs, or where somebody looked for them.
            let taken = KeyringError::Taken { id: key.id() };
            return if held.is_same(&key) { Ok(false) } else { Err(taken) };
        }
        if self.keys.len() == Self::MAX_KEYS {
            return Err(KeyringError::Full);
        }
        self.keys.push(key);
        Ok(true)
    }

    /// Has an installed key seal from now on; says whether it did not before.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`]. The ring is then as it was.
    pub fn use_key(&mut self, id: KeyId) -> Result<bool, KeyringError> {
        let at = self.position(id)?;
        self.keys[..=at].rotate_right(1);
        Ok(at > 0)
    }

    /// Takes a key away; what is sealed with it is refused from then on. One that is not there
    /// is no error: it may be repeated.
    ///
    /// # Errors
    /// [`KeyringError::Primary`]. The ring is then as it was.
    pub fn remove(&mut self, id: KeyId) -> Result<bool, KeyringError> {
        match self.position(id) {
            Ok(0) => Err(KeyringError::Primary { id }),
            Ok(at) => {
                self.keys.remove(at);
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    fn position(&self, id: KeyId) -> Result<usize, KeyringError> {
        self.keys.iter().position(|key| key.id() == id).ok_or(KeyringError::Unknown { id })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}
