//! Names of a report's files, and writing them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::ReportError;

/// Longer names are cut.
const LONGEST_NAME: usize = 80;

/// File names for the tables or charts of a report: its name and their title in lower case, with
/// hyphens for all but ASCII letters and digits. Equal ones are numbered from the second on.
pub(super) fn names<'a>(
    report: &str,
    titles: impl Iterator<Item = &'a str>,
    extension: &str,
) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |title| {
        let stem = stem(&format!("{report} {title}"));
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let mut names = std::iter::once(stem.clone()).chain(numbered);
        let free = names.find(|name| taken.insert(name.clone())).unwrap_or(stem.clone());
        format!("{free}.{extension}")
    };
    titles.map(name).collect()
}

fn stem(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|char: char| !char.is_ascii_alphanumeric());
    let mut stem = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    stem.truncate(LONGEST_NAME);
    let stem = stem.trim_end_matches('-');
    if stem.is_empty() { "report".to_owned() } else { stem.to_owned() }
}

/// Writes one file, over what may be there.
pub(super) fn write(path: &Path, content: &str) -> Result<(), ReportError> {
    fs::write(path, content).map_err(|source| ReportError::File { path: path.to_owned(), source })
}

/// Writes files into `dir`, which is made if need be, and returns their paths.
pub(super) fn write_all(
    dir: &Path,
    files: impl Iterator<Item = (String, Result<String, ReportError>)>,
) -> Result<Vec<PathBuf>, ReportError> {
    fs::create_dir_all(dir)
        .map_err(|source| ReportError::Directory { path: dir.to_owned(), source })?;
    files
        .map(|(name, content)| {
            let path = dir.join(name);
            write(&path, &content?)?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_distinct() {
        let titles = ["Detection (p99)", "Load", "load!", ""];
        let expected =
            ["scale-detection-p99.csv", "scale-load.csv", "scale-load-2.csv", "scale.csv"];
        assert_eq!(names("scale", titles.into_iter(), "csv"), expected);
        assert_eq!(names("", ["../é"].into_iter(), "svg"), ["report.svg"]);
        assert_eq!(stem(&"long ".repeat(40)).len(), 79);
    }
}
