//! At most so many connections at a time, none that is idle for ever, and none whose request does not
//! end: file descriptors are the gossip's first.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection may be without a byte in either direction. A stream of events has a sign of
/// life well before, unless its reader does not read.
const IDLE: Duration = Duration::from_secs(60);
/// How long a request may take to come, its body included: who sends a byte now and then is no better
/// than who sends none.
const REQUEST: Duration = Duration::from_secs(30);

/// Takes the next connection when fewer than so many are open; others wait in the system's queue.
pub(super) struct Limited<L> {
    listener: L,
    free: Arc<Semaphore>,
}

impl<L: Listener> Limited<L> {
    /// Lets `most` connections be open at a time.
    pub(super) fn new(listener: L, most: usize) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(most)) }
    }
}

impl<L: Listener> Listener for Limited<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Connection<L::Io>, L::Addr) {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        let (stream, from) = self.listener.accept().await;
        let (idle, asking) = (Box::pin(sleep(REQUEST)), Some(Instant::now()));
        (Connection { stream, idle, asking, _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that makes room for another when it is dropped, and breaks when it is idle.
pub(super) struct Connection<S> {
    stream: S,
    /// Ends when it has been idle for too long.
    idle: Pin<Box<Sleep>>,
    /// Since when a request has been coming; `None` once something was said to it.
    asking: Option<Instant>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    /// Something was answered: the request has come, or is not waited for.
    fn said(&mut self, written: &Poll<io::Result<usize>>) {
        if written.is_ready() {
            self.asking = None;
        }
    }

    /// `done` moved bytes, or waits and may have waited for too long.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            let now = Instant::now();
            let until = self.asking.map_or(now + IDLE, |since| (now + IDLE).min(since + REQUEST));
            self.idle.as_mut().reset(until);
            return done;
        }
        self.idle.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buf);
        if read.is_ready() {
            self.asking.get_or_insert_with(Instant::now);
        }
        self.watched(context, read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buf);
        self.said(&written);
        self.watched(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bufs);
        self.said(&written);
        self.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn accepted(limited: &mut Limited<TcpListener>) -> (Connection<TcpStream>, TcpStream) {
        let client = TcpStream::connect(limited.local_addr().unwrap()).await.unwrap();
        (limited.accept().await.0, client)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_byte_breaks_and_makes_room() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut limited = Limited::new(listener, 1);
        let (mut connection, mut client) = accepted(&mut limited).await;
        let start = Instant::now();
        for _ in 0..3 {
            sleep(IDLE * 2 / 3).await;
            connection.write_all(b"a sign of life").await.unwrap();
            client.read_exact(&mut [0; 14]).await.unwrap();
        }
        let error = connection.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= IDLE * 3);
        drop(connection);
        accepted(&mut limited).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_in_breaks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut limited = Limited::new(listener, 1);
        let (mut connection, mut client) = accepted(&mut limited).await;
        let start = Instant::now();
        let error = loop {
            let mut byte = [0];
            tokio::select! {
                read = connection.read(&mut byte) => if let Err(error) = read { break error },
                () = sleep(REQUEST / 10) => client.write_all(b"x").await.unwrap(),
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() <= REQUEST + REQUEST / 10, "{:?}", start.elapsed());
    }
}
