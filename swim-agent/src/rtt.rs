//! What an agent knows of the round trip between two members.

use std::time::Duration;

use swim_core::{GossipProtocol, MemberId, RoundTripEstimate};

use crate::error::RoundTripError;

/// The round trip between two members; from [`Handle::round_trip`](crate::Handle::round_trip).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RoundTrip {
    /// One of them is this agent, which measured it itself: smoothed over its direct probes.
    Measured(Duration),
    /// What the network coordinates of both tell.
    Estimated(RoundTripEstimate),
}

impl RoundTrip {
    /// How long it takes, however that is known.
    pub fn time(&self) -> Duration {
        match self {
            Self::Measured(time) => *time,
            Self::Estimated(estimate) => estimate.round_trip,
        }
    }
}

/// Measured if this agent is one of the two and has measured it, else estimated.
pub(crate) fn between(
    protocol: &mut GossipProtocol,
    one: &MemberId,
    other: &MemberId,
) -> Result<RoundTrip, RoundTripError> {
    for id in [one, other] {
        if protocol.member(id).is_none() {
            return Err(RoundTripError::Unknown { name: id.0.clone() });
        }
    }
    if one == other {
        return Err(RoundTripError::Itself { name: one.0.clone() });
    }
    let me = &protocol.local_member().id;
    let measured = match (one == me, other == me) {
        (true, _) => protocol.round_trip(other),
        (_, true) => protocol.round_trip(one),
        _ => None,
    };
    if let Some(measured) = measured {
        return Ok(RoundTrip::Measured(measured));
    }
    if protocol.coordinate().is_none() {
        return Err(RoundTripError::Off);
    }
    let estimate = protocol.round_trip_estimate(one, other);
    estimate.map(RoundTrip::Estimated).ok_or_else(|| {
        let unknown = |id: &&MemberId| !protocol.coordinate_of(id).is_some_and(|it| it.is_known());
        let name = [one, other].into_iter().find(unknown).unwrap_or(other).0.clone();
        RoundTripError::NoCoordinate { name }
    })
}
