//! Columns to records: one walk that counts and compares, one that copies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use swim_core::{Member, MemberId, MemberState, MemberUpdate};

use super::{Family, Metadata, Status, join, unzigzag};
use crate::error::DecodeError;
use crate::field::updates as field;
use crate::limits::Tally;
use crate::metadata;
use crate::reader::{Fields, Varints};

/// The records of a `Gossip` or a `Delta`.
pub(crate) fn decode_updates(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Vec<MemberUpdate>, DecodeError> {
    let columns = Columns::read(body, tally)?;
    let mut updates = Vec::with_capacity(columns.names);
    let mut rows = columns.rows();
    while let Some(row) = rows.next(tally)? {
        updates.push(MemberUpdate {
            id: row.id,
            state: row.state,
            incarnation: row.incarnation,
            address: row.address,
            metadata: row.metadata.map(|body| metadata::decode(body, tally)).transpose()?,
        });
    }
    Ok(updates)
}

/// The records of a `Sync`, as of now.
pub(crate) fn decode_members(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Vec<Member>, DecodeError> {
    let columns = Columns::read(body, tally)?;
    let last_update = Instant::now();
    let mut members = Vec::with_capacity(columns.names);
    let mut rows = columns.rows();
    while let Some(row) = rows.next(tally)? {
        let entry = members.len();
        members.push(Member {
            id: row.id,
            address: row.address.ok_or(DecodeError::MissingAddress { entry })?,
            state: row.state,
            incarnation: row.incarnation,
            metadata: metadata::decode(row.metadata.unwrap_or_default(), tally)?,
            last_update,
        });
    }
    Ok(members)
}

/// The columns of one message, as long as each other.
struct Columns<'a> {
    body: &'a [u8],
    names: usize,
    metadata: usize,
    status: &'a [u8],
    addresses: &'a [u8],
    epoch: &'a [u8],
}

impl<'a> Columns<'a> {
    /// Checks all that can be checked without reading entries, before room is made for any.
    fn read(body: &'a [u8], tally: &mut Tally<'_>) -> Result<Self, DecodeError> {
        let (mut names, mut metadata) = (0, 0);
        let (mut status, mut addresses, mut epoch) = (None, None, None);
        for field in Fields::of("updates", body) {
            let field = field?;
            match field.number {
                field::NAME => {
                    tally.check_name("name", field.bytes("name")?.len())?;
                    names += 1;
                }
                field::STATUS => field.bytes_once("status", &mut status)?,
                field::ADDRESSES => field.bytes_once("addresses", &mut addresses)?,
                field::EPOCH => field.bytes_once("epoch", &mut epoch)?,
                field::METADATA => {
                    tally.check_metadata(field.bytes("metadata")?.len())?;
                    metadata += 1;
                }
                _ => tally.decoded.skipped_fields += 1,
            }
        }
        let [status, addresses, epoch] = [status, addresses, epoch].map(Option::unwrap_or_default);
        same_length("status", Varints::of("status", status).count_left()?, names)?;
        same_length("epoch", Varints::of("epoch", epoch).count_left()?, names)?;
        tally.take_updates(names)?;
        Ok(Self { body, names, metadata, status, addresses, epoch })
    }

    fn rows(&self) -> Rows<'a> {
        Rows {
            entry: 0,
            names: Fields::of("updates", self.body),
            status: Varints::of("status", self.status),
            addresses: Addresses { rest: self.addresses, port_before: None },
            epoch: Varints::of("epoch", self.epoch),
            epoch_before: 0,
            metadata: Fields::of("updates", self.body),
            metadata_entries: self.metadata,
            metadata_taken: 0,
        }
    }
}

fn same_length(column: &'static str, found: usize, expected: usize) -> Result<(), DecodeError> {
    match found == expected {
        true => Ok(()),
        false => Err(DecodeError::ColumnLength { column, found, expected }),
    }
}

/// One record with its metadata still encoded.
struct Row<'a> {
    id: MemberId,
    state: MemberState,
    incarnation: u64,
    address: Option<SocketAddr>,
    metadata: Option<&'a [u8]>,
}

/// A cursor in each column.
struct Rows<'a> {
    entry: usize,
    names: Fields<'a>,
    status: Varints<'a>,
    addresses: Addresses<'a>,
    epoch: Varints<'a>,
    epoch_before: u32,
    metadata: Fields<'a>,
    metadata_entries: usize,
    metadata_taken: usize,
}

impl<'a> Rows<'a> {
    fn next(&mut self, tally: &Tally<'_>) -> Result<Option<Row<'a>>, DecodeError> {
        let Some(name) = self.names.next_bytes(field::NAME, "name")? else {
            self.finish()?;
            return Ok(None);
        };
        let id = tally.name("name", name)?;
        // The columns have been counted: neither is shorter than the names.
        let bits = self.status.next().transpose()?.unwrap_or_default();
        let difference = unzigzag(self.epoch.next().transpose()?.unwrap_or_default());

        let entry = self.entry;
        let nonsense = || DecodeError::Status { status: bits, entry };
        let status = Status::from_bits(bits).ok_or_else(nonsense)?;
        let address = self.addresses.next(&status, nonsense)?;
        let epoch = self.next_epoch(difference)?;
        let metadata = match status.metadata {
            Metadata::Unsaid => None,
            Metadata::Empty => Some(&[][..]),
            Metadata::Entry => self.next_metadata()?,
        };
        self.entry += 1;
        let incarnation = join(epoch, status.counter);
        Ok(Some(Row { id, state: status.state, incarnation, address, metadata }))
    }

    fn next_epoch(&mut self, difference: i64) -> Result<u32, DecodeError> {
        self.epoch_before = i64::from(self.epoch_before)
            .checked_add(difference)
            .and_then(|epoch| u32::try_from(epoch).ok())
            .ok_or(DecodeError::Epoch { difference, entry: self.entry })?;
        Ok(self.epoch_before)
    }

    fn next_metadata(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        self.metadata_taken += 1;
        let found = self.metadata.next_bytes(field::METADATA, "metadata")?;
        if found.is_none() {
            same_length("metadata", self.metadata_entries, self.metadata_taken)?;
        }
        Ok(found)
    }

    /// After the last record: nothing may be left over.
    fn finish(&self) -> Result<(), DecodeError> {
        same_length("metadata", self.metadata_entries, self.metadata_taken)?;
        match self.addresses.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::AddressesTooLong { left }),
        }
    }
}

/// A cursor in the addresses.
struct Addresses<'a> {
    rest: &'a [u8],
    port_before: Option<u16>,
}

impl Addresses<'_> {
    /// The address that `status` announces; `nonsense` if it wants a port that there is not.
    fn next(
        &mut self,
        status: &Status,
        nonsense: impl Fn() -> DecodeError,
    ) -> Result<Option<SocketAddr>, DecodeError> {
        let ip = match status.family {
            Family::None => return Ok(None),
            Family::V4 => IpAddr::from(Ipv4Addr::from(self.take::<4>()?)),
            Family::V6 => IpAddr::from(Ipv6Addr::from(self.take::<16>()?)),
        };
        let port = match self.port_before {
            Some(port) if status.same_port => port,
            None if status.same_port => return Err(nonsense()),
            _ => u16::from_be_bytes(self.take()?),
        };
        self.port_before = Some(port);
        Ok(Some(SocketAddr::new(ip, port)))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let missing = N.saturating_sub(self.rest.len());
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(DecodeError::AddressesTooShort { missing })?;
        self.rest = rest;
        Ok(*taken)
    }
}
