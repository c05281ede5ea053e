//! `swim meta`: changes what a running agent says of itself.

use std::collections::BTreeMap;

use clap::Subcommand;

use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::types::{MetadataBody, MetadataRequest};

/// Change the agent's metadata, which all members see.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    change: Change,
    #[command(flatten)]
    endpoint: Endpoint,
}

#[derive(Subcommand)]
enum Change {
    /// Add pairs, or replace their values.
    Set {
        /// What to say.
        #[arg(required = true, value_name = "K=V", value_parser = pair)]
        pairs: Vec<(String, String)>,
    },
    /// Take pairs away.
    Rm {
        /// Their keys.
        #[arg(required = true, value_name = "K")]
        keys: Vec<String>,
    },
}

/// Parses `K=V`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// Asks once and prints what the agent says of itself then.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let request = match &args.change {
        Change::Set { pairs } => {
            let set: BTreeMap<_, _> = pairs.iter().cloned().collect();
            MetadataRequest { set, remove: Vec::new() }
        }
        Change::Rm { keys } => MetadataRequest { set: BTreeMap::new(), remove: keys.clone() },
    };
    let body = Client::new(&args.endpoint).put("/v1/metadata", &request)?;
    body.print(args.endpoint.format(), |body: &MetadataBody| match body.metadata.len() {
        0 => "no metadata".to_owned(),
        _ => output::pairs(&body.metadata),
    })
}

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn a_value_may_be_empty_or_hold_an_equals_sign() {
        assert_eq!(pair("k=").unwrap(), ("k".to_owned(), String::new()));
        assert_eq!(pair("k=a=b").unwrap(), ("k".to_owned(), "a=b".to_owned()));
        assert!(pair("k").is_err() && pair("=v").is_err());
    }
}
