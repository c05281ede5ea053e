//! Files with the keys of a cluster.

use swim_wire::seal::{Algorithm, Key, Keyring, KeyringError, Zeroizing};

use crate::source::Source;

/// Reads bytes as a keyring file, and, since few bytes are one, as what to put together to one. What was
/// read is written and read again, and has the same keys in the same order; what is wrong is told by its
/// line, and without what stands there.
pub fn keyring_file(bytes: &[u8]) {
    check(bytes);
    check(&written(bytes));
}

fn check(file: &[u8]) {
    match Keyring::parse(file) {
        Ok(ring) => whole(&ring),
        Err(error) => told(file, &error),
    }
}

fn whole(ring: &Keyring) {
    assert!((1..=Keyring::MAX_KEYS).contains(&ring.len()));
    let text = ring.to_text();
    let mut again = Keyring::parse(text.as_bytes()).expect("what was written");
    assert_eq!(*again.to_text(), *text);
    for (at, key) in ring.keys().enumerate() {
        assert!(ring.keys().skip(at + 1).all(|other| other.id() != key.id()), "a key twice");
        assert!(!format!("{ring:?}").contains(&key.to_text()[key.algorithm().name().len() + 1..]));
        assert_eq!(again.install(key.clone()), Ok(false), "it is there");
        assert!(again.use_key(key.id()).is_ok());
        assert_eq!(again.primary().id(), key.id());
        assert_eq!(again.remove(key.id()), Err(KeyringError::Primary { id: key.id() }));
    }
    for key in ring.keys().take(ring.len() - 1) {
        assert_eq!(again.remove(key.id()), Ok(true));
    }
    assert_eq!(again.len(), 1, "the last one used stays");
}

/// Digits of a secret that an error must not repeat. No word that errors have of their own is as long.
const DIGITS: usize = 12;

fn told(file: &[u8], error: &KeyringError) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control) && text.len() < 100, "{text:?}");
    let lines = file.split(|byte| *byte == b'\n').count();
    match error {
        KeyringError::Line { line, .. } => assert!((1..=lines).contains(line)),
        other => assert_eq!(*other, KeyringError::Empty),
    }
    for line in file.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let shown = |digits: &[u8]| {
            digits.iter().all(|digit| digit.is_ascii_alphanumeric() || b"+/=".contains(digit))
                && text.as_bytes().windows(DIGITS).any(|part| part == digits)
        };
        assert!(!line[at + 1..].windows(DIGITS).any(shown), "{text:?} tells a secret");
    }
}

/// Lines as people write and spoil them.
fn written(bytes: &[u8]) -> Vec<u8> {
    let mut source = Source::new(bytes);
    let mut file = Vec::new();
    while !source.is_empty() {
        match source.below(8) {
            0 => file.extend_from_slice(b"  # ours"),
            1 => {
                let len = source.below(64);
                file.extend_from_slice(source.take(len));
            }
            2 => file.extend_from_slice(b"aes-256-gcm:"),
            kind => file.extend_from_slice(&key(&mut source, kind == 3)),
        }
        file.extend_from_slice([b"\n", b"\r\n".as_slice(), b" \t\n", b""][source.below(4)]);
    }
    file
}

/// A key in a line, of few secrets, so that some come twice; spoiled at one place, if it is to be.
fn key(source: &mut Source<'_>, spoiled: bool) -> Vec<u8> {
    let algorithm = Algorithm::ALL[source.below(2)];
    let mut secret = [7; 32];
    secret[0] = source.byte();
    // One that is the same byte all over is none.
    let Ok(key) = Key::new(algorithm, Zeroizing::new(secret)) else { return Vec::new() };
    let mut line = key.to_text().as_bytes().to_vec();
    if spoiled {
        let at = source.below(line.len());
        line[at] = source.byte();
    }
    line
}
