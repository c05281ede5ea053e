//! What crossed the agent, and what it refused.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use swim_wire::{DecodeError, Decoded};

macro_rules! counters {
    ($($(#[doc = $help:literal])* $name:ident,)*) => {
        /// Counts of one agent since it started. Every count only grows.
        ///
        /// Bytes are those of packets, without the headers of UDP, TCP and IP.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $help])* pub $name: u64,)*
        }

        /// The counters as the agent's tasks share them. They order nothing, hence `Relaxed`.
        #[derive(Debug, Default)]
        pub(crate) struct Meter {
            $(pub(crate) $name: Count,)*
        }

        impl Meter {
            pub(crate) fn read(&self) -> Counters {
                Counters { $($name: self.$name.get(),)* }
            }
        }

        impl Counters {
            /// All counts in the order of the fields: name, value, and what is said of it above.
            /// For exporters.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64, &'static str)> + use<> {
                [$((stringify!($name), self.$name, concat!($($help),*).trim_ascii_start()),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams handed to the transport.
    datagrams_sent,
    /// Bytes in datagrams handed to the transport.
    datagram_bytes_sent,
    /// Datagrams received, refused ones included.
    datagrams_received,
    /// Bytes in datagrams received, refused ones included.
    datagram_bytes_received,
    /// Streams opened to others.
    streams_opened,
    /// Streams accepted.
    streams_accepted,
    /// Bytes written to streams.
    stream_bytes_sent,
    /// Bytes read from streams.
    stream_bytes_received,
    /// Streams that failed: refused, too slow, or closed without an answer that was due.
    streams_failed,
    /// Messages that were to go by stream and were dropped because too many streams were open.
    streams_withheld,
    /// Packets of other clusters, refused.
    refused_cluster,
    /// Packets of another major version, refused.
    refused_version,
    /// Packets above a limit of the codec, refused.
    refused_limit,
    /// Packets that make no sense, refused.
    refused_malformed,
    /// Datagrams and streams from addresses outside of the allowed networks, refused.
    refused_address,
    /// Packets to addresses outside of the allowed networks, not sent.
    sends_refused,
    /// Claims about members at addresses outside of the allowed networks, not believed.
    claims_refused_address,
    /// Claims about unknown members while there was no room for more, not believed.
    claims_refused_full,
    /// Claims about members that the embedding program refused, not believed.
    claims_refused_veto,
    /// Requests for all members by who was refused as one, not answered.
    joins_refused,
    /// Comparisons of views that were not heard, because the last ones brought nothing but members
    /// that this agent refuses.
    comparisons_withheld,
    /// Packets that are not sealed, refused: this agent requires it.
    refused_plain,
    /// Packets sealed with a key that is not in this agent's keyring, refused.
    refused_key,
    /// Packets sealed wrongly, refused: forged, damaged, cut short, of another cluster of this key or of
    /// another version.
    refused_forged,
    /// Sealed packets that came before, or too late to tell, refused.
    refused_replayed,
    /// Packets that this agent sealed itself and that came back, refused.
    refused_own,
    /// Sealed packets, refused: this agent has no keyring.
    refused_sealed,
    /// Packets that were not sealed and were heard, because this agent does not require it yet.
    unsealed_received,
    /// Queries about keys that came in packets that were not sealed, dropped.
    key_queries_dropped,
    /// Packets that could not be sealed, and were not sent.
    seal_errors,
    /// Messages of unknown kinds, skipped: their sender is newer.
    skipped_messages,
    /// Unknown fields, skipped: their sender is newer.
    skipped_fields,
    /// Requests for all members that came by datagram, whose sender nobody can prove; dropped.
    sync_requests_dropped,
    /// Requests that each take a walk over all members, dropped because too many of them came in
    /// one packet, or from strangers.
    requests_dropped,
    /// Datagrams of strangers, dropped unread because too many came: from one source, or from all of them.
    stranger_datagrams_dropped,
    /// Datagrams of members, dropped because one sent far more than any has to say.
    member_datagrams_dropped,
    /// Inbound streams closed unserved, or to make way for others: their source opened too many, had too many served,
    /// or too many waited.
    streams_dropped,
    /// Messages to unproven addresses, dropped because they would amplify what came from there.
    answers_withheld,
    /// Pings to addresses at which somebody is claimed to live, before that counts.
    addresses_asked,
    /// Claims of members that do not count: nobody of that name answered at that address.
    claims_refused_unproven,
    /// Claims of members that were dropped before their address was asked: too many came, or in a datagram
    /// too short to pay for that.
    claims_dropped,
    /// Requests to ping a member for somebody who is none; refused.
    relays_refused,
    /// Times that timers fired late: the process was paused or starved.
    late_wakeups,
    /// Errors of the transport itself.
    transport_errors,
    /// Writes to the data directory that the disk refused.
    state_errors,
    /// Queries with patterns or about keys that were not looked at, because too many came at a time.
    queries_dropped,
    /// Acks and answers to queries of this agent's that were dropped, because who asked did not
    /// read them.
    replies_dropped,
    /// Times that who asked was not told that no answer comes, because the agent was too busy.
    declines_dropped,
    /// Lines about members that were not logged, because too much happened to them at a time.
    log_lines_dropped,
    /// Members that were not written to it, because too many waited for a slow disk.
    state_dropped,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Meter {
    /// Books a packet that was refused.
    pub(crate) fn refused(&self, error: &DecodeError) {
        match error {
            DecodeError::OtherCluster { .. } => &self.refused_cluster,
            DecodeError::OtherMajor { .. } => &self.refused_version,
            DecodeError::PacketTooLong { .. }
            | DecodeError::NameTooLong { .. }
            | DecodeError::MetadataTooLong { .. }
            | DecodeError::TooManyMessages { .. }
            | DecodeError::TooManyUpdates { .. }
            | DecodeError::TooManyAccusations { .. }
            | DecodeError::TooManyDigestEntries { .. }
            | DecodeError::TooManyNotices { .. }
            | DecodeError::TooManyFilters { .. }
            | DecodeError::TooManyStamps { .. } => &self.refused_limit,
            _ => &self.refused_malformed,
        }
        .one();
    }

    /// Books what was skipped in a packet.
    pub(crate) fn decoded(&self, decoded: &Decoded) {
        self.skipped_messages.add(decoded.skipped_kinds as usize);
        self.skipped_fields.add(decoded.skipped_fields as usize);
    }
}
