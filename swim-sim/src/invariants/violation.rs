//! What an invariant has against a run.

use std::fmt;

use swim_core::{MemberIdx, Time};

/// One breach of an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// True time.
    pub now: Time,
    /// The node that broke it.
    pub at: MemberIdx,
    /// The member that it is about; the node itself if it is about nobody else.
    pub of: MemberIdx,
    /// What happened, with the figures.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} node {} of {}: {}", self.now, self.at.0, self.of.0, self.what)
    }
}

/// Most violations of one invariant that are kept; further ones are counted.
const KEPT: usize = 32;

/// The breaches of one invariant: the first ones, and how many there were.
#[derive(Debug, Default)]
pub struct Violations {
    first: Vec<Violation>,
    count: u64,
}

impl Violations {
    /// The first ones in the order of time, a bounded number.
    pub fn first(&self) -> &[Violation] {
        &self.first
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `what` is only asked for while it will be kept.
    pub(super) fn add(
        &mut self,
        now: Time,
        (at, of): (MemberIdx, MemberIdx),
        what: impl FnOnce() -> String,
    ) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(Violation { now, at, of, what: what() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut violations = Violations::default();
        for i in 0..100 {
            violations.add(Time(i), (MemberIdx(1), MemberIdx(2)), || format!("{i}"));
        }
        assert_eq!((violations.count(), violations.first().len()), (100, KEPT));
        assert_eq!(violations.first()[0].to_string(), "0.000000s node 1 of 2: 0");
    }
}
