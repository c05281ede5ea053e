//! What is measured, one file per question.

mod anomalies;
mod anti_entropy;
mod boot;
mod churn;
mod cluster;
mod crash;
mod dissemination;
mod events;
mod held;
mod join;
mod load;
mod loss;
mod machines;
mod news;
mod partition;
mod rapid;
mod rolling;
mod udp_blocked;
mod views;

pub use anomalies::{Anomalies, AnomalyOutcome, DURATIONS, INTERVALS, SLOW};
pub use anti_entropy::{AntiEntropy, AntiEntropyOutcome, Difference};
pub use boot::{Boot, BootOutcome};
pub use churn::{Churn, ChurnOutcome};
pub use cluster::{Cluster, ClusterOutcome};
pub use crash::{Crash, CrashOutcome};
pub use dissemination::{Dissemination, DisseminationOutcome, Reach};
pub use events::{Events, EventsOutcome};
pub use held::{Held, HeldOutcome};
pub use join::{Join, JoinOutcome};
pub use load::{Load, LoadOutcome};
pub use loss::{Loss, LossOutcome};
pub use machines::{Machines, MachinesOutcome};
pub use partition::{Partition, PartitionOutcome};
pub use rapid::{Fault, Look, Rapid, RapidOutcome};
pub use rolling::{Rolling, RollingOutcome};
pub use udp_blocked::{UdpBlocked, UdpBlockedOutcome};
