//! What must hold in every state, as far as it is seen when something happens.

use swim_core::{MemberIdx, MemberState};
use swim_sim::nodes::swim::Letter;

use crate::cluster::Cluster;
use crate::machine::Machine;

/// What was seen so far; it stays seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// A node took a member that it had held dead for live again, without a higher incarnation of it
    /// (SWIM, section 4.2: only an Alive with a higher incarnation overrides).
    pub resurrected: bool,
    /// A node heard an Alive, and went on to hold less than it (the same section: refutation wins).
    pub unrefuted: bool,
    /// A node holds an incarnation that its owner never had.
    pub invented: bool,
    /// A live member was held dead by somebody: no fault, but what all this is about.
    pub accused: bool,
    /// A live member outbid what was said of it.
    pub refuted: bool,
    /// A crashed member was held dead by everybody.
    pub detected: bool,
}

impl Facts {
    /// What a node holds after it heard a letter.
    pub(crate) fn heard(&mut self, machine: &Machine, letter: &Letter) {
        for rumor in &letter.rumors {
            let held = machine.held(rumor.member);
            let behind = held.is_some_and(|(_, incarnation)| incarnation < rumor.incarnation);
            let others = rumor.member != machine.me;
            self.unrefuted |= others && rumor.state == MemberState::Alive && behind;
        }
    }

    /// How the views stand.
    pub(crate) fn look(&mut self, cluster: &Cluster) {
        for machine in cluster.machines() {
            for about in cluster.machines() {
                let Some((state, incarnation)) = machine.held(about.me) else { continue };
                let own = about.node.engine().incarnation();
                self.invented |= incarnation > own;
                self.accused |= !state.is_live() && cluster.is_up(about.me);
                self.refuted |= own.trailing_zeros() < u32::BITS;
            }
        }
        self.detected |= cluster.crashed().is_some_and(|gone| is_dead_for_all(cluster, gone));
    }
}

fn is_dead_for_all(cluster: &Cluster, member: MemberIdx) -> bool {
    cluster
        .up()
        .all(|machine| !machine.node.engine().state(member).is_some_and(MemberState::is_live))
}
