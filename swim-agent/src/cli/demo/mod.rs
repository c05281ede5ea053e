//! `swim demo`.
use super::failure::Failure;
/// Demo
#[derive(clap::Args)]
pub(super) struct Args {}
pub(super) fn run(_args: Args) -> Result<(), Failure> {
    Ok(())
}
