//! Keyrings: files read and written, what may be asked of a ring, and that no secret shows.
#![cfg(feature = "seal")]

use proptest::prelude::*;
use swim_wire::seal::{
    Algorithm, Key, KeyError, KeyId, Keyring, KeyringError, Mode, Seal, Zeroizing,
};

fn key() -> Key {
    Key::generate(Algorithm::default()).unwrap()
}

fn ids(ring: &Keyring) -> Vec<KeyId> {
    ring.keys().map(Key::id).collect()
}

fn full() -> Keyring {
    let mut ring = Keyring::new(key());
    (1..Keyring::MAX_KEYS).for_each(|_| assert_eq!(ring.install(key()), Ok(true)));
    ring
}

#[test]
fn what_is_written_is_read() {
    let ring = full();
    let read = Keyring::parse(ring.to_text().as_bytes()).unwrap();
    assert_eq!(ids(&read), ids(&ring));
    assert_eq!(*read.to_text(), *ring.to_text());
}

#[test]
fn people_may_write_it_too() {
    let (one, other) = (key(), Key::generate(Algorithm::ChaCha20Poly1305).unwrap());
    let file = format!(
        "# ours\r\n\r\n  {}\t\r\n   # older: {}\n{}",
        *one.to_text(),
        *key().to_text(),
        *other.to_text()
    );
    assert_eq!(ids(&Keyring::parse(file.as_bytes()).unwrap()), [one.id(), other.id()]);
}

/// The file as a person may have spoiled it, the line and what is said of it.
fn spoiled(good: &str, spoil: impl Fn(&str) -> Vec<u8>) -> KeyringError {
    let mut file = format!("# ours\n{}\n", *key().to_text()).into_bytes();
    file.extend(spoil(good));
    Keyring::parse(&file).unwrap_err()
}

#[test]
fn what_is_wrong_is_told_by_line_and_without_the_secret() {
    let good = key().to_text();
    let digits = good.split_once(':').unwrap().1;
    let weak = format!("aes-256-gcm:{}=", "A".repeat(43));
    let bytes = |text: String| text.into_bytes();
    type Spoil<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let cases: [(Spoil<'_>, KeyError); 10] = [
        (&|_| bytes(digits.to_owned()), KeyError::Algorithm),
        (&|_| bytes(format!("aes:{digits}")), KeyError::Algorithm),
        (&|_| bytes(format!("{digits}:{digits}")), KeyError::Algorithm),
        (&|good| bytes(format!("{good}=")), KeyError::Secret),
        (&|good| bytes(good[..good.len() - 1].to_owned()), KeyError::Secret),
        (&|good| bytes(format!("{good}{digits}")), KeyError::Secret),
        (&|good| bytes(good.replace(digits, &format!("!{}", &digits[1..]))), KeyError::Secret),
        (&|good| [good.as_bytes(), &[0xff, 0]].concat(), KeyError::Secret),
        (&|_| bytes(weak.clone()), KeyError::Weak),
        (&|_| bytes("aes-256-gcm:".to_owned()), KeyError::Secret),
    ];
    for (spoil, error) in cases {
        let found = spoiled(&good, spoil);
        assert_eq!(found, KeyringError::Line { line: 3, error });
        assert!(!tells(&format!("{found} {found:?}"), digits), "{found}");
    }
    let twice = format!("{}\n{}", *good, *good);
    let id = good.parse::<Key>().unwrap().id();
    let error = KeyringError::Line { line: 2, error: KeyError::Twice { id } };
    assert_eq!(Keyring::parse(twice.as_bytes()).unwrap_err(), error);
    let nine = format!("{}{}", *full().to_text(), *good);
    let error = KeyringError::Line { line: 10, error: KeyError::TooMany };
    assert_eq!(Keyring::parse(nine.as_bytes()).unwrap_err(), error);
    for none in ["", "\n\n", "# nothing\n"] {
        assert_eq!(Keyring::parse(none.as_bytes()).unwrap_err(), KeyringError::Empty);
    }
}

/// Whether six digits of a secret in a row occur in a text.
fn tells(text: &str, digits: &str) -> bool {
    (0..digits.len() - 5).any(|at| text.contains(&digits[at..at + 6]))
}

#[test]
fn no_secret_shows_in_what_is_printed() {
    let ring = full();
    let seal = Seal::new("prod", ring.clone(), Mode::Require).unwrap();
    let shown: String = ring.keys().map(|key| format!("{key:?} {}\n", key.id())).collect();
    let shown = format!("{shown}{ring:?}\n{ring:#?}\n{seal:?}\n{seal:#?}");
    for key in ring.keys() {
        let text = key.to_text();
        let digits = text.split_once(':').unwrap().1;
        assert!(!tells(&shown, digits), "{shown}");
        assert!(tells(&ring.to_text(), digits), "the test would not find one");
        assert!(shown.contains(&key.id().to_string()));
    }
}

#[test]
fn a_ring_refuses_what_would_cut_members_off_and_stays_as_it_was() {
    let mut ring = full();
    let before = ids(&ring);
    let unknown = key();
    let id = unknown.id();
    assert_eq!(ring.install(unknown), Err(KeyringError::Full));
    assert_eq!(ring.use_key(id), Err(KeyringError::Unknown { id }));
    assert_eq!(ring.remove(before[0]), Err(KeyringError::Primary { id: before[0] }));
    assert_eq!(ids(&ring), before);
}

#[test]
fn every_step_may_be_repeated() {
    let mut ring = Keyring::new(key());
    let (new, old) = (key(), ring.primary().id());
    assert_eq!(ring.install(new.clone()), Ok(true));
    assert_eq!(ring.install(new.clone()), Ok(false));
    assert_eq!(ring.use_key(new.id()), Ok(true));
    assert_eq!(ring.use_key(new.id()), Ok(false));
    assert_eq!(ids(&ring), [new.id(), old]);
    assert_eq!(ring.remove(old), Ok(true));
    assert_eq!(ring.remove(old), Ok(false));
    assert_eq!(ids(&ring), [new.id()]);
}

#[test]
fn using_a_key_keeps_the_order_of_the_others() {
    let mut ring = full();
    let before = ids(&ring);
    ring.use_key(before[3]).unwrap();
    let expected = [&before[3..4], &before[..3], &before[4..]].concat();
    assert_eq!(ids(&ring), expected);
}

fn seal(cluster: &str, ring: &Keyring) -> Seal {
    Seal::new(cluster, ring.clone(), Mode::Require).unwrap()
}

#[test]
fn a_key_travels_wrapped() {
    for algorithm in Algorithm::ALL {
        let (ring, new) = (Keyring::new(key()), Key::generate(algorithm).unwrap());
        let (one, other) = (seal("prod", &ring), seal("prod", &ring));
        let wrapped = one.wrap(&new).unwrap();
        let unwrapped = other.unwrap(&wrapped).unwrap();
        assert_eq!(*unwrapped.to_text(), *new.to_text());
        assert_ne!(one.wrap(&new).unwrap(), wrapped);

        assert_eq!(seal("pro", &ring).unwrap(&wrapped).unwrap_err(), KeyError::Wrapped);
        for bit in 0..wrapped.len() * 8 {
            let mut changed = wrapped;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(other.unwrap(&changed).unwrap_err(), KeyError::Wrapped, "bit {bit}");
        }
        for len in 0..wrapped.len() {
            assert_eq!(other.unwrap(&wrapped[..len]).unwrap_err(), KeyError::Wrapped);
        }
        let longer = [&wrapped[..], &[0]].concat();
        assert_eq!(other.unwrap(&longer).unwrap_err(), KeyError::Wrapped);
    }
}

#[test]
fn a_recorded_message_brings_no_key_back() {
    let mut ring = Keyring::new(key());
    let (first, leaked, last) = (ring.primary().id(), key(), key());
    let recorded = seal("prod", &ring).wrap(&leaked).unwrap();
    for (new, old) in [(leaked.clone(), first), (last, leaked.id())] {
        let id = new.id();
        ring.install(new).unwrap();
        ring.use_key(id).unwrap();
        ring.remove(old).unwrap();
    }
    assert_eq!(seal("prod", &ring).unwrap(&recorded).unwrap_err(), KeyError::Wrapped);
}

#[test]
fn ids_are_read_as_they_are_shown() {
    let id = key().id();
    assert_eq!(id.to_string().parse(), Ok(id));
    for text in ["", "1234567", "123456789", "1234567g", "+1234567", "\u{e9}\u{e9}\u{e9}\u{e9}"] {
        assert_eq!(text.parse::<KeyId>(), Err(KeyError::Id), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(file in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Keyring::parse(&file).is_err());
    }

    #[test]
    fn any_secret_comes_back(secret in any::<[u8; 32]>()) {
        prop_assume!(secret.iter().any(|byte| *byte != secret[0]));
        for algorithm in Algorithm::ALL {
            let key = Key::new(algorithm, Zeroizing::new(secret)).unwrap();
            let again: Key = key.to_text().parse().unwrap();
            prop_assert_eq!(again.id(), key.id());
            prop_assert_eq!(&*again.to_text(), &*key.to_text());
        }
    }
}
