//! Records to columns: one pass that measures, one that writes per column.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use bytes::{BufMut, BytesMut};
use prost::encoding::encoded_len_varint;
use swim_core::{Member, MemberId, MemberState, MemberUpdate};

use super::{Family, Metadata, Status, split, zigzag};
use crate::field::updates as field;
use crate::metadata;
use crate::writer::{delimited_len, nonempty_len, put_header, put_number};

/// One record, whatever it comes from; without metadata, nothing is said of it.
pub(crate) struct Record<'a> {
    id: &'a MemberId,
    state: MemberState,
    incarnation: u64,
    address: Option<SocketAddr>,
    metadata: Option<&'a HashMap<String, String>>,
}

/// Records with what the columns say of them in the light of the records before.
fn rows<'a>(records: impl Iterator<Item = Record<'a>>) -> impl Iterator<Item = Row<'a>> {
    let (mut epoch_before, mut port_before) = (0, None);
    records.map(move |record| {
        let row = Row::new(record, epoch_before, port_before);
        epoch_before = row.epoch;
        port_before = row.record.address.map(|address| address.port()).or(port_before);
        row
    })
}

impl<'a> Record<'a> {
    fn family(&self) -> Family {
        match self.address {
            None => Family::None,
            Some(SocketAddr::V4(_)) => Family::V4,
            Some(SocketAddr::V6(_)) => Family::V6,
        }
    }

    /// What the column of metadata has of it.
    fn entry(&self) -> Option<&'a HashMap<String, String>> {
        self.metadata.filter(|_| self.metadata_said() == Metadata::Entry)
    }

    fn metadata_said(&self) -> Metadata {
        let implied = Metadata::implied(self.family());
        match self.metadata {
            None => Metadata::Unsaid,
            Some(metadata) if metadata.is_empty() && implied == Metadata::Empty => implied,
            Some(_) => Metadata::Entry,
        }
    }
}

impl<'a> From<&'a MemberUpdate> for Record<'a> {
    fn from(update: &'a MemberUpdate) -> Self {
        Self {
            id: &update.id,
            state: update.state,
            incarnation: update.incarnation,
            address: update.address,
            metadata: update.metadata.as_ref(),
        }
    }
}

impl<'a> From<&'a Member> for Record<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: &member.id,
            state: member.state,
            incarnation: member.incarnation,
            address: Some(member.address),
            metadata: Some(&member.metadata),
        }
    }
}

struct Row<'a> {
    record: Record<'a>,
    status: u64,
    epoch: u32,
    epoch_difference: u64,
    /// What `addresses` says of the port.
    port: Option<u16>,
}

impl<'a> Row<'a> {
    fn new(record: Record<'a>, epoch_before: u32, port_before: Option<u16>) -> Self {
        let (epoch, counter) = split(record.incarnation);
        let port = record.address.map(|address| address.port());
        let same_port = port.is_some() && port == port_before;
        let status = Status {
            state: record.state,
            family: record.family(),
            same_port,
            metadata: record.metadata_said(),
            counter,
        };
        Self {
            record,
            status: status.to_bits(),
            epoch,
            epoch_difference: zigzag(i64::from(epoch) - i64::from(epoch_before)),
            port: port.filter(|_| !same_port),
        }
    }

    fn address_len(&self) -> usize {
        let ip = match self.record.address {
            None => 0,
            Some(SocketAddr::V4(_)) => 4,
            Some(SocketAddr::V6(_)) => 16,
        };
        ip + if self.port.is_some() { 2 } else { 0 }
    }

    fn put_address(&self, packet: &mut impl BufMut) {
        match self.record.address.map(|address| address.ip()) {
            None => {}
            Some(IpAddr::V4(ip)) => packet.put_slice(&ip.octets()),
            Some(IpAddr::V6(ip)) => packet.put_slice(&ip.octets()),
        }
        if let Some(port) = self.port {
            packet.put_u16(port);
        }
    }
}

/// Records and the lengths of their columns in bytes; names and metadata with their headers.
pub(crate) struct Encoder<'a, R> {
    records: &'a [R],
    names: usize,
    status: usize,
    addresses: usize,
    epoch: usize,
    metadata: usize,
}

impl<'a, R> Encoder<'a, R>
where
    Record<'a>: From<&'a R>,
{
    /// Measures: linear in the records, allocates nothing.
    pub(crate) fn new(records: &'a [R]) -> Self {
        let mut lens = Self { records, names: 0, status: 0, addresses: 0, epoch: 0, metadata: 0 };
        for row in rows(records.iter().map(Record::from)) {
            lens.names += delimited_len(field::NAME, row.record.id.0.len());
            lens.status += encoded_len_varint(row.status);
            lens.addresses += row.address_len();
            lens.epoch += encoded_len_varint(row.epoch_difference);
            if let Some(metadata) = row.record.entry() {
                lens.metadata += delimited_len(field::METADATA, metadata::len(metadata));
            }
        }
        lens
    }

    fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a, R> {
        self.records.iter().map(Record::from)
    }

    /// Bytes that `put` adds.
    pub(crate) fn len(&self) -> usize {
        self.names
            + nonempty_len(field::STATUS, self.status)
            + nonempty_len(field::ADDRESSES, self.addresses)
            + nonempty_len(field::EPOCH, self.epoch)
            + self.metadata
    }

    pub(crate) fn put(&self, packet: &mut BytesMut) {
        for record in self.records() {
            put_header(field::NAME, record.id.0.len(), packet);
            packet.put_slice(record.id.0.as_bytes());
        }
        self.put_columns(packet);
        for metadata in self.records().filter_map(|record| record.entry()) {
            put_header(field::METADATA, metadata::len(metadata), packet);
            metadata::put(metadata, packet);
        }
    }

    /// In one walk over the records, since it is known where each column ends: a sixth faster than
    /// one walk for each column.
    fn put_columns(&self, packet: &mut BytesMut) {
        let columns = [
            put_room(field::STATUS, self.status, packet),
            put_room(field::ADDRESSES, self.addresses, packet),
            put_room(field::EPOCH, self.epoch, packet),
        ];
        let [mut status, mut addresses, mut epoch] =
            packet.get_disjoint_mut(columns).expect("columns stand one behind the other");
        for row in rows(self.records()) {
            put_number(row.status, &mut status);
            row.put_address(&mut addresses);
            put_number(row.epoch_difference, &mut epoch);
        }
    }
}

/// The header of a column and room for it, unless it is empty; where that is.
fn put_room(number: u32, len: usize, packet: &mut BytesMut) -> Range<usize> {
    if len > 0 {
        put_header(number, len, packet);
        packet.put_bytes(0, len);
    }
    packet.len() - len..packet.len()
}
