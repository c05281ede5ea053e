//! `swim keys`: which keys members seal and open with, and replacing them everywhere.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use clap::Subcommand;
use swim_agent::keys::{KeyId, Keys, Zeroizing};

use super::client::{Client, Endpoint, Format};
use super::failure::Failure;
use super::output;
use crate::http::keys::{ChangeBody, IdRequest, InstallRequest, KeysBody};

/// Show or replace the keys of sealed traffic, on all members.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    step: Step,
    #[command(flatten)]
    endpoint: Endpoint,
}

#[derive(Subcommand)]
enum Step {
    /// Show which keys how many members have: [n/m], m with those that are dead and may come back.
    List,
    /// Have all members open with another key too.
    Install {
        /// File with that key, as `swim keygen` makes it.
        #[arg(long, value_name = "FILE", value_parser = KeyFile::from_str)]
        key_file: KeyFile,
    },
    /// Have all members seal with an installed key. Refused while one has not said that it has it.
    Use(Which),
    /// Have all members forget a key. Refused while one has not said that it seals with another.
    Remove(Which),
}

#[derive(clap::Args)]
struct Which {
    /// The key's id, as `swim keys list` shows it.
    #[arg(value_name = "ID", value_parser = KeyId::from_str)]
    id: KeyId,
    /// Also if that cuts members off.
    #[arg(long)]
    force: bool,
}

/// The one key in a file that others cannot read.
#[derive(Clone)]
struct KeyFile(Arc<Zeroizing<String>>);

impl FromStr for KeyFile {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, String> {
        let keys = Keys::read(path).map_err(|error| error.to_string())?;
        match keys.ring().len() {
            1 => Ok(Self(Arc::new(keys.ring().primary().to_text()))),
            several => Err(format!("expected one key, there are {several} in it")),
        }
    }
}

/// Asks once; the agent answers when members did.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (client, format) = (Client::new(&args.endpoint), args.endpoint.format());
    let (path, done, which) = match &args.step {
        Step::List => return client.get("/v1/keys", &[])?.print(format, list),
        Step::Install { key_file } => {
            let request = InstallRequest { key: Zeroizing::clone(&key_file.0) };
            return finish(
                &client.post("/v1/keys/install", &request)?.parse()?,
                "installed",
                format,
            );
        }
        Step::Use(which) => ("/v1/keys/use", "in use", which),
        Step::Remove(which) => ("/v1/keys/remove", "removed", which),
    };
    let request = IdRequest { id: which.id.to_string(), force: which.force };
    let body: ChangeBody = client.post(path, &request)?.parse()?;
    match which.force {
        // Who does not know of them would not have forced it.
        true => print(&body, done, format),
        false => finish(&body, done, format),
    }
}

/// Prints what was done; fails if it was not done everywhere.
fn finish(body: &ChangeBody, done: &str, format: Format) -> Result<(), Failure> {
    print(body, done, format)?;
    if body.unconfirmed.is_empty() {
        return Ok(());
    }
    let ChangeBody { id, confirmed, members, .. } = body;
    let id = output::printable(id);
    Err(Failure::Failed(format!("key {id} is {done} on {confirmed} of {members} members only")))
}

fn print(body: &ChangeBody, done: &str, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return output::json(body);
    }
    let ChangeBody { id, confirmed, members, unconfirmed } = body;
    let id = output::printable(id);
    output::line(&format!("{id} {done} [{confirmed}/{members}]{}", silent(unconfirmed)))
}

fn list(body: &KeysBody) -> String {
    let m = body.members;
    let rows = body.keys.iter().map(|key| {
        let texts = [&key.id, &key.algorithm].map(|text| output::printable(text).into_owned());
        let [id, algorithm] = texts;
        [id, algorithm, format!("[{}/{m}]", key.held), format!("[{}/{m}]", key.primary)]
    });
    let table = output::table(["KEY", "ALGORITHM", "HELD", "PRIMARY"], rows.collect());
    let sealing =
        body.sealing.iter().map(|(mode, n)| format!("{} [{n}/{m}]", output::printable(mode)));
    let sealing: Vec<_> = sealing.collect();
    format!("{table}\nsealing: {}{}", sealing.join(", "), silent(&body.unconfirmed))
}

/// A line for each who has not confirmed.
fn silent(unconfirmed: &BTreeMap<String, String>) -> String {
    let line = |(name, why): (&String, &String)| {
        format!("\nnot confirmed by {}: {}", output::printable(name), output::printable(why))
    };
    unconfirmed.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::keys::KeyBody;

    #[test]
    fn who_has_not_confirmed_is_named_and_steers_no_terminal() {
        let key = |id: &str, held, primary| {
            let algorithm = "aes-256-gcm".to_owned();
            KeyBody { id: id.to_owned(), algorithm, held, primary }
        };
        let body = KeysBody {
            members: 3,
            keys: vec![key("1f2e3d4c", 2, 2), key("5a6b7c8d", 1, 0)],
            sealing: BTreeMap::from([("require".to_owned(), 2)]),
            unconfirmed: BTreeMap::from([("n3\u{1b}".to_owned(), "dead".to_owned())]),
        };
        assert_eq!(
            list(&body),
            "KEY       ALGORITHM    HELD   PRIMARY\n\
             1f2e3d4c  aes-256-gcm  [2/3]  [2/3]\n\
             5a6b7c8d  aes-256-gcm  [1/3]  [0/3]\n\
             sealing: require [2/3]\n\
             not confirmed by n3\\u{1b}: dead"
        );
    }
}
