//! For fuzzers: whatever a configuration file says, the agent and `swim check-config` agree on whether
//! it can be run on, and say so in lines that name a place in it.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use clap::Parser;
use swim_core::{GossipProtocol, MemberId};

use super::Args;
use super::check::Check;
use super::file::File;
use super::settings::Settings;

/// Reads a text as both do, and panics where what they make of it does not fit together. A text that names
/// files is left alone: reading those is not the parser's.
pub fn config_file(text: &str) {
    if text.contains("_file") {
        return;
    }
    let lines = text.matches('\n').count() + 1;
    let problems = Check::new(text).all();
    for problem in &problems {
        assert!((1..=lines).contains(&problem.line), "no such line: {problem:?}");
        let told = problem.line("file");
        assert!(!told.contains(char::is_control), "more than a line: {told:?}");
        assert!(!problem.error.is_empty(), "nothing is said of {problem:?}");
    }
    match accepted(text, lines) {
        Ok(()) => assert!(problems.is_empty(), "an agent runs on what is wrong: {problems:?}"),
        Err(why) => assert!(!problems.is_empty(), "no agent runs on what is right: {why}"),
    }
}

/// What `swim agent --config` does before it takes anything of the system.
fn accepted(text: &str, lines: usize) -> Result<(), String> {
    let (file, again) = (File::parse(text), File::parse(text));
    assert_eq!(format!("{file:?}"), format!("{again:?}"), "read twice");
    let file = file.inspect_err(|why| {
        let number = why.strip_prefix(':').and_then(|rest| rest.split(':').next()?.parse().ok());
        assert!(number.is_some_and(|line| (1..=lines).contains(&line)), "no such line: {why:?}");
        assert!(!why.contains('\n'), "more than a line: {why:?}");
    })?;
    let is_bound = file.bind.is_some();
    let settings = Settings::merge(flags(), file).map_err(|(_, why)| why)?;
    assert_eq!(settings.later(&settings), Vec::<&str>::new(), "read again, it changes something");
    within(&settings, is_bound)?;
    let name = settings.name.clone().unwrap_or_else(|| "node".to_owned());
    let builder = GossipProtocol::builder(MemberId(name), settings.bind);
    let builder =
        builder.options(settings.options).metadata(settings.metadata.into_iter().collect());
    builder.build().map(drop).map_err(|error| error.to_string())
}

/// Whether it lives, and asks to be let in, in the networks that it allows; as far as the file says addresses.
fn within(settings: &Settings, is_bound: bool) -> Result<(), String> {
    let nets = &settings.allow;
    let has = |at: &SocketAddr| nets.is_empty() || nets.iter().any(|net| net.contains(at.ip()));
    let literal = |given: &String| {
        let alone = |_| given.parse::<IpAddr>().map(|ip| (ip, 0).into());
        given.parse::<SocketAddr>().or_else(alone).ok()
    };
    let bound = Some(settings.bind).filter(|at| is_bound && !at.ip().is_unspecified());
    let lives = settings.advertise.as_ref().map_or(bound, literal);
    let seeds = settings.join.iter().filter_map(|seed| seed.parse().ok());
    let outside = seeds.chain(lives).find(|at| !has(at));
    outside.map_or(Ok(()), |at| Err(format!("{at} is outside of what is allowed")))
}

/// Those of a command line that has none.
fn flags() -> Args {
    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }
    static NONE: OnceLock<Args> = OnceLock::new();
    NONE.get_or_init(|| Alone::parse_from(["swim"]).args).clone()
}
