//! Network coordinates, by name.

use super::GossipProtocol;
use crate::coordinate::{Coordinate, RoundTripEstimate};
use crate::member::MemberId;

impl GossipProtocol {
    /// This node's own network coordinate; `None` where
    /// [`Options::coordinates`](crate::Options::coordinates) is off.
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.engine.coordinate()
    }

    /// The network coordinate of a member: of others the last one that they told this node, with an
    /// ack. `None` if there is none so far. O(1).
    pub fn coordinate_of(&self, id: &MemberId) -> Option<Coordinate> {
        self.engine.coordinate_of(self.find(id)?)
    }

    /// What the round trip between two members takes, this node included, as far as their
    /// coordinates tell; [`round_trip`](Self::round_trip) is what this node measured itself.
    /// `None` where one of them has told no coordinate so far, or had not measured anything when
    /// it did. O(1).
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use swim_core::{GossipProtocol, MemberId};
    ///
    /// let name = |name: &str| MemberId::from(name);
    /// let address = SocketAddr::from(([10, 0, 0, 1], 7946));
    /// let protocol = GossipProtocol::builder(name("a"), address).build().unwrap();
    /// match protocol.round_trip_estimate(&name("b"), &name("c")) {
    ///     Some(it) => println!("{:?}, give or take {:.0} %", it.round_trip, 100.0 * it.error),
    ///     None => println!("not known yet"),
    /// }
    /// ```
    pub fn round_trip_estimate(
        &self,
        one: &MemberId,
        other: &MemberId,
    ) -> Option<RoundTripEstimate> {
        self.engine.round_trip_estimate(self.find(one)?, self.find(other)?)
    }
}
