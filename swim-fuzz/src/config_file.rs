//! The agent's configuration file.

/// Reads bytes as a configuration file. What `swim agent` makes of it is what `swim check-config` says, in
/// lines that name a place; read twice it is the same.
pub fn config_file(bytes: &[u8]) {
    // What is no text is refused as a file.
    if let Ok(text) = str::from_utf8(bytes) {
        swim_agent::config_file(text);
    }
}
