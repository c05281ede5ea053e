//! Where the admin endpoint is served, and the task that does so.

use std::fs;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time;

use super::settings::Settings;
use crate::cli::address::HttpAddr;
use crate::cli::failure::Failure;
use crate::http::{Access, Admin};

/// Who may connect to a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SocketMode {
    /// The agent's user.
    #[value(name = "600", alias = "0600")]
    Owner,
    /// The agent's user and group.
    #[value(name = "660", alias = "0660")]
    Group,
}

/// How long the last answers of the admin endpoint may take after the goodbye.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How long to wait for others that make a socket in the same directory; each takes a moment.
#[cfg(unix)]
const OTHERS: Duration = Duration::from_secs(2);
/// How often to look whether they have.
#[cfg(unix)]
const LOOK: Duration = Duration::from_millis(10);

type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// An endpoint that is bound.
pub(super) struct Bound {
    /// Where.
    pub(super) address: HttpAddr,
    listener: Listener,
    socket: Option<Socket>,
}

/// A Unix socket in the file system, which is taken away with this.
#[cfg_attr(not(unix), allow(dead_code, reason = "other systems have none"))]
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody else may have taken it away.
        let _ = fs::remove_file(&self.0);
    }
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

impl Bound {
    /// Binds what the settings name; `None` when they name nothing.
    ///
    /// # Errors
    /// The address is taken or cannot be had.
    pub(super) async fn new(settings: &Settings) -> Result<Option<Self>, Failure> {
        let bound = match &settings.http_addr {
            HttpAddr::None => return Ok(None),
            HttpAddr::Tcp(address) => Self::tcp(*address).await,
            HttpAddr::Unix(path) => Self::unix(path, settings.http_socket_mode).await,
        };
        bound.map(Some).map_err(|error| {
            let what = format!("cannot bind the admin endpoint on {}", settings.http_addr);
            Failure::Failed(format!("{what}: {error} (--http-addr names another, or none)"))
        })
    }

    async fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = HttpAddr::Tcp(listener.local_addr()?);
        Ok(Self { address, listener: Listener::Tcp(listener), socket: None })
    }

    #[cfg(unix)]
    async fn unix(path: &Path, mode: SocketMode) -> io::Result<Self> {
        use rustix::fs::Mode;
        // Of agents that start at once, none takes another's new socket for what a killed one left.
        let _alone = alone(path).await;
        make_room(path)?;
        let keep_out = match mode {
            SocketMode::Owner => Mode::RWXG | Mode::RWXO | Mode::XUSR,
            SocketMode::Group => Mode::XGRP | Mode::RWXO | Mode::XUSR,
        };
        // Set before the socket is there: nobody gets in between. No other thread makes files yet.
        let usual = rustix::process::umask(keep_out);
        let listener = tokio::net::UnixListener::bind(path);
        rustix::process::umask(usual);
        let (address, listener) = (HttpAddr::Unix(path.to_owned()), Listener::Unix(listener?));
        Ok(Self { address, listener, socket: Some(Socket(path.to_owned())) })
    }

    #[cfg(not(unix))]
    async fn unix(_: &Path, _: SocketMode) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Who gets at it.
    pub(super) fn access(&self, settings: &Settings) -> Access {
        Access {
            address: self.address.to_string(),
            token: settings.http_token.clone(),
            event_limit: settings.options.event_limit,
        }
    }

    fn serve(self, admin: Admin, stop: impl Future<Output = ()> + Send + 'static) -> Serving {
        match self.listener {
            Listener::Tcp(listener) => Box::pin(admin.serve(listener, stop)),
            #[cfg(unix)]
            Listener::Unix(listener) => Box::pin(admin.serve(listener, stop)),
        }
    }
}

/// A lock on the directory of `path`, until it is dropped. Where there is none to be had, as on some
/// file systems or beside a stranger who keeps it, it goes without.
#[cfg(unix)]
async fn alone(path: &Path) -> Option<fs::File> {
    let directory = fs::File::open(path.parent()?).ok()?;
    let start = time::Instant::now();
    while let Err(fs4::TryLockError::WouldBlock) = fs4::FileExt::try_lock(&directory) {
        if start.elapsed() > OTHERS {
            return None;
        }
        time::sleep(LOOK).await;
    }
    Some(directory)
}

/// Takes away the socket that an agent left which was killed.
#[cfg(unix)]
fn make_room(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("something is there that is no socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::other("an agent listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// The admin endpoint as a task.
pub(super) struct Server {
    task: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
    socket: Option<Socket>,
}

impl Server {
    /// Serves `admin` where it is `bound`.
    pub(super) fn start(admin: Admin, mut bound: Bound) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // A sender that is gone means the same as one that says so.
            let _ = stopped.await;
        };
        let socket = bound.socket.take();
        Self { task: tokio::spawn(bound.serve(admin, stopped)), stop, socket }
    }

    /// Lets the last answers go out.
    pub(super) async fn finish(self) {
        // Still listening: whoever would come now for the path finds it taken, and not another's.
        drop(self.socket);
        drop(self.stop);
        // Who does not take its answer in time goes without.
        let _ = time::timeout(LAST_ANSWERS, self.task).await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_agent_at_a_time_makes_a_socket_in_a_directory_and_none_waits_for_ever() {
        let place = std::env::temp_dir().join(format!("swim-alone-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let path = place.join("socket");
        let first = alone(&path).await.expect("nobody else is there");
        let start = time::Instant::now();
        assert!(alone(&path).await.is_none(), "the other one has it");
        assert!(start.elapsed() >= OTHERS);
        let (second, ()) = tokio::join!(alone(&path), async {
            time::sleep(OTHERS / 2).await;
            drop(first);
        });
        assert!(second.is_some(), "it has waited for its turn");
        assert!(alone(Path::new("/nowhere/socket")).await.is_none());
        fs::remove_dir(&place).unwrap();
    }
}
