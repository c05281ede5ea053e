//! `swim keygen`: a new key for sealed traffic.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use swim_agent::keys::{Algorithm, Key, write_private};

use super::failure::Failure;
use super::output;

/// Make a key that a cluster's members have in common, for a keyring file.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What it is for.
    #[arg(long, value_enum, default_value_t = Cipher::Aes)]
    algorithm: Cipher,
    /// File to put it in, which only its owner may read and which must not be there yet [default: standard
    /// output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// An algorithm by its name in keyring files.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Cipher {
    /// For processors with instructions for AES, which is almost all.
    #[value(name = "aes-256-gcm")]
    Aes,
    /// For the others.
    #[value(name = "chacha20-poly1305")]
    ChaCha,
}

/// Prints the key, or writes it and prints its id; no agent is asked.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let algorithm = match args.algorithm {
        Cipher::Aes => Algorithm::Aes256Gcm,
        Cipher::ChaCha => Algorithm::ChaCha20Poly1305,
    };
    let key = Key::generate(algorithm).map_err(|error| Failure::Failed(error.to_string()))?;
    let mut text = key.to_text();
    let Some(path) = &args.out else { return output::line(&text) };
    text.push('\n');
    // Another key may be what a cluster speaks with.
    let free = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("it is there already")),
    };
    let written = free.and_then(|()| write_private(path, text.as_bytes()));
    written.map_err(|error| Failure::Failed(format!("--out {}: {error}", path.display())))?;
    output::line(&key.id().to_string())
}
