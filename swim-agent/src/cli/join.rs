//! `swim join`: makes a running agent join others.

use super::address;
use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::types::{JoinBody, JoinRequest, UnansweredBody};

/// Make the agent join the clusters of these members.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Where members receive gossip.
    #[arg(required = true, value_name = "HOST:PORT", value_parser = address::seed)]
    addresses: Vec<String>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once; the agent answers when the members did.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let request = JoinRequest { addresses: args.addresses.clone() };
    let body = Client::new(&args.endpoint).post("/v1/join", &request)?;
    body.print(args.endpoint.format(), readable)
}

fn readable(body: &JoinBody) -> String {
    let mut text = "joined".to_owned();
    for UnansweredBody { address, why } in &body.unanswered {
        let (address, why) = (output::printable(address), output::printable(why));
        text.push_str(&format!("\nno answer from {address}: {why}"));
    }
    text
}
