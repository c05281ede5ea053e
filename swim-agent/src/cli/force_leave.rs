//! `swim force-leave`: declares a member gone for good.

use super::address;
use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::types::{ForceLeaveBody, ForceLeaveRequest};

/// Declare a member gone for good: nobody looks for it any more. One that is alive after all hears of it
/// and comes back.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The member.
    #[arg(value_name = "NAME", value_parser = address::member)]
    name: String,
    /// Nobody is to show it any more either.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once; the agent answers at once.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let request = ForceLeaveRequest { name: args.name.clone(), prune: args.prune };
    let body = Client::new(&args.endpoint).post("/v1/force-leave", &request)?;
    body.print(args.endpoint.format(), readable)
}

fn readable(body: &ForceLeaveBody) -> String {
    let done = if body.pruned { "pruned" } else { "removed" };
    let (name, old) = (output::printable(&body.name), output::printable(&body.old_state));
    let back = match body.old_state.as_str() {
        "alive" | "suspect" => "; if it lives, it hears of this and comes back",
        _ => "",
    };
    format!("{done} {name}, which was {old}{back}")
}
