//! `swim demo --keep`: the cluster goes on, and others may join and ask it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use swim_core::Options;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::cluster;
use super::stage::Stage;
use crate::cli::failure::Failure;
use crate::http::{Access, Admin};

/// Tells how to take part, and shows the agents until a signal comes.
pub(super) async fn until_signal(stage: &mut Stage) -> Result<(), Failure> {
    let Some(first) = stage.cluster.running().next().cloned() else { return Ok(()) };
    let failed = |error| Failure::Failed(format!("cannot bind an admin endpoint: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (name, seed) = (first.name().to_owned(), first.advertise_addr());
    // Nobody reads it: the agents of the demo leave together, on Ctrl-C.
    let (sender, _) = mpsc::channel(1);
    let event_limit = Options::local().event_limit;
    let access = Access { address: address.to_string(), token: None, event_limit };
    tokio::spawn(
        Admin::new(first, access, sender, Arc::default()).serve(listener, std::future::pending()),
    );
    stage.say(&format!(
        "\nThe cluster goes on until Ctrl-C. {name} answers and takes newcomers in:\n\
         \n  swim members --http-addr {address}\
         \n  swim monitor --http-addr {address}\
         \n  swim agent --name guest --cluster {cluster} --profile local --bind 127.0.0.1:0 \
         --http-addr none --join {seed}",
        cluster = cluster::NAME,
    ))?;
    stage.until_signal().await
}
