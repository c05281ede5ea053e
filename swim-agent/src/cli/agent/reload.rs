//! SIGHUP: what the configuration file says now, without a restart.
//!
//! Log level, metadata, event handlers, sealing and its keys apply at once, with the flags still above the file, and
//! what was changed at run time above both. A file that makes no sense changes nothing.

use swim_agent::Handle;
use tokio::sync::watch;
use tokio::task;
use tracing::{error, info, warn};

use super::Args;
use super::filter::Handler;
use super::logging::Level;
use super::sealing;
use super::settings::Settings;
use crate::cli::signals::Hangups;

/// Reads the configuration again when it is told to.
pub(super) struct Reload {
    /// The flags.
    args: Args,
    /// What the agent was started with: some of it applies at the start only.
    start: Settings,
    level: Level,
}

impl Reload {
    pub(super) fn new(args: Args, start: Settings, level: Level) -> Self {
        Self { args, start, level }
    }

    /// Once for each signal, for ever.
    pub(super) async fn run(
        self,
        handle: Handle,
        handlers: watch::Sender<Vec<Handler>>,
        mut hangups: Hangups,
    ) {
        loop {
            hangups.next().await;
            let keyring = sealing::path(self.start.sealing.as_ref());
            let Some(file) = self.args.config.as_ref().or(keyring.as_ref()) else {
                warn!("SIGHUP: there is no configuration file to read again (--config names one)");
                continue;
            };
            let file = file.display();
            match self.reload(&handle, &handlers).await {
                Ok(()) => {
                    let sealing = if handle.sealing().is_some() { ", sealing" } else { "" };
                    info!(
                        "SIGHUP: {file} was read again: log level, metadata, event handlers{sealing}"
                    );
                }
                Err(why) => error!("SIGHUP: nothing was changed: {why}"),
            }
        }
    }

    /// All of it, or nothing.
    async fn reload(
        &self,
        handle: &Handle,
        handlers: &watch::Sender<Vec<Handler>>,
    ) -> Result<(), String> {
        let args = self.args.clone();
        // A file on a disk that hangs must not stop the agent.
        let read = task::spawn_blocking(|| {
            let settings = Settings::new(args).map_err(|why| why.to_string())?;
            sealing::readable(settings.sealing.as_ref())?;
            Ok::<_, String>(settings)
        });
        let settings = read.await.map_err(|error| error.to_string())??;
        let later = settings.later(&self.start);
        let metadata = settings.metadata;
        handle.configure_metadata(metadata).await.map_err(|error| error.to_string())?;
        if let (Some((_, mode)), Some(_)) = (&settings.sealing, handle.sealing()) {
            // It was just read, so this fails only if the file has changed since.
            handle.reload_keys(*mode).await.map_err(|error| error.to_string())?;
        }
        // Nothing below can fail.
        handlers.send_replace(settings.handlers);
        self.level.set(settings.log_level);
        if !later.is_empty() {
            warn!("changed, but for the next start only: {}", later.join(", "));
        }
        Ok(())
    }
}
