//! Medians of many batches; ours and foca in turn, so that what else the machine does hits both.

use std::time::{Duration, Instant};

use swim_benches::datagram::Swim;
use swim_benches::limits::{Loopback, Names};
use swim_benches::{Bed, Dice, Node, Operation, Stopwatch};

use crate::foca::Foca;
use crate::goals::{self, Goal};

/// How much is measured.
pub(crate) struct Effort {
    /// The cluster sizes.
    pub(crate) sizes: &'static [usize],
    /// How long each figure is measured for.
    pub(crate) each: Duration,
}

/// One row of figures, a pair of them for each size; in microseconds unless its name says
/// otherwise.
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) goal: Goal,
    pub(crate) foca: Vec<Option<f64>>,
    pub(crate) ours: Vec<Option<f64>>,
}

/// In this order: what is left waiting by the last would disturb the others.
const OPERATIONS: [Operation; 9] = [
    Operation::Ping,
    Operation::PingKnown,
    Operation::PingFresh,
    Operation::Probe,
    Operation::FailedProbe,
    Operation::Gossip,
    Operation::GossipNothing,
    Operation::IdleSecond,
    Operation::PingFreshBusy,
];
/// Batches that a median is taken of, at most.
const BATCHES: usize = 101;
/// A view to tell takes foca half as long again as one to keep, which is 9 s for 100,000 members.
const MOST_OF_FOCA: usize = 10_000;
/// Seconds that wake-ups are counted in.
const SECONDS: u64 = 60;

/// All figures.
pub(crate) fn all(effort: &Effort) -> Vec<Figures> {
    let mut table = Table::default();
    for &n in effort.sizes {
        eprintln!("{n} members");
        of_size(&mut table, effort.each, n);
    }
    table.0
}

/// Rows in the order in which they were first named.
#[derive(Default)]
struct Table(Vec<Figures>);

impl Table {
    fn put(&mut self, name: &str, goal: Goal, (foca, ours): (Option<f64>, Option<f64>)) {
        let at = self.0.iter().position(|row| row.name == name).unwrap_or_else(|| {
            let (foca, ours) = (Vec::new(), Vec::new());
            self.0.push(Figures { name: name.into(), goal, foca, ours });
            self.0.len() - 1
        });
        self.0[at].foca.push(foca);
        self.0[at].ours.push(ours);
    }
}

fn of_size(table: &mut Table, each: Duration, n: usize) {
    let (mut ours, ours_learned) = learned::<Swim>(each, n, true);
    let (mut foca, foca_learned) = learned::<Foca>(each, n, true);
    // Before many changes make the numbers of versions longer.
    let both = (foca.fresh_ping().1.len() as f64, ours.fresh_ping().1.len() as f64);
    table.put("bytes of a ping with 8 updates", goals::BYTES, some(both));
    let passed_on = (None, Some(bytes_passed_on(&mut ours)));
    table.put("bytes of the same, passed on with ages", goals::BYTES, passed_on);
    for operation in OPERATIONS {
        let (name, goal) = (operation.name(), goals::of(operation));
        let foca = median(each, |times| foca.run(operation, times));
        if operation == Operation::GossipNothing {
            table.put(&format!("{name} (ours has none)"), goal, (Some(foca), None));
        } else {
            let ours = median(each, |times| ours.run(operation, times));
            table.put(name, goal, some((foca, ours)));
        }
    }
    let both = (foca.node.waiting() as f64, ours.node.waiting() as f64);
    table.put("updates that wait meanwhile", goals::OPEN, some(both));
    let before = ours.node.other_wake_ups();
    let both = (wake_ups(&mut foca), wake_ups(&mut ours));
    assert_eq!(ours.node.other_wake_ups(), before, "nothing to say is no reason to wake up");
    table.put("wake-ups in an idle second", goals::OPEN, some(both));
    table.put("learn a view, per member", goals::LEARN, some((foca_learned, ours_learned)));
    drop((foca, ours));
    let ours = learned::<Swim>(each, n, false).1;
    let foca = (n <= MOST_OF_FOCA).then(|| learned::<Foca>(each, n, false).1);
    table.put("learn a view and tell it, per member", goals::OPEN, (foca, Some(ours)));
    let (took, bytes) = exchange(each, n);
    table.put("equal views compared, both sides", goals::EXCHANGE, (None, Some(took)));
    table.put("bytes of that", goals::EXCHANGE_BYTES, (None, Some(bytes)));
    table.put(
        "limit: 8 names looked up in std's map",
        goals::OPEN,
        (None, Some(look_ups(each, n))),
    );
}

fn some((foca, ours): (f64, f64)) -> (Option<f64>, Option<f64>) {
    (Some(foca), Some(ours))
}

/// What nobody who takes in eight updates by name is faster than.
fn look_ups(each: Duration, n: usize) -> f64 {
    let (watch, mut dice, names) = (Stopwatch::default(), Dice::default(), Names::new(n));
    median(each, |times| {
        let some = names.some(&mut dice, 8 * times as usize);
        watch.time(|| _ = std::hint::black_box(names.look_up(&some)))
    })
}

/// What nobody who sends and receives a ping with so many updates is faster than.
pub(crate) fn kernel(effort: &Effort, updates: usize) -> f64 {
    let (watch, mut loopback) = (Stopwatch::default(), Loopback::default());
    let ping = Swim::alone(0).ping(1, &[(1, 1); 8][..updates]);
    median(effort.each, |times| {
        watch.time(|| (0..times).for_each(|_| loopback.send_and_receive(&ping)))
    })
}

/// Microseconds of one time, the median of batches that each take about a hundredth of `each`.
fn median(each: Duration, mut run: impl FnMut(u64) -> Duration) -> f64 {
    run(1);
    let (start, times) = (Instant::now(), 8);
    run(times);
    let one = start.elapsed() / times as u32;
    let times = (each.as_nanos() / 100 / one.as_nanos().max(1)).clamp(1, 65_536) as u64;
    let start = Instant::now();
    let mut batches = Vec::with_capacity(BATCHES);
    while batches.len() < 3 || (batches.len() < BATCHES && start.elapsed() < each) {
        batches.push(run(times).as_secs_f64() * 1e6 / times as f64);
    }
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 2]
}

/// A node that learned a view, and what each member of it took: the median of some nodes.
fn learned<N: Node>(each: Duration, n: usize, joins: bool) -> (Bed<N>, f64) {
    let start = Instant::now();
    let mut took = Vec::new();
    let bed = loop {
        let (bed, learning) = Bed::learned(n, joins);
        took.push(learning.as_secs_f64() * 1e6 / n as f64);
        if took.len() == BATCHES || start.elapsed() > each {
            break bed;
        }
    };
    took.sort_by(f64::total_cmp);
    (bed, took[took.len() / 2])
}

fn wake_ups<N: Node>(bed: &mut Bed<N>) -> f64 {
    bed.run(Operation::IdleSecond, SECONDS);
    let before = bed.node.wake_ups();
    bed.run(Operation::IdleSecond, SECONDS);
    (bed.node.wake_ups() - before) as f64 / SECONDS as f64
}

/// What a ping takes that tells eight updates which came from elsewhere and were told once already:
/// then their ages go along.
fn bytes_passed_on(bed: &mut Bed<Swim>) -> f64 {
    bed.drain();
    let (from, ping) = bed.fresh_ping();
    bed.node.hear(from, &ping);
    bed.node.gossip();
    bed.node.tick();
    bed.node.wire().last.len() as f64
}

/// Time and bytes of comparing equal views.
fn exchange(each: Duration, n: usize) -> (f64, f64) {
    let (mut one, mut other) = Swim::twins(n);
    let watch = Stopwatch::default();
    let took = median(each, |times| {
        watch.time(|| (0..times).for_each(|_| compare_views(&mut one, &mut other)))
    });
    let before = one.wire().bytes;
    compare_views(&mut one, &mut other);
    (took, (one.wire().bytes - before) as f64)
}

fn compare_views(one: &mut Swim, other: &mut Swim) {
    let sent = other.wire().datagrams;
    one.start_sync();
    other.hear(0, &one.wire().last);
    assert_eq!(other.wire().datagrams, sent, "equal views need no answer");
}
