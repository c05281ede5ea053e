//! How commands print: tables, ages, texts that others have chosen.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::failure::Failure;

/// Prints one line, or several.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Prints one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?;
    line(&text)
}

/// A text that another machine has chosen, without what would steer this terminal or reader: control
/// characters, line separators, and what turns the direction of writing or cannot be seen.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if steers(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    Cow::Owned(escaped)
}

/// Characters of a name in a table.
const NAME: usize = 40;

/// A name for a table: printable, and no wider than the table bears. The end is kept too, because names
/// that are made by machines differ there.
pub(super) fn shortened(name: &str) -> String {
    let name = printable(name);
    let len = name.chars().count();
    if len <= NAME {
        return name.into_owned();
    }
    let (head, tail) = (NAME - 11, 10);
    let middle = "\u{2026}".chars();
    name.chars().take(head).chain(middle).chain(name.chars().skip(len - tail)).collect()
}

fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A table without lines: columns two spaces apart, a header in capitals.
pub(super) fn table<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// A duration in its two greatest units.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m {}s", seconds % 60),
        3_600..86_400 => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// Pairs of metadata as people read them.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        let separator = if text.is_empty() { "" } else { " " };
        // Writing to a text cannot fail.
        let _ = write!(text, "{separator}{}={}", printable(key), printable(value));
    }
    text
}

/// The colour in which a state or a kind of event is printed.
pub(super) fn style(word: &str) -> Style {
    let color = match word {
        "alive" | "joined" | "refuted" => AnsiColor::Green,
        "suspect" | "suspected" | "probe_failed" => AnsiColor::Yellow,
        "dead" | "died" | "conflict" | "missed" => AnsiColor::Red,
        "left" | "forgotten" => AnsiColor::BrightBlack,
        _ => AnsiColor::Cyan,
    };
    color.on_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{age, printable, shortened, table};

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(printable("node-1 \u{e9}"), "node-1 \u{e9}");
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("\u{202e}gnp.exe\u{200b}"), "\\u{202e}gnp.exe\\u{200b}");
    }

    #[test]
    fn a_long_name_is_shortened_in_its_middle() {
        assert_eq!(shortened(&"n".repeat(40)), "n".repeat(40));
        let short = shortened(&format!("{}-0123456789", "n".repeat(200)));
        assert_eq!(short, format!("{}\u{2026}0123456789", "n".repeat(29)));
    }

    #[test]
    fn ages_have_two_units() {
        let printed = [0, 59, 61, 3_725, 90_061].map(|secs| age(Duration::from_secs(secs)));
        assert_eq!(printed, ["0s", "59s", "1m 1s", "1h 2m", "1d 1h"]);
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_space() {
        let rows = vec![["a".to_owned(), "b".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "X"], rows), "NAME  X\na     b\nlong");
    }
}
