//! `swim version`: what this program is.

use serde::Serialize;

use super::client::Format;
use super::failure::Failure;
use super::output;

/// Show the version of this program, and that of what agents say to each other.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
    /// Agents of another major version on the wire are not heard.
    wire_version: Wire,
}

#[derive(Serialize)]
struct Wire {
    major: u32,
    minor: u32,
}

const VERSION: Version = Version {
    version: env!("CARGO_PKG_VERSION"),
    wire_version: Wire { major: swim_wire::MAJOR, minor: swim_wire::MINOR },
};

/// Prints it; no agent is asked.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match args.format {
        Format::Json => output::json(&VERSION),
        Format::Table => {
            let Version { version, wire_version: Wire { major, minor } } = VERSION;
            output::line(&format!("swim {version}, wire version {major}.{minor}"))
        }
    }
}
