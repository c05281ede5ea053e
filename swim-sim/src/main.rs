//! scratch
use std::time::{Duration, Instant};
use swim_core::*;
use swim_sim::{network::*, nodes::swim::*, world::*};
fn main() {
    let n: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let secs: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let loss: f64 = std::env::args().nth(3).unwrap().parse().unwrap();
    let setup = Setup::product();
    let mut net = Network::new(Latency::Fixed(Duration::from_millis(1)));
    net.loss = loss;
    net.streams = Streams::OneShot;
    let t0 = Instant::now();
    let mut w = World::new(1, net, move |m, b, s| SwimNode::new(&setup, m, b, s), ());
    w.add_converged(n);
    println!("built {:?}", t0.elapsed());
    w.run_for(Duration::from_secs(20));
    println!("warm {:?}", t0.elapsed());
    let t = w.traffic(); let t1 = Instant::now(); let e0 = w.events_so_far();
    w.run_for(Duration::from_secs(secs));
    let d = w.traffic() - t;
    let el = t1.elapsed().as_secs_f64();
    let ns = n as f64 * secs as f64;
    println!("{:.0} node-s/s, {:.2} dg/s {:.1} B/s (streams {:.1}) events {} trace {:x}", ns/el, d.datagrams as f64/ns, d.bytes() as f64/ns, (d.stream_bytes+d.stream_headers) as f64/ns, w.events_so_far()-e0, w.trace());
    let mut s = (0,0,0,0,0);
    for (_, node) in w.running() { let st = node.stats(); s.0 += st.suspicions; s.1+=st.deaths; s.2 += st.refuted; s.3+=st.own_refutations; s.4+=st.probes_failed; }
    println!("susp {} deaths {} refuted {} own_ref {} probes_failed {}", s.0,s.1,s.2,s.3,s.4);
}
