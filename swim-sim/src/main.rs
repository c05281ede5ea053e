//! scratch
use rayon::prelude::*;
use std::time::{Duration, Instant};
use swim_sim::{experiments::*, lab::*, network::*};

fn pct(v: &mut [f64], p: f64) -> f64 {
    if v.is_empty() {
        return f64::NAN;
    }
    v.sort_by(f64::total_cmp);
    v[((v.len() as f64 - 1.0) * p).round() as usize]
}
fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn grid(c: &Contender, seeds: u64, quick: bool) {
    let t = Instant::now();
    let mut cells = vec![];
    for s in SLOW {
        for d in DURATIONS {
            if quick && d < 8192 {
                continue;
            }
            for i in INTERVALS {
                for seed in 0..seeds {
                    cells.push((s, d, Some(i), seed));
                }
            }
        }
    }
    let r: Vec<_> = cells
        .par_iter()
        .map(|&(s, d, i, seed)| {
            let a = Anomalies {
                nodes: 128,
                slow: s,
                duration: Duration::from_millis(d),
                interval: i.map(Duration::from_millis),
            };
            c.run(&a, seed * 7919 + s as u64 * 131 + d * 17 + i.unwrap_or(0))
        })
        .collect();
    let fp: u64 = r.iter().map(|o| o.false_deaths).sum();
    let fpm: u64 = r.iter().map(|o| o.false_deaths_by_healthy).sum();
    let bytes: u64 = r.iter().map(|o| o.traffic.bytes()).sum();
    let msgs: u64 = r.iter().map(|o| o.traffic.datagrams + o.traffic.streams).sum();
    let mut th = vec![];
    for s in SLOW {
        for d in DURATIONS {
            if d < 8192 {
                continue;
            }
            for seed in 0..seeds.max(5) {
                th.push((s, d, seed));
            }
        }
    }
    let rr: Vec<_> = th
        .par_iter()
        .map(|&(s, d, seed)| {
            let a = Anomalies {
                nodes: 128,
                slow: s,
                duration: Duration::from_millis(d),
                interval: None,
            };
            c.run(&a, seed * 7919 + s as u64 * 131 + d * 17)
        })
        .collect();
    let mut first: Vec<f64> = rr.iter().flat_map(|o| o.first.iter().copied()).collect();
    let mut full: Vec<f64> = rr.iter().flat_map(|o| o.everywhere.iter().copied()).collect();
    println!(
        "{:20} runs {} FP {:.2}/run FP- {:.3}/run bytes {:.1} MB msgs {:.2}M first {:.2}/{:.2}/{:.2} full {:.2}/{:.2} ({} det) {:.1}s",
        c.name,
        r.len(),
        fp as f64 / r.len() as f64,
        fpm as f64 / r.len() as f64,
        bytes as f64 / 1e6,
        msgs as f64 / 1e6,
        pct(&mut first, 0.5),
        pct(&mut first, 0.99),
        pct(&mut first, 0.999),
        pct(&mut full, 0.5),
        pct(&mut full, 0.99),
        first.len(),
        t.elapsed().as_secs_f64()
    );
    for (k, s) in SLOW.iter().enumerate() {
        let w = r.len() / SLOW.len();
        let part = &r[k * w..(k + 1) * w];
        print!(
            " C{}:{}/{}",
            s,
            part.iter().map(|o| o.false_deaths).sum::<u64>(),
            part.iter().map(|o| o.false_deaths_by_healthy).sum::<u64>()
        );
    }
    println!();
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: u32 = args.get(3).and_then(|s| s.parse().ok()).unwrap_or(100);
    let seeds: u64 = args.get(4).and_then(|s| s.parse().ok()).unwrap_or(3);
    let ms1 = Network::new(Latency::Fixed(Duration::from_millis(1)));
    for name in args[2].split(',') {
        let c = Contender::named(name, n).unwrap();
        match args[1].as_str() {
            "grid" => grid(&c, seeds, false),
            "quickgrid" => grid(&c, seeds, true),
            "crash" => {
                let e = Crash {
                    nodes: n,
                    network: ms1.clone(),
                    crashed: 1,
                    limit: Duration::from_secs(120),
                };
                let r: Vec<_> = (0..seeds).into_par_iter().map(|s| c.run(&e, s)).collect();
                let mut f: Vec<f64> = r.iter().flat_map(|o| o.first.clone()).collect();
                let mut a: Vec<f64> = r.iter().flat_map(|o| o.everywhere.clone()).collect();
                println!(
                    "{name} n={n} first {:.2} (99% {:.2}) all {:.2} (99% {:.2}) fp {} bytes {:.0} missing {}",
                    mean(&f),
                    pct(&mut f, 0.99),
                    mean(&a),
                    pct(&mut a, 0.99),
                    r.iter().map(|o| o.false_deaths).sum::<u64>(),
                    mean(&r.iter().map(|o| o.bytes).collect::<Vec<_>>()),
                    seeds as usize - a.len()
                );
            }
            "held" => {
                for frozen in [false, true] {
                    let e = Held {
                        nodes: 128,
                        slow: 8,
                        pause: Duration::from_secs(16),
                        period: Duration::from_secs(32),
                        length: Duration::from_secs(600),
                        frozen,
                    };
                    let r: Vec<_> = (0..seeds).into_par_iter().map(|s| c.run(&e, s)).collect();
                    for o in r {
                        println!(
                            "{name} held frozen={frozen} FP {} FP- {} slow {} bytes {:.0}",
                            o.false_deaths, o.false_deaths_by_healthy, o.slow_deaths, o.bytes
                        );
                    }
                }
            }
            "loss" => {
                let secs: u64 = args.get(5).and_then(|s| s.parse().ok()).unwrap_or(600);
                for loss in [0.0, 0.05, 0.1, 0.2] {
                    let mut network = ms1.clone();
                    network.loss = loss;
                    network.streams = Streams::OneShot;
                    let e = Loss { nodes: n, network, length: Duration::from_secs(secs) };
                    let r: Vec<_> = (0..seeds).into_par_iter().map(|s| c.run(&e, s)).collect();
                    println!(
                        "{name} n={n} loss {loss} FP {} susp {} dg {:.2}/s {:.0} B/s ({:.0}k node-s/s)",
                        r.iter().map(|o| o.false_deaths).sum::<u64>(),
                        r.iter().map(|o| o.suspicions).sum::<u64>(),
                        mean(&r.iter().map(|o| o.datagrams()).collect::<Vec<_>>()),
                        mean(&r.iter().map(|o| o.bytes()).collect::<Vec<_>>()),
                        r[0].node_seconds / r[0].wall / 1e3
                    );
                }
            }
            _ => panic!(),
        }
    }
}
