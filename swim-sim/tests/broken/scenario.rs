//! What brings mistakes to light, and leaves what ships as it should be.

use std::time::Duration;

use swim_core::MemberIdx;
use swim_sim::invariants::{Guard, Observed};
use swim_sim::world::World;

type Play<O> = World<O, Guard<O>>;

/// What befalls a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scenario {
    /// Nodes stand still for a while and are wrongly suspected, two crash, two join, then it is
    /// quiet.
    Day,
    /// Many join at once.
    Crowd,
    /// A node is cut off while another crashes, and is the last one to hold it Alive.
    Revenant,
}

const N: u32 = 16;
/// How long nodes stand still: from hardly long enough to be suspected to long enough to be taken
/// for dead.
const MOMENTS: [u64; 8] = [1_500, 1_800, 2_100, 2_400, 2_700, 3_000, 3_500, 4_500];

impl Scenario {
    pub(crate) fn play<O: Observed>(self, world: &mut Play<O>) {
        match self {
            Self::Day => day(world),
            Self::Crowd => crowd(world),
            Self::Revenant => revenant(world),
        }
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn join<O: Observed>(world: &mut Play<O>, node: u32) {
    world.start(MemberIdx(node));
    world.join(MemberIdx(node), &[MemberIdx(0), MemberIdx(1)]);
}

fn quiet<O: Observed>(world: &mut Play<O>, lasts: Duration) {
    let now = world.now();
    world.watch.quiet_from(now);
    world.run_for(lasts);
}

fn day<O: Observed>(world: &mut Play<O>) {
    world.add_converged(N);
    world.run_for(seconds(5));
    for (node, moment) in (4..).map(MemberIdx).zip(MOMENTS) {
        world.freeze(node);
        world.run_for(Duration::from_millis(moment));
        world.release(node);
        world.run_for(seconds(4));
    }
    world.crash(MemberIdx(14));
    world.crash(MemberIdx(15));
    world.run_for(seconds(10));
    join(world, N);
    join(world, N + 1);
    quiet(world, seconds(80));
}

fn crowd<O: Observed>(world: &mut Play<O>) {
    world.add_converged(4);
    world.run_for(seconds(1));
    (4..80).for_each(|node| join(world, node));
    quiet(world, seconds(10));
}

fn revenant<O: Observed>(world: &mut Play<O>) {
    let (cut_off, crashed) = (MemberIdx(3), MemberIdx(7));
    world.add_converged(N);
    world.run_for(seconds(5));
    // Once it is dead nobody tells it anything.
    world.freeze(cut_off);
    world.run_for(seconds(20));
    world.crash(crashed);
    world.run_for(seconds(20));
    world.release(cut_off);
    world.run_for(seconds(10));
}
