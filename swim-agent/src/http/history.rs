//! What the agent remembers of members, as JSON.

use std::time::Duration;

use swim_agent::{Event, FailedProbe, Incident, RelayReport, StreamContact};

use super::events::rfc3339;
use super::types::{IncidentBody, PathBody, ProbeBody, RelayBody, millis};

/// Incidents in their order.
pub(super) fn bodies(incidents: Vec<Incident>) -> Vec<IncidentBody> {
    incidents.into_iter().map(body).collect()
}

fn body(incident: Incident) -> IncidentBody {
    let age = incident.age();
    match incident {
        Incident::Event(event) => of_event(event, age),
        Incident::ProbeFailed(probe) => of_probe(probe, age),
    }
}

fn of_event(event: Event, age: Duration) -> IncidentBody {
    IncidentBody {
        time: rfc3339(event.time),
        age_ms: millis(age),
        kind: event.kind.as_str().to_owned(),
        name: event.name,
        by: event.by,
        reason: Some(event.reason.as_str().to_owned()),
        state: event.state.map(|state| state.to_string()),
        incarnation: Some(event.incarnation.to_string()),
        address: Some(event.address.to_string()),
        old_address: event.old_address.map(|address| address.to_string()),
        probe: None,
    }
}

fn of_probe(probe: FailedProbe, age: Duration) -> IncidentBody {
    let relay = |RelayReport { name, nacked, .. }| {
        let said = if nacked { "nack" } else { "nothing" }.to_owned();
        RelayBody { name, said }
    };
    IncidentBody {
        time: rfc3339(probe.time),
        age_ms: millis(age),
        kind: "probe_failed".to_owned(),
        name: probe.name,
        by: None,
        reason: None,
        state: None,
        incarnation: None,
        address: None,
        old_address: None,
        probe: Some(ProbeBody {
            pings_ms: probe.pings.into_iter().map(millis).collect(),
            asked_ms: millis(probe.asked),
            relays: probe.relays.into_iter().map(relay).collect(),
            stream: probe.by_stream.then(|| stream(probe.stream, probe.asked)),
            silence: probe.silence,
        }),
    }
}

fn stream(known: Option<StreamContact>, asked: Duration) -> PathBody {
    let (state, ago, why) = match known {
        None => ("waiting", asked, None),
        Some(StreamContact { ago, failure: None, .. }) => ("ok", ago, None),
        Some(StreamContact { ago, failure, .. }) => ("failing", ago, failure),
    };
    PathBody { state: state.to_owned(), age_ms: millis(ago), why }
}
