//! `swim join`: makes a running agent join others.

use super::client::{Client, Endpoint};
use super::failure::Failure;
use crate::http::types::{JoinBody, JoinRequest};

/// Make the agent join the clusters of these members.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Where members receive gossip.
    #[arg(required = true, value_name = "HOST:PORT")]
    addresses: Vec<String>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once; the agent answers when the members did.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let request = JoinRequest { addresses: args.addresses.clone() };
    let body = Client::new(&args.endpoint).post("/v1/join", &request)?;
    // How many have answered says little: the agent does not wait for the others.
    body.print(args.endpoint.format(), |_: &JoinBody| "joined".to_owned())
}
