//! Many idle agents in one process.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use swim_agent::{Agent, Counters, Handle, MemberState};
use swim_benches::proc::{self, shown};
use swim_transport::Network;
use tokio::time::{sleep, timeout};

/// Files that an agent holds open while it is idle: a UDP socket and a TCP listener.
const FILES: usize = 2;
/// Files that the rest takes: the runtime's, and the streams of agents that are joining.
const MORE_FILES: usize = 300;
/// Agents that are started at a time, and the pause between.
const AT_A_TIME: usize = 50;
const PAUSE: Duration = Duration::from_millis(50);
/// How long all may take to know all.
const PATIENCE: Duration = Duration::from_secs(300);
const LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, clap::Parser)]
pub(crate) struct Arguments {
    /// Agents, each with sockets of its own
    #[arg(long, default_value_t = 1_000)]
    agents: usize,
    /// Members of each cluster; 0 for one of all
    #[arg(long, default_value_t = 0)]
    clusters_of: usize,
    /// Over a network in memory instead of sockets
    #[arg(long)]
    memory: bool,
    /// Seconds before measuring, after all know all
    #[arg(long, default_value_t = 15)]
    settle: u64,
    /// Seconds of measuring
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

impl Arguments {
    pub(crate) fn quick() -> Self {
        Self { agents: 30, clusters_of: 10, memory: false, settle: 1, seconds: 2 }
    }

    /// Members of each cluster.
    fn cluster_size(&self) -> usize {
        if self.clusters_of == 0 { self.agents } else { self.clusters_of }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let needed = arguments.agents * FILES + MORE_FILES;
    let open = if arguments.memory { None } else { proc::open_files() };
    if let Some(open) = open.filter(|&open| open < needed) {
        let agents = arguments.agents;
        let text = format!(
            "{agents} agents need {needed} open files, the limit is {open}: ulimit -n {needed}"
        );
        return Err(text.into());
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build()?;
    // A task of its own: what the main thread polls itself would run on a third thread.
    let arguments = arguments.clone();
    runtime.block_on(runtime.spawn(measure(arguments)))?
}

async fn measure(arguments: Arguments) -> Result<(), Error> {
    let before = proc::resident();
    let start = Instant::now();
    let agents = start_all(&arguments).await?;
    let joined = start.elapsed();
    sleep(Duration::from_secs(arguments.settle)).await;
    let then = Count::take(&agents).await?;
    sleep(Duration::from_secs(arguments.seconds)).await;
    let now = Count::take(&agents).await?;
    let memory = proc::resident().zip(before).map(|(now, then)| now.saturating_sub(then));
    print(&arguments, joined, (&then, &now), memory);
    let wanted = arguments.cluster_size();
    let alive = |agent: &&Handle| agent.members().count(MemberState::Alive) == wanted;
    let agreed = agents.iter().filter(alive).count();
    println!("\n{agreed} of {} agents hold all {wanted} members alive", agents.len());
    Ok(())
}

/// Starts clusters one after the other, each of them through its first agent; returns when
/// everybody knows everybody.
async fn start_all(arguments: &Arguments) -> Result<Vec<Handle>, Error> {
    let network = arguments.memory.then(Network::new);
    let mut agents: Vec<Handle> = Vec::with_capacity(arguments.agents);
    let size = arguments.cluster_size();
    for number in 0..arguments.agents {
        let (cluster, seed) = (number / size, number - number % size);
        let seed = agents.get(seed).map(|seed| seed.advertise_addr().to_string());
        let builder = Agent::builder()
            .name(format!("node-{number:06}"))
            .cluster(format!("load-{cluster}"))
            .bind(LOCAL.into())
            .join(seed);
        agents.push(match &network {
            Some(network) => builder.transport(network.bind(LOCAL.into())?).spawn().await?,
            None => builder.spawn().await?,
        });
        if number % AT_A_TIME == AT_A_TIME - 1 {
            sleep(PAUSE).await;
        }
    }
    let until = Instant::now() + PATIENCE;
    for agent in &agents {
        let mut members = agent.watch();
        let all = members.wait_for(|members| members.count(MemberState::Alive) == size);
        if timeout(until.saturating_duration_since(Instant::now()), all).await.is_err() {
            let known = agent.members().len();
            return Err(format!("{} knows {known} of {size} members", agent.name()).into());
        }
    }
    Ok(agents)
}

/// What was counted up to one moment.
struct Count {
    at: Instant,
    cpu: Option<Duration>,
    /// Of all agents together.
    datagrams: u64,
    bytes: u64,
    streams: u64,
}

impl Count {
    async fn take(agents: &[Handle]) -> Result<Self, Error> {
        let (mut datagrams, mut bytes, mut streams) = (0, 0, 0);
        for agent in agents {
            let Counters { datagrams_sent, datagram_bytes_sent, streams_opened, .. } =
                agent.info().await?.counters;
            datagrams += datagrams_sent;
            bytes += datagram_bytes_sent;
            streams += streams_opened;
        }
        Ok(Self { at: Instant::now(), cpu: proc::cpu(), datagrams, bytes, streams })
    }
}

fn print(arguments: &Arguments, joined: Duration, count: (&Count, &Count), memory: Option<u64>) {
    let (then, now) = count;
    let agents = arguments.agents as f64;
    let seconds = (now.at - then.at).as_secs_f64();
    let cpu = now.cpu.zip(then.cpu).map(|(now, then)| (now - then).as_secs_f64());
    let each = |now: u64, then: u64| (now - then) as f64 / agents / seconds;
    println!(
        "\n| agents | of a cluster | over | all know all | CPU ms/s each | resident KiB each \
         | datagrams/s each | bytes/s each | streams/min each | of one core |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    println!(
        "| {} | {} | {} | {:.1} s | {} | {} | {:.2} | {:.0} | {:.2} | {} % |",
        arguments.agents,
        arguments.cluster_size(),
        if arguments.memory { "memory" } else { "sockets" },
        joined.as_secs_f64(),
        shown(cpu.map(|cpu| cpu * 1e3 / agents / seconds), 3),
        shown(memory.map(|memory| memory as f64 / agents), 0),
        each(now.datagrams, then.datagrams),
        each(now.bytes, then.bytes),
        each(now.streams, then.streams) * 60.0,
        shown(cpu.map(|cpu| cpu * 100.0 / seconds), 0),
    );
}
