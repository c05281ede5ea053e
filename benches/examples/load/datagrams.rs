//! The agent under load.

use std::time::Duration;

use bytes::BytesMut;
use swim_benches::proc::{self, shown};

use crate::packets::Packets;
use crate::sender::{Pace, Run, Sender};
use crate::target::{self, Target};

/// Datagrams per second that are offered, one after the other.
const RATES: [u64; 8] = [1_000, 10_000, 25_000, 50_000, 100_000, 200_000, 300_000, 400_000];
/// Above this share without an answer no more is offered.
const LOST: f64 = 0.001;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, clap::Parser)]
pub(crate) struct Arguments {
    /// Members that the agent knows
    #[arg(long, default_value_t = 1_000)]
    members: usize,
    /// Seconds at each rate
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Datagrams per second, one rate after the other until some are lost
    #[arg(long, value_delimiter = ',', default_values_t = RATES)]
    rates: Vec<u64>,
    /// Then as fast as datagrams are answered, so many times, all in turn; the median is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only as fast as datagrams are answered
    #[arg(long)]
    full: bool,
    /// Updates in a ping, all of them known already; a run for each
    #[arg(long, value_delimiter = ',', default_values_t = [0, 8])]
    updates: Vec<usize>,
    /// Only those whose name contains this
    #[arg(long, default_value = "")]
    only: String,
}

impl Arguments {
    pub(crate) fn quick() -> Self {
        let (rates, updates) = (RATES.to_vec(), vec![0, 8]);
        let (rounds, full, only) = (1, false, String::new());
        Self { members: 100, seconds: 0.1, rates, rounds, full, updates, only }
    }
}

/// One kind of datagram.
struct Kind {
    name: String,
    packets: Vec<BytesMut>,
}

/// One run against one target.
struct Row {
    run: Run,
    /// Microseconds of the target's thread per answer.
    cpu: Option<f64>,
    drops: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let sender = Sender::bind()?;
    let packets = Packets::new(sender.address());
    let targets = [
        target::std_echo()?,
        target::tokio_echo()?,
        target::transport_echo()?,
        target::agent(&sender, arguments.members)?,
    ];
    let kind = |&updates: &usize| Kind {
        name: if updates == 0 { "ping".to_owned() } else { format!("ping + {updates} known") },
        packets: packets.pings(updates, arguments.members),
    };
    let kinds: Vec<_> = arguments.updates.iter().map(kind).collect();
    println!("\nan agent that knows {} members, one thread\n", arguments.members);
    let targets: Vec<_> =
        targets.iter().filter(|target| target.name.contains(&arguments.only)).collect();
    if !arguments.full {
        ramps(&sender, &targets, &kinds, arguments)?;
    }
    if arguments.rounds > 0 {
        full(&sender, &targets, &kinds, arguments)?;
    }
    Ok(())
}

/// Raises the rate until datagrams are lost.
fn ramps(
    sender: &Sender,
    targets: &[&Target],
    kinds: &[Kind],
    arguments: &Arguments,
) -> Result<(), Error> {
    println!(
        "| who answers | datagram | offered/s | sent/s | answered/s | CPU us each | kernel drops |"
    );
    println!("|---|---|---|---|---|---|---|");
    for kind in kinds {
        for target in targets {
            for &rate in &arguments.rates {
                let row = measure(sender, target, kind, Pace::Rate(rate), arguments.seconds)?;
                let Run { sent, answered, time } = row.run;
                let per_second = |count: u64| count as f64 / time.as_secs_f64();
                println!(
                    "| {} | {} | {rate} | {:.0} | {:.0} | {} | {} |",
                    target.name,
                    kind.name,
                    per_second(sent),
                    per_second(answered),
                    shown(row.cpu, 2),
                    shown(row.drops.map(|drops| drops as f64), 0),
                );
                let lost = 1.0 - answered as f64 / sent.max(1) as f64;
                // A sender that cannot keep its pace has nothing more to offer.
                if lost > LOST || per_second(sent) < 0.9 * rate as f64 {
                    break;
                }
            }
        }
    }
    println!();
    Ok(())
}

/// As fast as datagrams are answered, all targets in turn.
fn full(
    sender: &Sender,
    targets: &[&Target],
    kinds: &[Kind],
    arguments: &Arguments,
) -> Result<(), Error> {
    println!(
        "| as fast as it answers | datagram | answered/s | CPU us each | above the one before |"
    );
    println!("|---|---|---|---|---|");
    for kind in kinds {
        let mut rows: Vec<Vec<Row>> = targets.iter().map(|_| Vec::new()).collect();
        for _ in 0..arguments.rounds {
            for (target, rows) in targets.iter().zip(&mut rows) {
                rows.push(measure(sender, target, kind, Pace::Answers, arguments.seconds)?);
            }
        }
        let mut before = None;
        for (target, rows) in targets.iter().zip(&rows) {
            let rate = |row: &Row| row.run.answered as f64 / row.run.time.as_secs_f64();
            let cpu = median(rows.iter().filter_map(|row| row.cpu));
            let more = cpu.zip(before).map(|(cpu, before)| cpu - before);
            println!(
                "| {} | {} | {} | {} | {} |",
                target.name,
                kind.name,
                shown(median(rows.iter().map(rate)), 0),
                shown(cpu, 2),
                shown(more, 2),
            );
            before = cpu;
        }
    }
    Ok(())
}

fn measure(
    sender: &Sender,
    target: &Target,
    kind: &Kind,
    pace: Pace,
    seconds: f64,
) -> Result<Row, Error> {
    let (cpu, drops) = (target.thread.cpu(), proc::drops(target.address));
    let time = Duration::from_secs_f64(seconds);
    let run = sender.run(target.address, &kind.packets, pace, time)?;
    if run.answered == 0 {
        return Err(format!("{} answered none of {} datagrams", target.name, run.sent).into());
    }
    let cpu = target.thread.cpu().zip(cpu).map(|(now, then)| now - then);
    let drops = proc::drops(target.address).zip(drops).map(|(now, then)| now - then);
    let cpu = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / run.answered.max(1) as f64);
    Ok(Row { run, cpu, drops })
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
