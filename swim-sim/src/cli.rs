//! The command line: a scenario by its name, what it runs with, and where its report goes.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};

use crate::lab::{NAMES, Profile};
use crate::report::{Report, ReportError, Table};
use crate::scenarios::{self, Request, Settings, UsageError};

/// A deterministic simulator of SWIM clusters: real engines, virtual time, no sockets.
///
/// Equal arguments give equal reports, wall times excepted.
#[derive(Debug, Parser)]
#[command(name = "swim-sim", version, arg_required_else_help = true, after_help = after_help())]
struct Args {
    /// What to measure; `list` says what there is.
    scenario: String,
    /// Nodes in all; each number is measured by itself.
    #[arg(long, value_name = "N[,N..]", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=MOST_NODES))]
    nodes: Vec<u32>,
    /// Runs of each measurement.
    #[arg(long, visible_alias = "repeats", value_name = "K", value_parser = clap::value_parser!(u64).range(1..=MOST_SEEDS))]
    seeds: Option<u64>,
    /// Seed of the first run; the others follow it.
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=MOST_SEEDS * MOST_SEEDS))]
    first_seed: u64,
    /// Who is measured besides swim.
    #[arg(long, value_name = "NAME[,NAME..]", value_delimiter = ',')]
    against: Vec<String>,
    /// Share of packets lost, from 0 to 0.99.
    #[arg(long, value_parser = share)]
    loss: Option<f64>,
    /// Virtual time for which what is measured goes on, such as 600s, 10m or 500ms.
    #[arg(long, value_parser = duration)]
    length: Option<Duration>,
    /// Configuration and network.
    #[arg(long)]
    profile: Option<Profile>,
    /// Leave out Lifeguard's anomalies below 8 s, which cause hardly a false positive.
    #[arg(long)]
    only_long: bool,
    /// A rough answer within seconds.
    #[arg(long)]
    quick: bool,
    /// What to print.
    #[arg(long, default_value = "table")]
    format: Format,
    /// Write each table as CSV into this directory.
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,
    /// Write the report as JSON into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write each chart as SVG into this directory.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Show no progress.
    #[arg(long)]
    quiet: bool,
}

/// A cluster of these takes about 40 GB.
const MOST_NODES: i64 = 20_000;
const MOST_SEEDS: u64 = 1_000_000;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal.
    Table,
    /// Tables for a document, with the charts as images.
    Markdown,
    /// Tables for other programs.
    Csv,
    /// All of it for other programs.
    Json,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Does what the arguments say, and tells how that went: 0 done, 1 failed, 2 wrong usage.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return clap_exit(&error),
    };
    match args.answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

impl Args {
    fn answer(self) -> Result<(), Failure> {
        if self.scenario == "list" {
            return Ok(self.publish(&list())?);
        }
        let scenario = scenarios::named(&self.scenario)
            .ok_or_else(|| UsageError::Scenario(self.scenario.clone()))?;
        let settings = Settings::new(scenario, self.request())?;
        Ok(self.publish(&(scenario.answer)(&settings))?)
    }

    fn request(&self) -> Request {
        Request {
            nodes: self.nodes.clone(),
            seeds: self.seeds,
            first_seed: self.first_seed,
            against: self.against.clone(),
            loss: self.loss,
            length: self.length,
            profile: self.profile,
            only_long: self.only_long,
            quick: self.quick,
            quiet: self.quiet,
        }
    }

    /// Writes the files first, so that who reads the end of the output finds them.
    fn publish(&self, report: &Report) -> Result<(), ReportError> {
        if let Some(dir) = &self.csv {
            report.write_csv(dir)?;
        }
        if let Some(dir) = &self.svg {
            report.write_svg(dir)?;
        }
        if let Some(file) = &self.json {
            report.write_json(Some(file))?;
        }
        match self.format {
            Format::Table => report.print(),
            Format::Markdown => report.print_text(&report.markdown()),
            Format::Csv => report.print_text(&report.csv()),
            Format::Json => report.write_json(None),
        }
    }
}

/// What scenarios there are.
fn list() -> Report {
    let columns = [("scenario", ""), ("asks", ""), ("nodes", ""), ("seeds", ""), ("against", "")];
    let mut table = Table::new("Scenarios and their defaults", columns);
    for scenario in scenarios::ALL {
        let nodes: Vec<_> = scenario.usual.nodes.iter().map(ToString::to_string).collect();
        table.row([
            scenario.name.into(),
            scenario.about.into(),
            nodes.join(" ").into(),
            scenario.usual.seeds.to_string().into(),
            briefly(scenario.usual.against).into(),
        ]);
    }
    table.note(format!("Contenders: {}, lifeguard-a<1 to 10>b<1 to 10>.", NAMES.join(", ")));
    Report { tables: vec![table], ..Report::new("list") }
}

/// The first few names, and how many there are if those are not all.
fn briefly(names: &[&str]) -> String {
    match names {
        [first, second, third, _, ..] => {
            format!("{first} {second} {third} and {} more", names.len() - 3)
        }
        _ => names.join(" "),
    }
}

fn after_help() -> String {
    let mut help = String::from("Scenarios:\n");
    for scenario in scenarios::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(help, "  {:<16} {}", scenario.name, scenario.about);
    }
    help + "\nExit codes: 0 done, 1 failed, 2 wrong usage."
}

/// A probability that leaves something over.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=0.99).contains(&share) { Ok(share) } else { Err("not from 0 to 0.99".to_owned()) }
}

/// A number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err("not a number with one of the units ms, s, m, h, d".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
    let length = Duration::try_from_secs_f64(number * unit).unwrap_or(Duration::MAX);
    if length.is_zero() || length > LONGEST {
        return Err("not above 0 and up to 7 days".to_owned());
    }
    Ok(length)
}

/// What clap has to say: help and version as they are, a mistake in one line.
fn clap_exit(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Nothing is left to be done when not even help can be printed.
            let _ = error.print();
        }
        _ => eprintln!("{}", one_line(&error.to_string())),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// A mistake as clap renders it, in several paragraphs, in one line, without the usage.
fn one_line(rendered: &str) -> String {
    let parts = rendered.lines().map(str::trim).filter(|part| {
        !part.is_empty() && !part.starts_with("Usage:") && !part.starts_with("For more")
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, millis) in
            [("600s", 600_000), ("1.5m", 90_000), ("500ms", 500), ("2h", 7_200_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "0s", "1.2.3s", "8d", "1e9s", "∞s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_at_least_0_and_below_1() {
        assert_eq!(share("0.2"), Ok(0.2));
        for text in ["1", "-0.1", "NaN", "20%", ""] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_in_one_line() {
        let error = Args::try_parse_from(["swim-sim", "crash", "--nodes", "0"]).unwrap_err();
        let line = one_line(&error.to_string());
        assert!(line.contains("--nodes") && line.contains('0') && !line.contains('\n'), "{line}");
    }
}
