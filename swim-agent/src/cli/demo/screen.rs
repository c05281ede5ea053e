//! What the audience sees: lines that stay, and on a terminal a table below them that moves.

use std::io::{IsTerminal, Write};

use anstyle::Style;

use super::cluster::{Cluster, Fate, Node};
use crate::cli::failure::Failure;
use crate::cli::output::style;

/// Agents in the moving table; more would not fit a terminal of 24 lines.
const ROWS: usize = 12;
/// Members in a row of it; more would not fit 80 columns. What happens, happens to the last ones.
const SYMBOLS: usize = 20;

/// Standard output.
pub(super) struct Screen {
    /// Whether lines can be taken back.
    moving: bool,
    /// Lines of the table as it stands there now.
    drawn: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { moving: std::io::stdout().is_terminal(), drawn: 0 }
    }

    /// Whether there is a table that moves.
    pub(super) fn is_moving(&self) -> bool {
        self.moving
    }

    /// Prints lines that stay.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.write(&format!("{text}\n"), 0)
    }

    /// Draws the table anew, if this is a terminal.
    pub(super) fn draw(&mut self, cluster: &Cluster) -> Result<(), Failure> {
        if !self.moving {
            return Ok(());
        }
        let table = table(cluster);
        let lines = table.lines().count();
        self.write(&table, lines)
    }

    /// Replaces the table that stands there by `text`, of which `table` lines may be taken back.
    fn write(&mut self, text: &str, table: usize) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        if self.drawn > 0 {
            // Up to where the table begins, and away with all below.
            write!(stdout, "\x1b[{}A\x1b[J", self.drawn)?;
        }
        self.drawn = table;
        write!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }
}

fn table(cluster: &Cluster) -> String {
    let bold = Style::new().bold();
    let sees = cluster.nodes.len().clamp("SEES".len(), SYMBOLS);
    let mut text = format!(
        "\n{bold}  {:<9} {:<17} {:<sees$}  ALIVE SUSPECT DEAD LEFT{bold:#}\n",
        "AGENT", "ADDRESS", "SEES"
    );
    let more = cluster.nodes.len().saturating_sub(ROWS);
    if more > 0 {
        text.push_str(&format!("  {more} more\n"));
    }
    for node in cluster.nodes.iter().skip(more) {
        text.push_str(&row(cluster, node, sees));
    }
    text
}

fn row(cluster: &Cluster, node: &Node, width: usize) -> String {
    let name = &node.name;
    let gone = style("left");
    let handle = match &node.fate {
        Fate::Running(handle) => handle,
        Fate::Crashed => return format!("  {name:<9} {gone}crashed{gone:#}\n"),
        Fate::Left => return format!("  {name:<9} {gone}left{gone:#}\n"),
    };
    let members = handle.members();
    let mut text = format!("  {name:<9} {:<17} ", handle.advertise_addr().to_string());
    let mut counts = [0; 4];
    let hidden = cluster.nodes.len().saturating_sub(SYMBOLS);
    for (at, other) in cluster.nodes.iter().enumerate() {
        let state = members.get(&other.name).map_or("", |member| member.state.as_str());
        let (symbol, column) = symbol(state);
        if let Some(column) = column {
            counts[column] += 1;
        }
        if at >= hidden {
            let color = style(state);
            text.push_str(&format!("{color}{symbol}{color:#}"));
        }
    }
    let [alive, suspect, dead, left] = counts;
    let pad = width.saturating_sub(cluster.nodes.len());
    text + &format!("{:pad$}  {alive:>5} {suspect:>7} {dead:>4} {left:>4}\n", "")
}

/// How a state is drawn, and in which column it is counted.
fn symbol(state: &str) -> (char, Option<usize>) {
    match state {
        "alive" => ('●', Some(0)),
        "suspect" => ('◐', Some(1)),
        "dead" => ('✗', Some(2)),
        "left" => ('○', Some(3)),
        _ => ('·', None),
    }
}
