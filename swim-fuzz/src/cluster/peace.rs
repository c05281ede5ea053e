//! Two fair minutes: no packet is lost, each takes a millisecond, all clocks go alike. Whatever was
//! before, all who are up agree at the end, on the living and on the dead.

use std::collections::VecDeque;
use std::time::Duration;

use swim_core::MemberState;

use super::Cluster;
use super::node::{Node, name};
use super::post::Flight;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(120);
const LATENCY: Duration = Duration::from_millis(1);
/// How often it is looked whether all is well; it must be twice in a row.
const LOOK: Duration = Duration::from_secs(1);
/// Packets that a few nodes never need, in two minutes or ever.
const STORM: u32 = 50_000;

/// Lets the cluster come to itself, and panics if it does not.
pub(super) fn keep(cluster: &mut Cluster) {
    // Who has said goodbye ends, heard or not.
    for node in &mut cluster.nodes {
        node.up &= node.is_member();
        node.calm = true;
    }
    cluster.only_streams = false;
    let first = cluster.flights.drain(..).map(|flight| (LATENCY, flight)).collect();
    let bases = cluster.nodes.iter().map(|node| node.watch.shown()).collect();
    let mut run = Run { cluster, bases, under_way: first, arrived: 0 };
    let (mut look, mut well) = (Duration::ZERO, false);
    while look < PATIENCE {
        look += LOOK;
        run.until(look);
        let wrong = wrong(&run.cluster.nodes);
        if wrong.is_none() && well {
            break;
        }
        well = wrong.is_none();
        assert!(look < PATIENCE || well, "after two fair minutes: {}", wrong.unwrap_or_default());
    }
    // What is still under way is lost when peace ends.
    cluster.nodes.iter_mut().for_each(|node| node.calm = false);
}

/// A run in common time from the cluster's last moment.
struct Run<'c> {
    cluster: &'c mut Cluster,
    /// What each clock showed at its beginning.
    bases: Vec<Duration>,
    /// When each packet arrives; all take equally long.
    under_way: VecDeque<(Duration, Flight)>,
    arrived: u32,
}

impl Run<'_> {
    fn until(&mut self, end: Duration) {
        loop {
            assert!(self.arrived < STORM, "packets without an end");
            let arrival = self.under_way.front().map(|(at, _)| *at);
            let wake = self.next_wake();
            match (arrival, wake) {
                (Some(at), _) if at <= end && wake.is_none_or(|(wake, _)| at <= wake) => {
                    self.arrived += 1;
                    let Some((_, flight)) = self.under_way.pop_front() else { return };
                    self.show(at);
                    self.cluster.deliver(&flight);
                }
                (_, Some((at, node))) if at <= end => {
                    self.show(at);
                    self.cluster.wake(node);
                }
                _ => return,
            }
            let now = arrival.into_iter().chain(wake.map(|(at, _)| at)).min().unwrap_or(end);
            let sent = self.cluster.flights.drain(..).map(|flight| (now + LATENCY, flight));
            self.under_way.extend(sent);
        }
    }

    /// When a node is to do something next, and which.
    fn next_wake(&self) -> Option<(Duration, usize)> {
        let nodes = self.cluster.nodes.iter().zip(&self.bases);
        let due = |(node, base): (&Node, &Duration)| {
            let due = node.watch.due(&node.face)?.saturating_sub(*base);
            Some((due, node.at))
        };
        nodes.filter(|(node, _)| node.up).filter_map(due).min()
    }

    /// Puts all clocks to a time that is common.
    fn show(&mut self, at: Duration) {
        for (node, base) in self.cluster.nodes.iter().zip(&self.bases) {
            let rest = (*base + at).saturating_sub(node.watch.shown());
            node.watch.advance(rest.as_micros() as u64);
        }
    }
}

/// What is not as it should be.
fn wrong(nodes: &[Node]) -> Option<String> {
    let mut hash = None;
    // Who hears nobody at all condemns nobody: it may be deaf itself.
    let alone = nodes.iter().filter(|node| node.up).count() == 1;
    for node in nodes.iter().filter(|node| node.up) {
        for about in nodes {
            let held = node.face.member(&name(about.at));
            let state = held.map(|held| held.state);
            let right = match about.is_member() {
                true => {
                    state == Some(MemberState::Alive)
                        && held.map(|held| held.incarnation)
                            == Some(about.face.local_member().incarnation)
                }
                false if alone => state != Some(MemberState::Alive),
                false => !state.is_some_and(MemberState::is_live),
            };
            if !right {
                return Some(format!("{} holds {} {state:?}", node.at, about.at));
            }
        }
        if *hash.get_or_insert(node.face.view_hash()) != node.face.view_hash() {
            return Some(format!("{} has another view", node.at));
        }
    }
    None
}
