//! What the kernel knows of this process: times, memory, drops, limits. Linux's `/proc`.
//!
//! Elsewhere, or where a file has another shape, everything is `None` and printed as `-`.

use std::fs::{read_dir, read_link, read_to_string};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A thread of this process.
#[derive(Debug, Clone)]
pub struct Thread(Option<PathBuf>);

impl Thread {
    /// The thread that asks.
    pub fn current() -> Self {
        Self(read_link("/proc/thread-self").ok().map(|path| PathBuf::from("/proc").join(path)))
    }

    /// Its time on a processor so far, to the nanosecond.
    pub fn cpu(&self) -> Option<Duration> {
        let text = read_to_string(self.0.as_ref()?.join("schedstat")).ok()?;
        Some(Duration::from_nanos(text.split_ascii_whitespace().next()?.parse().ok()?))
    }
}

/// The same of all threads of this process together that are alive.
pub fn cpu() -> Option<Duration> {
    let threads = read_dir("/proc/self/task").ok()?;
    Some(threads.flatten().filter_map(|thread| Thread(Some(thread.path())).cpu()).sum())
}

/// Resident memory of this process in KiB.
pub fn resident() -> Option<u64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// How many files this process may hold open.
pub fn open_files() -> Option<usize> {
    let limits = read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Datagrams that the kernel dropped because nobody took them out of the UDP socket bound to
/// `address` (IPv4) in time.
pub fn drops(address: SocketAddr) -> Option<u64> {
    let SocketAddr::V4(address) = address else { return None };
    // The table shows addresses as the machine holds them.
    let ip = u32::from_ne_bytes(address.ip().octets());
    let wanted = format!("{ip:08X}:{:04X}", address.port());
    let sockets = read_to_string("/proc/net/udp").ok()?;
    let line =
        sockets.lines().find(|line| line.split_ascii_whitespace().nth(1) == Some(&wanted))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

/// Files that this process holds open, the one that this asks by included.
pub fn files() -> Option<usize> {
    Some(read_dir("/proc/self/fd").ok()?.count())
}

/// Threads of this process.
pub fn threads() -> Option<usize> {
    Some(read_dir("/proc/self/task").ok()?.count())
}

/// A figure that may be missing.
pub fn shown(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}
