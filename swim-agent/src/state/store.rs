//! The file: read at the start, appended to, and written anew when it has grown.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::error::StateError;
use super::frame::{self, Damage, HEADER};
use super::model::State;
use super::record::Record;

/// The records.
const FILE: &str = "state";
/// The file that takes its place when it is whole and on the disk.
const NEW_FILE: &str = "state.new";
/// A copy of the last file in which something could not be read.
const DAMAGED_FILE: &str = "state.damaged";
/// Locked while an agent uses the directory.
const LOCK_FILE: &str = "lock";
/// Bytes beyond which a file is none of ours: a million members take a tenth of it.
const MAX_FILE: u64 = 1 << 30;
/// The file is written anew when it is longer than twice what it then had, and so many bytes.
const SLACK: u64 = 64 * 1024;
/// The highest boot epoch that members believe.
const MAX_EPOCH: u32 = u32::MAX - 2;

/// The state of one agent, on disk and in memory.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    file: File,
    /// Bytes in the file.
    length: u64,
    /// Bytes it had when it was last written anew.
    compact: u64,
    /// Whether the file may end in half a record: then it is written anew.
    broken: bool,
    state: State,
    /// Held for its lock.
    _lock: File,
}

impl Store {
    /// Takes the directory over for the node `name` of `cluster`, makes it if it is missing, and
    /// starts a new boot epoch: `epoch` or, if that is not above the former one, the next. All this
    /// is on the disk when it returns. O(bytes).
    ///
    /// # Errors
    /// The directory cannot be used, is in use, or is another node's.
    pub(crate) fn open(
        directory: &Path,
        (name, cluster): (&str, &str),
        epoch: u32,
    ) -> Result<Self, StateError> {
        let failed = |path: PathBuf| move |source| StateError::Io { path, source };
        if directory.as_os_str().is_empty() {
            let nowhere = io::Error::new(io::ErrorKind::InvalidInput, "a path must not be empty");
            return Err(failed(PathBuf::new())(nowhere));
        }
        if let Some(file) = directory.ancestors().find(|path| path.exists() && !path.is_dir()) {
            let what = format!("{file:?} is a file, not a directory");
            let what = io::Error::new(io::ErrorKind::NotADirectory, what);
            return Err(failed(directory.to_owned())(what));
        }
        fs::create_dir_all(directory).map_err(failed(directory.to_owned()))?;
        let lock = lock(directory)?;
        let path = directory.join(FILE);
        let (mut state, damage) = read(&path)?;
        owned(directory, state.owner.as_ref(), (name, cluster))?;
        tell(&path, &damage);
        if !damage.stretches.is_empty() {
            let copy = directory.join(DAMAGED_FILE);
            fs::copy(&path, &copy).map_err(failed(copy))?;
        }
        let epoch = state.epoch.saturating_add(1).max(epoch).min(MAX_EPOCH);
        state.apply(Record::Owner { name: name.to_owned(), cluster: cluster.to_owned() });
        state.apply(Record::Epoch(epoch));
        let (file, length) = written(directory, &state).map_err(failed(path))?;
        Ok(Self {
            directory: directory.to_owned(),
            file,
            length,
            compact: length,
            broken: false,
            state,
            _lock: lock,
        })
    }

    /// Where it is kept.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What is kept.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Takes records in, without writing them: the next [`write`](Self::write) does.
    pub(super) fn hold(&mut self, records: Vec<Record>) {
        self.broken |= !records.is_empty();
        records.into_iter().for_each(|record| self.state.apply(record));
    }

    /// Takes records in and appends them to the file. A file that has grown too long, or could not
    /// be written to before, is written anew, O(members).
    ///
    /// # Errors
    /// What the disk says; the records are kept in memory and written with the next ones.
    pub(super) fn write(&mut self, mut records: Vec<Record>) -> io::Result<()> {
        let mut bytes = Vec::new();
        records.retain(|record| !self.state.holds(record));
        records.iter().for_each(|record| record.append(&mut bytes));
        records.into_iter().for_each(|record| self.state.apply(record));
        let length = self.length + bytes.len() as u64;
        if !self.broken && length <= 2 * self.compact + SLACK {
            self.broken = true;
            self.file.write_all(&bytes)?;
            self.length = length;
        } else {
            self.broken = true;
            (self.file, self.length) = written(&self.directory, &self.state)?;
            self.compact = self.length;
        }
        self.broken = false;
        Ok(())
    }

    /// Whether something is in memory only.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Has the disk take what was written. Milliseconds, as a rule.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        // After an error nobody knows what the disk has of it.
        self.file.sync_data().inspect_err(|_| self.broken = true)
    }
}

/// Locks the directory until the file is closed, by the end of the process at the latest.
fn lock(directory: &Path) -> Result<File, StateError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| StateError::Io { path: path.clone(), source })?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StateError::Io { path, source }),
    }
}

/// What a file holds; nothing if there is none.
pub(super) fn read(path: &Path) -> Result<(State, Damage), StateError> {
    let failed = |source| StateError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(about) if about.len() > MAX_FILE => {
            return Err(StateError::Foreign { path: path.to_owned() });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        found => found.map_err(failed)?,
    };
    let bytes = fs::read(path).map_err(failed)?;
    let Some((state, damage, skipped)) = parse(&bytes) else {
        return Err(StateError::Foreign { path: path.to_owned() });
    };
    if skipped > 0 {
        tracing::debug!(skipped, path = %path.display(), "records of a newer release were skipped");
    }
    Ok((state, damage))
}

/// What the bytes of a file say, what could not be read, and how many records a newer release wrote;
/// `None` if the file is none of ours.
pub(super) fn parse(bytes: &[u8]) -> Option<(State, Damage, usize)> {
    if !bytes.starts_with(HEADER) && !HEADER.starts_with(bytes) {
        return None;
    }
    let (mut state, mut skipped) = (State::default(), 0);
    let damage = frame::scan(bytes, |kind, payload| match Record::read(kind, payload) {
        Some(record) => state.apply(record),
        None => skipped += 1,
    });
    Some((state, damage, skipped))
}

/// The bytes of a file that says just this. O(members).
pub(super) fn compacted(state: &State) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    state.records().for_each(|record| record.append(&mut bytes));
    bytes
}

/// Whether the directory is that of the node `name` of `cluster`, or nobody's.
fn owned(
    directory: &Path,
    owner: Option<&(String, String)>,
    (name, cluster): (&str, &str),
) -> Result<(), StateError> {
    let Some((held, of)) = owner else { return Ok(()) };
    if held == name && of == cluster {
        return Ok(());
    }
    let node = |name: &str, cluster: &str| format!("{name:?} of cluster {cluster:?}");
    Err(StateError::Another {
        path: directory.to_owned(),
        held: node(held, of),
        given: node(name, cluster),
    })
}

/// Says what could not be read.
fn tell(path: &Path, damage: &Damage) {
    for (offset, length) in &damage.stretches {
        tracing::warn!(
            "{path:?}: {length} bytes at offset {offset} are damaged; what follows was kept, and a \
             copy is in {DAMAGED_FILE}"
        );
    }
    if damage.torn > 0 {
        let torn = damage.torn;
        tracing::warn!("{path:?}: {torn} bytes of an unfinished record at its end were cut off");
    }
}

/// Writes all of `state` into a new file that takes the place of the old one when it is whole and
/// on the disk. Returns it and its length.
fn written(directory: &Path, state: &State) -> io::Result<(File, u64)> {
    let bytes = compacted(state);
    let path = directory.join(NEW_FILE);
    // An append goes to the end, also after one that failed halfway.
    let options = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = options?;
    file.set_len(0)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&path, directory.join(FILE))?;
    // Only then is the new name on the disk too; other systems do it by themselves.
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok((file, bytes.len() as u64))
}

#[cfg(test)]
mod tests;
