//! What agents ask each other about keys, and answer: a query and its answers, in text but for a key, which
//! is wrapped.

use std::fmt::Write as _;

use swim_wire::seal::{Algorithm, KeyId, Keyring, Mode, WRAPPED_LEN};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Which keys are there?
    List,
    /// Open with this key too: it is wrapped.
    Install([u8; WRAPPED_LEN]),
    /// Seal with this one.
    Use(KeyId),
    /// Forget this one.
    Remove(KeyId),
}

impl Request {
    /// The payload of the query.
    pub(super) fn to_payload(&self) -> Vec<u8> {
        match self {
            Self::List => b"list".to_vec(),
            Self::Install(wrapped) => [b"install ", &wrapped[..]].concat(),
            Self::Use(id) => format!("use {id}").into_bytes(),
            Self::Remove(id) => format!("remove {id}").into_bytes(),
        }
    }

    /// What a payload asks; `None` if that is nothing.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let id = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        if payload == b"list" {
            Some(Self::List)
        } else if let Some(wrapped) = payload.strip_prefix(b"install ") {
            Some(Self::Install(wrapped.try_into().ok()?))
        } else if let Some(text) = payload.strip_prefix(b"use ") {
            Some(Self::Use(id(text)?))
        } else {
            Some(Self::Remove(id(payload.strip_prefix(b"remove ")?)?))
        }
    }
}

/// What a member says of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberKeys {
    /// What it sends and takes.
    pub sealing: Mode,
    /// The keys that it opens with; it seals with the first, if it seals.
    pub keys: Vec<(KeyId, Algorithm)>,
    /// Why it did not do what it was asked to, in its words.
    pub refused: Option<String>,
}

/// Characters of a member's reason; the rest is cut off.
const MAX_REASON: usize = 200;

impl MemberKeys {
    pub(super) fn new(sealing: Mode, ring: &Keyring, refused: Option<String>) -> Self {
        let keys = ring.keys().map(|key| (key.id(), key.algorithm())).collect();
        Self { sealing, keys, refused }
    }

    /// Whether it opens what is sealed with this key.
    pub fn holds(&self, id: KeyId) -> bool {
        self.keys.iter().any(|(held, _)| *held == id)
    }

    /// Whether it seals with this key.
    pub fn uses(&self, id: KeyId) -> bool {
        self.keys.first().is_some_and(|(held, _)| *held == id)
    }

    /// The payload of the answer: mode, then a key a line, then the refusal.
    pub(super) fn to_payload(&self) -> Vec<u8> {
        let mut text = format!("{}\n", self.sealing.name());
        for (id, algorithm) in &self.keys {
            // Writing to a string never fails.
            let _ = writeln!(text, "{id} {algorithm}");
        }
        if let Some(why) = &self.refused {
            let _ = writeln!(text, "! {why}");
        }
        text.into_bytes()
    }

    /// What an answer says; `None` if it makes no sense.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(payload).ok()?.lines();
        let mode = lines.next()?;
        let sealing = Mode::ALL.into_iter().find(|one| one.name() == mode)?;
        let (mut keys, mut refused) = (Vec::new(), None);
        for line in lines {
            if let Some(why) = line.strip_prefix("! ") {
                refused = Some(why.chars().take(MAX_REASON).collect());
                continue;
            }
            let (id, algorithm) = line.split_once(' ')?;
            keys.push((id.parse().ok()?, algorithm.parse().ok()?));
        }
        (1..=Keyring::MAX_KEYS).contains(&keys.len()).then_some(Self { sealing, keys, refused })
    }
}

#[cfg(test)]
mod tests {
    use swim_wire::seal::Key;

    use super::*;

    #[test]
    fn requests_and_answers_are_read_as_they_were_written() {
        let key = Key::generate(Algorithm::ChaCha20Poly1305).unwrap();
        let id = key.id();
        for request in [
            Request::List,
            Request::Install([7; WRAPPED_LEN]),
            Request::Use(id),
            Request::Remove(id),
        ] {
            assert_eq!(Request::parse(&request.to_payload()), Some(request));
        }
        for refused in [None, Some("the disk is full".to_owned())] {
            let answer = MemberKeys::new(Mode::Send, &Keyring::new(key.clone()), refused);
            assert_eq!(MemberKeys::parse(&answer.to_payload()), Some(answer));
        }
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let id = "1f2e3d4c";
        for junk in
            ["", "lists", "install ", "install 123", "use", "use x", "remove ", "drop", "\u{0}"]
        {
            assert_eq!(Request::parse(junk.as_bytes()), None, "{junk:?}");
        }
        let nine = format!("require\n{}", format!("{id} aes-256-gcm\n").repeat(9));
        for junk in ["", "require", "loud\n1f2e3d4c aes-256-gcm", "send\n1f2e3d4c rot13", &nine] {
            assert_eq!(MemberKeys::parse(junk.as_bytes()), None, "{junk:?}");
        }
        assert_eq!(MemberKeys::parse(b"\xff"), None);
        let long = format!("send\n{id} aes-256-gcm\n! {}", "w".repeat(1_000));
        assert_eq!(MemberKeys::parse(long.as_bytes()).unwrap().refused.unwrap().len(), MAX_REASON);
    }
}
