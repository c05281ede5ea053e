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

type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// An endpoint that is bound.
pub(super) struct Bound {
    /// Where.
    pub(super) address: HttpAddr,
    listener: Listener,
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
            HttpAddr::Unix(path) => Self::unix(path, settings.http_socket_mode),
        };
        bound.map(Some).map_err(|error| {
            let what = format!("cannot bind the admin endpoint on {}", settings.http_addr);
            Failure::Failed(format!("{what}: {error} (--http-addr names another, or none)"))
        })
    }

    async fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = HttpAddr::Tcp(listener.local_addr()?);
        Ok(Self { address, listener: Listener::Tcp(listener) })
    }

    #[cfg(unix)]
    fn unix(path: &Path, mode: SocketMode) -> io::Result<Self> {
        use rustix::fs::Mode;
        make_room(path)?;
        let keep_out = match mode {
            SocketMode::Owner => Mode::RWXG | Mode::RWXO | Mode::XUSR,
            SocketMode::Group => Mode::XGRP | Mode::RWXO | Mode::XUSR,
        };
        // Set before the socket is there: nobody gets in between. No other thread makes files yet.
        let usual = rustix::process::umask(keep_out);
        let listener = tokio::net::UnixListener::bind(path);
        rustix::process::umask(usual);
        let address = HttpAddr::Unix(path.to_owned());
        Ok(Self { address, listener: Listener::Unix(listener?) })
    }

    #[cfg(not(unix))]
    fn unix(_: &Path, _: SocketMode) -> io::Result<Self> {
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
    /// The socket to take away in the end.
    socket: Option<PathBuf>,
}

impl Server {
    /// Serves `admin` where it is `bound`.
    pub(super) fn start(admin: Admin, bound: Bound) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // A sender that is gone means the same as one that says so.
            let _ = stopped.await;
        };
        let socket = match &bound.address {
            HttpAddr::Unix(path) => Some(path.clone()),
            HttpAddr::Tcp(_) | HttpAddr::None => None,
        };
        Self { task: tokio::spawn(bound.serve(admin, stopped)), stop, socket }
    }

    /// Lets the last answers go out.
    pub(super) async fn finish(self) {
        // Still listening: whoever would come now for the path finds it taken, and not another's.
        if let Some(path) = self.socket {
            // Somebody else may have taken it away.
            let _ = fs::remove_file(path);
        }
        drop(self.stop);
        // Who does not take its answer in time goes without.
        let _ = time::timeout(LAST_ANSWERS, self.task).await;
    }
}
