//! What an agent says on standard output when it is up: for people, and for scripts.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use swim_agent::Handle;
use tokio::{task, time};

use super::settings::Profile;
use crate::cli::address::HttpAddr;
use crate::cli::output::printable;
use crate::http::health;

/// One `key: value` a line, `up` last, whatever the format of the log.
pub(super) fn text(handle: &Handle, admin: &HttpAddr, profile: Profile) -> String {
    let lines: [(&str, &dyn Display); 7] = [
        ("swim", &env!("CARGO_PKG_VERSION")),
        ("name", &printable(handle.name())),
        ("bind", &handle.local_addr()),
        ("advertise", &handle.advertise_addr()),
        ("http", admin),
        ("cluster", &printable(handle.cluster())),
        ("profile", &profile.as_str()),
    ];
    let mut banner = String::new();
    for (key, value) in lines {
        banner.push_str(&format!("{key}: {value}\n"));
    }
    banner + "up\n"
}

/// Says `ready` as soon as `GET /readyz` does.
pub(super) async fn when_ready(handle: &Handle) {
    while let Ok(info) = handle.info().await {
        if health::unready(&info).is_none() {
            // Not waited for, as the banner is not.
            return drop(task::spawn_blocking(|| print("ready\n")));
        }
        time::sleep(LOOK).await;
    }
}

/// How often to look whether the agent is ready.
const LOOK: Duration = Duration::from_millis(50);

/// Prints it. A reader that has gone away is no reason to end.
pub(super) fn print(banner: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(banner.as_bytes()).and_then(|()| stdout.flush());
}
