//! A model checker for SWIM clusters: real engines in every order of messages, losses and time-outs.
//!
//! A [`Scenario`] is a small cluster of [`SwimNode`](swim_sim::nodes::swim::SwimNode)s, so the code
//! that ships, and what may befall it. The search is stateright's; a state is the nodes, what is
//! under way between them and what may still befall them. In each state the checker may
//!
//! - let a node do what it is to do next: its own clock goes on to its next time-out. Clocks of
//!   different nodes have nothing to do with one another, so any node may be as fast or as slow as
//!   it likes, up to its horizon;
//! - deliver any message that is under way, in any order and as late as it likes;
//! - lose a message, deliver it twice, or crash a node, as often as the scenario allows;
//! - choose what a node draws at random: whom it probes.
//!
//! It runs out of choices where all clocks are at the horizon and nothing is under way. From there
//! the cluster goes on with a network that loses nothing and clocks that go alike ([`healing`]),
//! and must become one in which every live member is alive for all, every crashed one for nobody,
//! and all views are equal. What must hold in every state is in [`facts`].
#![forbid(unsafe_code)]

mod cluster;
mod draws;
pub mod facts;
pub mod healing;
mod machine;
mod mistake;
mod model;
mod scenario;
mod story;

pub use cluster::{Action, Cluster, Flight};
pub use machine::Machine;
pub use mistake::Mistake;
pub use model::{Check, Report};
pub use scenario::{Budget, Scenario};
