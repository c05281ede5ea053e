//! Files with secrets: not everybody's, and written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use swim_wire::seal::Zeroizing;

/// Reads a file that holds a secret, and at most a byte more than `most`: who gets that many knows that it is
/// too long.
///
/// # Errors
/// It cannot be read, is a directory, or everybody may read it or write to it.
pub fn read_private(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    private(&file)?;
    // At its length from the start: a buffer that grows leaves copies behind.
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut text = Zeroizing::new(Vec::with_capacity(len.min(most) + 2));
    file.take(most as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// Refuses a file that is everybody's.
fn private(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            let why = format!("everybody may read it or more (mode {mode:o}): chmod 600 it");
            return Err(io::Error::other(why));
        }
    }
    if metadata.is_dir() { Err(io::Error::other("it is a directory")) } else { Ok(()) }
}

/// Puts a secret in the place of what a file holds, so that whoever reads it, after a power cut too, finds
/// either. The file is its owner's alone then. A link stays one.
///
/// # Errors
/// What the system says. The file is as it was.
pub fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut new = OsString::from(".");
    new.push(name);
    new.push(".new");
    let new = path.with_file_name(new);
    // What a power cut left.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write(&new, text).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        // Half a file is of no use, and why it is there is told.
        let _ = fs::remove_file(&new);
    }
    written?;
    // The name is on the disk too.
    #[cfg(unix)]
    File::open(path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")))?
        .sync_all()?;
    Ok(())
}

fn write(new: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(new)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("swim-keys-{name}-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        place
    }

    #[test]
    fn a_file_is_replaced_and_its_owners_alone() {
        let place = place("replaced");
        let (path, link) = (place.join("ring"), place.join("link"));
        fs::write(&path, "old").unwrap();
        fs::write(place.join(".ring.new"), "half of what was writ").unwrap();
        symlink(&path, &link).unwrap();
        write_private(&link, b"new").unwrap();
        assert_eq!(**read_private(&path, 10).unwrap(), *b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 2, "nothing else is left");
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn what_cannot_be_written_stays_as_it_was() {
        let place = place("kept");
        let path = place.join("ring");
        fs::write(&path, "old").unwrap();
        // A directory where the new file would be: also root cannot write there.
        fs::create_dir(place.join(".ring.new")).unwrap();
        write_private(&path, b"new").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn a_file_that_is_everybodys_is_refused() {
        let place = place("everybodys");
        let path = place.join("ring");
        write_private(&path, b"new").unwrap();
        for mode in [0o644, 0o604, 0o602, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_private(&path, 10).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(read_private(&path, 1).unwrap().len(), 2, "a byte more than wanted");
        fs::remove_dir_all(place).unwrap();
    }
}
