//! `swim event`: tells all members something.

use std::io::Read as _;

use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::users::{EventRequest, MAX_PAYLOAD, PayloadBody, SentBody};

/// Tell all members something: each hears it once.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What it is called.
    name: String,
    /// More of it; `-` takes it from standard input, byte by byte.
    payload: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Sends it, and says that it is on its way.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let PayloadBody { payload, payload_base64 } = payload(args.payload.as_deref())?;
    let request = EventRequest { name: args.name.clone(), payload, payload_base64 };
    let body = Client::new(&args.endpoint).post("/v1/event", &request)?;
    body.print(args.endpoint.format(), |body: &SentBody| {
        format!("sent {} ({} bytes)", output::printable(&body.name), body.bytes)
    })
}

/// The payload that an argument names.
pub(super) fn payload(argument: Option<&str>) -> Result<PayloadBody, Failure> {
    let bytes = match argument {
        Some("-") => {
            let mut bytes = Vec::new();
            // One more, so that what is cut off is noticed.
            let mut input = std::io::stdin().take(MAX_PAYLOAD as u64 + 1);
            input.read_to_end(&mut bytes).map_err(|error| {
                Failure::Failed(format!("cannot read the payload from standard input: {error}"))
            })?;
            bytes
        }
        Some(text) => text.as_bytes().to_vec(),
        None => Vec::new(),
    };
    if bytes.len() > MAX_PAYLOAD {
        let len = bytes.len();
        let message = format!("a payload of {len} bytes or more is above {MAX_PAYLOAD} bytes");
        return Err(Failure::Usage(message));
    }
    Ok(PayloadBody::new(bytes))
}

/// Characters of a payload that are shown where many are.
const SHOWN: usize = 200;

/// The beginning of a payload as people read it, and how long all of it is.
pub(super) fn beginning(payload: &PayloadBody) -> String {
    let text = readable(payload);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => {
            let bytes = payload.payload.as_ref().map_or_else(
                || payload.payload_base64.as_ref().map_or(0, |text| text.len() / 4 * 3),
                String::len,
            );
            format!("{}\u{2026} ({bytes} bytes)", &text[..end])
        }
        None => text,
    }
}

/// A payload as people read it.
pub(super) fn readable(payload: &PayloadBody) -> String {
    match (&payload.payload, &payload.payload_base64) {
        (Some(text), _) => output::printable(text).into_owned(),
        (None, Some(encoded)) => format!("base64:{}", output::printable(encoded)),
        (None, None) => String::new(),
    }
}
