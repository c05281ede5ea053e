//! What is measured, one file per question.

mod anomalies;
mod crash;
mod held;
mod loss;

pub use anomalies::{Anomalies, AnomalyOutcome, DURATIONS, INTERVALS, SLOW};
pub use crash::{Crash, CrashOutcome};
pub use held::{Held, HeldOutcome};
pub use loss::{Loss, LossOutcome};
