//! Every transport of this crate passes the suite.

#[path = "../../swim-agent/tests/common/skip.rs"]
mod skip;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use skip::skipped;
use swim_transport::{Faulty, MemoryTransport, NetTransport, Network, contract};

const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

fn net(addr: SocketAddr) -> NetTransport {
    NetTransport::bind(addr).expect("the loopback interface has a free port")
}

fn memory(network: &Network) -> MemoryTransport {
    network.bind(V4).expect("the network has a free port")
}

#[tokio::test]
async fn udp_and_tcp_over_ipv4() {
    contract::run_all(async || net(V4)).await;
}

#[tokio::test]
async fn udp_and_tcp_over_ipv6() {
    if let Err(error) = NetTransport::bind(V6) {
        skipped(&format!("this machine has no IPv6 loopback ({error})"));
        return;
    }
    contract::run_all(async || net(V6)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_and_tcp_on_several_threads() {
    contract::run_all(async || net(V4)).await;
}

#[tokio::test(start_paused = true)]
async fn memory_without_real_time() {
    let network = Network::new();
    contract::run_all(async || memory(&network)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_on_several_threads() {
    let network = Network::new();
    contract::run_all(async || memory(&network)).await;
}

#[tokio::test]
async fn memory_with_a_small_mtu_and_queue() {
    let network = Network::new().with_mtu(512).with_queue(16);
    contract::run_all(async || memory(&network)).await;
}

#[tokio::test(start_paused = true)]
async fn memory_behind_no_faults() {
    let network = Network::new();
    contract::run_all(async || Faulty::new(memory(&network), 1)).await;
}

#[tokio::test]
async fn udp_and_tcp_behind_no_faults() {
    contract::run_all(async || Faulty::new(net(V4), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_transport() {
    let network = Network::new();
    contract::run_all(async || Arc::new(memory(&network))).await;
}
