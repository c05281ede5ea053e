//! `swim leave`: makes a running agent say goodbye and end.

use super::client::{Client, Endpoint};
use super::failure::Failure;
use crate::http::types::LeaveBody;

/// Make the agent leave its cluster and end.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once; the agent answers when its goodbye is said.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let body = Client::new(&args.endpoint).post("/v1/leave", &serde_json::json!({}))?;
    body.print(args.endpoint.format(), |_: &LeaveBody| "left".to_owned())
}
