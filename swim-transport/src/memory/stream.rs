//! Streams between two addresses of a [`Network`](super::Network).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::link::Link;

/// Bytes on the way in each direction before a writer waits for its reader.
const BUFFER: usize = 64 * 1024;

/// One end of a stream in memory.
///
/// Bytes written are counted on the link they go over. Once that link is cut, writes fail with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset), and the stream stays broken in that
/// direction until it is healed; a reader on a cut link just waits, as it would in a real
/// partition, until the other end is dropped.
#[derive(Debug)]
pub struct MemoryStream {
    inner: DuplexStream,
    out: Arc<Link>,
}

impl MemoryStream {
    /// Two connected ends; the first writes over `out`, the second over `back`.
    pub(super) fn pair(out: Arc<Link>, back: Arc<Link>) -> (Self, Self) {
        let (near, far) = tokio::io::duplex(BUFFER);
        (Self { inner: near, out }, Self { inner: far, out: back })
    }

    fn check_whole(&self) -> io::Result<()> {
        if self.out.is_cut() {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "the link of this stream is cut",
            ));
        }
        Ok(())
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_whole()?;
        let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.out.written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_whole()?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
