//! Protobuf read in place: one field after another, nothing copied, nothing recursive.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::DecodeError;

/// A field's number and type. Nearly all take one byte, for which prost's general way takes five
/// times as long; so does that of numbers.
fn key(rest: &mut &[u8]) -> Option<(u32, WireType)> {
    match rest.split_first()? {
        // Below 8 it would be field 0, which there is not.
        (&byte @ 8..0x80, tail) => {
            *rest = tail;
            Some((u32::from(byte >> 3), WireType::try_from(u64::from(byte & 7)).ok()?))
        }
        _ => decode_key(rest).ok(),
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    match rest.split_first()? {
        (&byte @ 0..0x80, tail) => {
            *rest = tail;
            Some(u64::from(byte))
        }
        _ => decode_varint(rest).ok(),
    }
}

/// The fields of one message, in the order in which they were written.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    message: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Those of `bytes`; `message` is for errors.
    pub(crate) fn of(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, rest: bytes }
    }

    /// The content of the next field of that number, others skipped.
    ///
    /// # Errors
    /// As the iterator's, and the wrong wire type of that field.
    pub(crate) fn next_bytes(
        &mut self,
        number: u32,
        name: &'static str,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        for field in self {
            let field = field?;
            if field.number == number {
                return field.bytes(name).map(Some);
            }
        }
        Ok(None)
    }

    /// `None` for what is not protobuf.
    fn read(&mut self) -> Option<Field<'a>> {
        let (number, wire_type) = key(&mut self.rest)?;
        let value = match wire_type {
            WireType::Varint => Value::Varint(varint(&mut self.rest)?),
            WireType::SixtyFourBit => {
                let (raw, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                Value::Fixed64(u64::from_le_bytes(*raw))
            }
            WireType::LengthDelimited => {
                let len = usize::try_from(varint(&mut self.rest)?).ok()?;
                let (bytes, rest) = self.rest.split_at_checked(len)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            _ => {
                let context = DecodeContext::default();
                skip_field(wire_type, number, &mut self.rest, context).ok()?;
                Value::Other
            }
        };
        Some(Field { number, value })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (message, left) = (self.message, self.rest.len());
        let field = self.read();
        if field.is_none() {
            // An iterator that failed has nothing more to say.
            self.rest = &[];
        }
        Some(field.ok_or(DecodeError::Malformed { message, left }))
    }
}

/// One field as it stands in the bytes.
pub(crate) struct Field<'a> {
    /// Its number in the schema.
    pub(crate) number: u32,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Of a type that no field of the schema has.
    Other,
}

impl<'a> Field<'a> {
    /// Its number, if it is a varint; `name` is for errors, here and below.
    pub(crate) fn uint64(&self, name: &'static str) -> Result<u64, DecodeError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(DecodeError::WireType { field: name }),
        }
    }

    /// Its number, if it is a varint of at most 32 bits.
    pub(crate) fn uint32(&self, name: &'static str) -> Result<u32, DecodeError> {
        narrow(name, self.uint64(name)?)
    }

    /// Its number, if it is one of 8 bytes.
    pub(crate) fn fixed64(&self, name: &'static str) -> Result<u64, DecodeError> {
        match self.value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(DecodeError::WireType { field: name }),
        }
    }

    /// Its content, if it is a text, bytes, a column or a message.
    pub(crate) fn bytes(&self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(DecodeError::WireType { field: name }),
        }
    }

    /// Its content, into a slot for what may occur only once.
    pub(crate) fn bytes_once(
        &self,
        name: &'static str,
        slot: &mut Option<&'a [u8]>,
    ) -> Result<(), DecodeError> {
        match slot.replace(self.bytes(name)?) {
            None => Ok(()),
            Some(_) => Err(DecodeError::Repeated { field: name }),
        }
    }
}

/// The numbers of a packed column of varints.
pub(crate) struct Varints<'a> {
    column: &'static str,
    rest: &'a [u8],
}

impl<'a> Varints<'a> {
    /// Those of `bytes`; `column` is for errors.
    pub(crate) fn of(column: &'static str, bytes: &'a [u8]) -> Self {
        Self { column, rest: bytes }
    }

    /// How many there are: each ends with the only byte of its own below 0x80.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if the last one has no end.
    pub(crate) fn count_left(&self) -> Result<usize, DecodeError> {
        match self.rest.last() {
            Some(0x80..) => Err(DecodeError::Malformed { message: self.column, left: 1 }),
            _ => Ok(self.rest.iter().filter(|byte| **byte < 0x80).count()),
        }
    }
}

impl Iterator for Varints<'_> {
    type Item = Result<u64, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (message, left) = (self.column, self.rest.len());
        Some(varint(&mut self.rest).ok_or_else(|| {
            self.rest = &[];
            DecodeError::Malformed { message, left }
        }))
    }
}

/// The numbers of a packed column of `N` bytes each; how many is known at once.
///
/// # Errors
/// [`DecodeError::UnevenColumn`].
pub(crate) fn fixed<'a, const N: usize>(
    column: &'static str,
    bytes: &'a [u8],
) -> Result<&'a [[u8; N]], DecodeError> {
    match bytes.as_chunks() {
        (numbers, []) => Ok(numbers),
        _ => Err(DecodeError::UnevenColumn { column, len: bytes.len(), size: N }),
    }
}

/// `value` as a smaller number.
///
/// # Errors
/// [`DecodeError::NumberTooLarge`].
pub(crate) fn narrow<T: TryFrom<u64> + Bounded>(
    field: &'static str,
    value: u64,
) -> Result<T, DecodeError> {
    T::try_from(value).map_err(|_| DecodeError::NumberTooLarge { field, found: value, max: T::MAX })
}

/// Numbers that fields are narrowed to.
pub(crate) trait Bounded {
    /// The largest.
    const MAX: u64;
}

impl Bounded for u8 {
    const MAX: u64 = u8::MAX as u64;
}

impl Bounded for u32 {
    const MAX: u64 = u32::MAX as u64;
}
