//! Values of the configuration file: read as flags are, and what is wrong says what is expected.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;

use clap::ValueEnum;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cli::address;

/// A number of milliseconds.
pub(super) fn millis<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    from.deserialize_any(Number("milliseconds, a whole number such as 1000", PhantomData))
}

/// A number of something else.
pub(super) fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    from.deserialize_any(Number("a whole number", PhantomData))
}

/// `IP:PORT`, which is no name.
pub(super) fn ip_port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    parsed(from, address::ip_port)
}

/// `IP:PORT` of an agent.
pub(super) fn bind<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    parsed(from, address::bind)
}

fn parsed<'de, D: Deserializer<'de>, T>(
    from: D,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = |why| D::Error::custom(format!("{why}, not {text:?}"));
    parse(&text).map(Some).map_err(wrong)
}

/// One of the words that the flag of this name takes.
pub(super) fn word<'de, D: Deserializer<'de>, T: ValueEnum>(
    from: D,
) -> Result<Option<T>, D::Error> {
    from.deserialize_any(Word(PhantomData))
}

/// A list of texts.
pub(super) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    from.deserialize_any(List)
}

struct Number<T>(&'static str, PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Number<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        match u64::try_from(value).ok().and_then(|value| T::try_from(value).ok()) {
            Some(value) => Ok(Some(value)),
            None => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }
}

struct Word<T>(PhantomData<T>);

impl<T: ValueEnum> Visitor<'_> for Word<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let words: Vec<_> = words.map(|word| format!("{:?}", word.get_name())).collect();
        write!(f, "one of {}", words.join(", "))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let wrong = |_| E::invalid_value(Unexpected::Str(text), &self);
        T::from_str(text, false).map(Some).map_err(wrong)
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Option<Vec<String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, such as [\"node-1:7946\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(text) = texts.next_element()? {
            all.push(text);
        }
        Ok(Some(all))
    }
}
