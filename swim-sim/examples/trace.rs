use std::time::Duration;
use swim_core::*;
use swim_sim::{network::*, node::*, nodes::swim::*, world::*, oracle::Oracle};
#[derive(Default)]
struct Log { v: Vec<(Time, MemberIdx, Change)> }
impl<N: Node> Watch<N> for Log { fn called(&mut self, m: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) { for c in &io.changes { self.v.push((m.now, at, *c)); } } }
fn main() {
    let setup = Setup::lifeguard_baseline();
    let net = Network::new(Latency::Uniform(Duration::from_micros(50), Duration::from_micros(200)));
    let mut w = World::new(1, net, move |m, b, s| SwimNode::new(&setup, m, b, s), (Oracle::default(), Log::default()));
    w.add_converged(128);
    w.run_for(Duration::from_secs(15));
    let slow: Vec<MemberIdx> = w.rng().choose(32, 128).into_iter().map(MemberIdx).collect();
    w.watch.0.set_anomalous(&slow);
    for _ in 0..20 {
        for &s in &slow { w.block(s); } w.run_for(Duration::from_millis(2048)); for &s in &slow { w.release(s); } w.run_for(Duration::from_millis(1));
    }
    let d: Vec<_> = w.watch.0.false_deaths_by_healthy().copied().collect();
    println!("{} fp-", d.len());
    let Some(f) = d.first() else { return };
    println!("{f:?}");
    for (t, at, c) in &w.watch.1.v { if c.member == f.of && (*at == f.at || *at == f.of || c.old == Some(MemberState::Alive) && c.cause.reason == Reason::ProbeFailed) { println!("{t} at {} slow={} {:?}->{:?} inc {} {:?}", at.0, slow.contains(at), c.old, c.new, c.incarnation & 0xff, c.cause); } }
    let mut when: Vec<_> = w.watch.1.v.iter().filter(|(_, _, c)| c.member == f.of && c.new == Some(MemberState::Suspect)).map(|(t, at, c)| (t.0/1000, at.0, c.incarnation & 0xff, slow.contains(at))).collect(); when.truncate(60);
    println!("{when:?}");
}
