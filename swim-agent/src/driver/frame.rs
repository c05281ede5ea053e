//! Packets in a stream: written whole, read within limits.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use swim_wire::{FRAME_HEADER_LEN, FrameError, decode_frame_header, encode_frame_header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest packet taken from a stream, in bytes: all members of a very large cluster.
const MAX_PACKET: usize = 16 * 1024 * 1024;
/// Packets above this many bytes are read a few at a time, so that what strangers claim to send
/// cannot fill the memory.
const LARGE: usize = 1024 * 1024;
/// How many large packets are read at a time.
pub(super) const LARGE_AT_A_TIME: usize = 4;
/// What is set aside before any byte of a packet has come.
const FIRST_ROOM: usize = 16 * 1024;

/// Why a packet could not be read from a stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("nothing was said within {} s", .0.as_secs())]
    Silent(Duration),
}

/// Writes one packet with its length and closes the half that was written. Nothing is written of a
/// packet that no reader would take.
pub(super) async fn write_last(
    stream: &mut (impl AsyncWrite + Unpin),
    packet: Bytes,
) -> io::Result<()> {
    let header = encode_frame_header(packet.len()).map_err(io::Error::other)?;
    decode_frame_header(header, MAX_PACKET).map_err(io::Error::other)?;
    stream.write_all_buf(&mut Buf::chain(header.as_slice(), packet)).await?;
    stream.shutdown().await
}

/// Reads one packet; `None` when the stream ends before it. Memory grows with what has come, not
/// with what the header claims. `large` holds the turns of large packets; the header is waited for as long as
/// `patience`.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    large: &Semaphore,
    patience: Duration,
) -> Result<Option<BytesMut>, ReadError> {
    let header = timeout(patience, read_header(stream)).await;
    let header = header.map_err(|_| ReadError::Silent(patience))?;
    let Some(header) = header? else { return Ok(None) };
    let len = decode_frame_header(header, MAX_PACKET)?;
    let _turn = match len > LARGE {
        // Never closed.
        true => large.acquire().await.ok(),
        false => None,
    };
    let mut packet = BytesMut::with_capacity(len.min(FIRST_ROOM));
    let mut rest = stream.take(len as u64);
    while packet.len() < len {
        if rest.read_buf(&mut packet).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(Some(packet))
}

async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<[u8; FRAME_HEADER_LEN]>> {
    let mut header = [0; FRAME_HEADER_LEN];
    // The first byte alone, to tell an end from a cut.
    if stream.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..]).await?;
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn what_is_written_is_read_and_then_the_stream_ends() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let large = Semaphore::new(1);
        let packet = Bytes::from(vec![7; 100_000]);
        let written = tokio::spawn({
            let packet = packet.clone();
            async move { write_last(&mut near, packet).await }
        });
        assert_eq!(read(&mut far, &large, PATIENCE).await.unwrap().unwrap(), packet);
        assert!(read(&mut far, &large, PATIENCE).await.unwrap().is_none());
        written.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_packet_cut_short_is_an_error() {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(&[0, 0, 0, 9, 1, 2]).await.unwrap();
        drop(near);
        let error = read(&mut far, &Semaphore::new(1), PATIENCE).await.unwrap_err();
        assert!(
            matches!(error, ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof)
        );
    }

    #[tokio::test]
    async fn a_claim_of_four_gigabytes_is_refused_at_once() {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(&[0xff; 4]).await.unwrap();
        let error = read(&mut far, &Semaphore::new(1), PATIENCE).await.unwrap_err();
        assert!(matches!(error, ReadError::Frame(FrameError::TooLong { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_header_is_not_waited_for_for_long() {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(&[0, 0]).await.unwrap();
        let error = read(&mut far, &Semaphore::new(1), PATIENCE).await.unwrap_err();
        assert!(matches!(error, ReadError::Silent(PATIENCE)), "{error}");
    }
}
