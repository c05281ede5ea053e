//! Round trips between agents, as one of them knows them; on virtual time.

mod lib_support;

use std::time::Duration;

use lib_support::{addr, alive, over};
use swim_agent::{Handle, RoundTrip, RoundTripError};
use swim_transport::{Faulty, Network};

/// Milliseconds that packets of each agent take: there and back it is the sum of both.
const DELAYS: [u64; 5] = [2, 5, 10, 20, 40];

async fn agents() -> Vec<Handle> {
    let network = Network::new();
    let mut agents = Vec::new();
    for (number, millis) in (1..).zip(DELAYS) {
        let transport = Faulty::new(network.bind(addr(number)).unwrap(), number.into());
        let delay = Duration::from_millis(millis);
        transport.faults().set_delay(delay..=delay);
        agents.push(over(transport, number).spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, DELAYS.len()).await;
    }
    agents
}

/// Whether a time is so many milliseconds, give or take a quarter.
fn is_near(time: Duration, millis: u64) -> bool {
    (0.75..=1.25).contains(&(time.as_secs_f64() * 1e3 / millis as f64))
}

#[tokio::test(start_paused = true)]
async fn an_agent_measures_its_own_round_trips_and_estimates_all_others() {
    let agents = agents().await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let first = &agents[0];
    for (i, one) in DELAYS.iter().enumerate() {
        for (j, other) in DELAYS.iter().enumerate().filter(|(j, _)| *j != i) {
            let known =
                first.round_trip(format!("n{}", i + 1), format!("n{}", j + 1)).await.unwrap();
            let own = i == 0 || j == 0;
            assert_eq!(matches!(known, RoundTrip::Measured(_)), own, "{i} {j}");
            assert!(is_near(known.time(), one + other), "{i} {j}: {known:?}");
            if let RoundTrip::Estimated(estimate) = known {
                assert!(estimate.error < 0.3, "{estimate:?}");
            }
        }
    }
    let coordinate = first.info().await.unwrap().coordinate.unwrap();
    assert!(coordinate.is_known() && coordinate.error() < 0.3, "{coordinate:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_an_error_that_names_it() {
    let agents = agents().await;
    let first = &agents[0];
    let unknown = |name: &str| RoundTripError::Unknown { name: name.to_owned() };
    assert_eq!(first.round_trip("n9", "n2").await, Err(unknown("n9")));
    assert_eq!(first.round_trip("n2", "").await, Err(unknown("")));
    let itself = RoundTripError::Itself { name: "n2".to_owned() };
    assert_eq!(first.round_trip("n2", "n2").await, Err(itself));
    // Nobody can have told a coordinate so soon that it had measured anything for.
    let error = first.round_trip("n4", "n5").await.unwrap_err();
    assert_eq!(error, RoundTripError::NoCoordinate { name: "n4".to_owned() });
    assert!(error.to_string().contains("\"n4\""), "{error}");
    first.shutdown().await;
    assert!(matches!(first.round_trip("n1", "n2").await, Err(RoundTripError::Stopped(_))));
}
