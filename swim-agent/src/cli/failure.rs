//! Why a command did not do what it was asked to: one line on stderr and an exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::error::ErrorKind;

use super::output;

/// Why a command ends with another exit code than 0.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Several things make no sense, each told in a line of its own.
    #[error("{}", .0.join("; "))]
    Several(Vec<String>),
    /// No agent answers there.
    #[error(
        "no agent at {address}: {why} (is it running? --http-addr or SWIM_HTTP_ADDR names another)"
    )]
    Unreachable {
        /// The admin endpoint that was tried.
        address: String,
        /// What the network said.
        why: String,
    },
    /// Something accepts there and does not answer.
    #[error("the agent at {address} takes connections and does not answer: frozen, or very busy?")]
    Silent {
        /// The admin endpoint that was tried.
        address: String,
    },
    /// An agent that answered has gone in the middle of it.
    #[error("the agent at {address} is gone: {why}")]
    Gone {
        /// Its admin endpoint.
        address: String,
        /// What became of the connection.
        why: String,
    },
    /// Standard output cannot be written to.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit code that the documentation promises.
    fn code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Output(_) => 1,
            Self::Usage(_) | Self::Several(_) => 2,
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Gone { .. } => 3,
        }
    }

    /// Tells why, and with which code to exit.
    pub(super) fn exit(&self) -> ExitCode {
        // Whoever reads the output has seen enough, as `head` does: that is not a failure.
        if let Self::Output(error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        let line = |text: &str| format!("error: {}", output::printable(text));
        say(&match self {
            Self::Several(texts) => {
                texts.iter().map(|text| line(text)).collect::<Vec<_>>().join("\n")
            }
            one => line(&one.to_string()),
        });
        ExitCode::from(self.code())
    }
}

/// How long standard error may take: a pipe that nobody reads must not keep a process from ending.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes a line to standard error; when that cannot be written to, nobody is there to be told.
pub(super) fn say(line: &str) {
    let line = format!("{line}\n");
    let (written, wait) = mpsc::channel::<()>();
    let writer = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(line.as_bytes());
        drop(written);
    });
    if writer.is_ok() {
        // The writer drops its end when it is done.
        let _ = wait.recv_timeout(PATIENCE);
    }
}

/// What clap has to say: help and version as they are, a mistake in one line.
pub(super) fn usage_exit(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            if let Err(error) = error.print() {
                return Failure::Output(error).exit();
            }
        }
        ErrorKind::InvalidUtf8 => {
            // The library does not say which.
            let wrong = std::env::args_os().find(|argument| argument.to_str().is_none());
            say(&format!("error: an argument is not UTF-8: {:?}", wrong.unwrap_or_default()));
        }
        _ => say(&output::printable(&one_line(&error.to_string()))),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// A mistake as clap renders it, in several paragraphs, in one line.
fn one_line(rendered: &str) -> String {
    let mut line = String::new();
    let mut help = "";
    for part in rendered.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(rest) = part.strip_prefix("For more information, try ") {
            help = rest.trim_end_matches('.');
        } else if !part.starts_with("Usage:") {
            let separator = match part {
                _ if line.is_empty() => "",
                _ if part.starts_with("tip:") => "; ",
                _ => " ",
            };
            line.push_str(separator);
            line.push_str(part);
        }
    }
    if !help.is_empty() {
        line.push_str("; see ");
        line.push_str(help);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_mistake_is_told_in_one_line() {
        let rendered = "error: the following required arguments were not provided:\n  <ADDR>...\n\n\
                        Usage: swim join <ADDR>...\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(rendered),
            "error: the following required arguments were not provided: <ADDR>...; see '--help'"
        );
    }

    #[test]
    fn a_tip_stays() {
        let rendered = "error: unexpected argument '--bnd' found\n\n  tip: a similar argument exists: \
                        '--bind'\n\nUsage: swim agent --bind <IP:PORT>\n\nFor more information, try \
                        '--help'.\n";
        assert_eq!(
            one_line(rendered),
            "error: unexpected argument '--bnd' found; tip: a similar argument exists: '--bind'; \
             see '--help'"
        );
    }
}
