//! Nodes with a mistake: the engine is right, what it hears is not. A checker that finds nothing in
//! them would find nothing in a wrong engine either.

use swim_core::{Accusers, Incarnation, MemberIdx, MemberState, Removal, Rumor};
use swim_sim::node::{Io, Node, Via};
use swim_sim::nodes::swim::{Item, Letter, Mark};

use crate::machine::Machine;

/// What is wrong with all nodes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mistake {
    /// Nothing.
    #[default]
    None,
    /// A node does not hear what is said of itself, so it never refutes.
    NoRefutation,
    /// Whoever was held dead once stays so, whatever it says.
    DeathIsFinal,
    /// A late answer of one that is held dead revives it, at the incarnation at which it died.
    AnswersRevive,
    /// Each ping counts as answered, so nobody is ever suspected.
    NoSuspicion,
}

impl Mistake {
    /// Spoils a letter before the engine has it.
    pub(crate) fn heard(self, machine: &Machine, letter: &mut Letter) {
        for rumor in &mut letter.rumors {
            let Some((state, held)) = machine.held(rumor.member) else { continue };
            let own = rumor.member == machine.me;
            match self {
                Self::NoRefutation if own => {
                    (rumor.state, rumor.incarnation) = (MemberState::Alive, held);
                }
                Self::DeathIsFinal if !own && !state.is_live() => {
                    rumor.incarnation = rumor.incarnation.min(held);
                }
                _ => {}
            }
        }
        if self == Self::AnswersRevive {
            revive(machine, letter);
        }
    }

    /// What a node says it holds where its engine holds `incarnation`.
    pub(crate) fn held(self, incarnation: Incarnation) -> Incarnation {
        match self {
            // The engine itself takes nobody back without a higher one; boot epochs have no lower half.
            Self::AnswersRevive => incarnation >> u32::BITS << u32::BITS,
            _ => incarnation,
        }
    }

    /// Spoils what came of a time-out.
    pub(crate) fn acted(self, machine: &mut Machine, io: &mut Io<Letter>) {
        if self != Self::NoSuspicion {
            return;
        }
        for (to, seq) in pings(io) {
            let mut letter = Letter::default();
            letter.items.push(Item::Ack { seq, member: Some(to) });
            let now = machine.now;
            machine.node.handle_packet(now, to, Via::Datagram, &mut letter, io);
        }
    }
}

fn pings(io: &Io<Letter>) -> Vec<(MemberIdx, u64)> {
    let of = |item: &Item| match *item {
        Item::Ping { seq } => Some(seq),
        _ => None,
    };
    let all = io.sent.iter();
    all.flat_map(|sent| sent.packet.items.iter().filter_map(of).map(|seq| (sent.to, seq))).collect()
}

/// Adds an Alive of each member that is held dead and answers.
fn revive(machine: &Machine, letter: &mut Letter) {
    for at in 0..letter.items.len() {
        let Item::Ack { member: Some(member), .. } = letter.items[at] else { continue };
        let Some((state, held)) = machine.held(member) else { continue };
        if state.is_live() {
            continue;
        }
        let (state, incarnation) = (MemberState::Alive, held + 1);
        let accusers = Accusers::default();
        let removal = Removal::No;
        let rumor =
            Rumor { member, state, incarnation, age: None, with_profile: false, removal, accusers };
        letter.items.push(Item::Gossip(letter.rumors.len()..letter.rumors.len() + 1));
        letter.rumors.push(rumor);
        letter.marks.push(Mark::default());
    }
}
