//! Who is sent the datagrams: the agent, and three that answer without a protocol.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use swim_agent::{Agent, Handle, Options, RateLimits};
use swim_benches::proc::Thread;
use swim_transport::{NetTransport, Transport as _};
use tokio::runtime::Runtime;

use crate::packets::{CLUSTER, Packets};
use crate::sender::Sender;

/// Longer than any run: the agent's own probes would only be lost.
const NEVER: u64 = 24 * 3600 * 1000;
const LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Somebody who answers each datagram, and the one thread that does.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) thread: Thread,
    /// What keeps it running.
    _runtime: Option<Runtime>,
    _agent: Option<Handle>,
}

/// A runtime of one thread, and that thread.
fn runtime(name: &str) -> Result<(Runtime, Thread), Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).thread_name(name).enable_all().build()?;
    let thread = runtime.spawn(async { Thread::current() });
    let thread = runtime.block_on(thread)?;
    Ok((runtime, thread))
}

/// `recv_from` and `send_to` of std, blocking: what the kernel takes.
pub(crate) fn std_echo() -> Result<Target, Error> {
    let socket = UdpSocket::bind(LOCAL)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(1 << 20)?;
    let address = socket.local_addr()?;
    let (tell, told) = mpsc::channel();
    let echo = move || {
        let _ = tell.send(Thread::current());
        let mut buf = vec![0; 65_535];
        while let Ok((len, from)) = socket.recv_from(&mut buf) {
            let _ = socket.send_to(&buf[..len], from);
        }
    };
    std::thread::Builder::new().name("echo-std".to_owned()).spawn(echo)?;
    let thread = told.recv()?;
    Ok(Target { name: "echo, std", address, thread, _runtime: None, _agent: None })
}

/// The same with Tokio.
pub(crate) fn tokio_echo() -> Result<Target, Error> {
    let (runtime, thread) = runtime("echo-tokio")?;
    let socket = runtime.block_on(tokio::net::UdpSocket::bind(LOCAL))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(1 << 20)?;
    let address = socket.local_addr()?;
    runtime.spawn(async move {
        let mut buf = vec![0; 65_535];
        while let Ok((len, from)) = socket.recv_from(&mut buf).await {
            let _ = socket.send_to(&buf[..len], from).await;
        }
    });
    Ok(Target { name: "echo, tokio", address, thread, _runtime: Some(runtime), _agent: None })
}

/// The same with the agent's transport.
pub(crate) fn transport_echo() -> Result<Target, Error> {
    let (runtime, thread) = runtime("echo-net")?;
    let transport = runtime.block_on(async { NetTransport::bind(LOCAL.into()) })?;
    let address = transport.local_addr();
    runtime.spawn(async move {
        let mut buf = BytesMut::new();
        while let Ok(from) = transport.recv_from(&mut buf).await {
            let _ = transport.send_to(from, &buf);
        }
    });
    let name = "echo, swim-transport";
    Ok(Target { name, address, thread, _runtime: Some(runtime), _agent: None })
}

/// An agent that knows `members` members, the sender among them.
pub(crate) fn agent(sender: &Sender, members: usize) -> Result<Target, Error> {
    let (runtime, thread) = runtime("agent")?;
    let mut options = Options::default();
    options.gossip.base.probe_interval = NEVER;
    options.gossip.anti_entropy_interval = 0;
    // All comes from one member, far more than any may send.
    let agent = Agent::builder().name("agent").bind(LOCAL.into()).cluster(CLUSTER).options(options);
    let agent = agent.rate_limits(RateLimits::NONE);
    let handle = runtime.block_on(runtime.spawn(agent.spawn()))??;
    let address = handle.local_addr();
    let packets = Packets::new(sender.address());
    sender.introduce(address, &packets.introduction(members))?;
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let info = runtime.block_on(handle.info())?;
        // What it has learned is told to all, which must be over before anything is measured.
        if info.counts.alive == members + 1 && info.updates_waiting == 0 {
            break;
        }
        if Instant::now() > until {
            return Err(
                format!("the agent knows {} of {members} members", info.counts.alive).into()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Target { name: "agent", address, thread, _runtime: Some(runtime), _agent: Some(handle) })
}
