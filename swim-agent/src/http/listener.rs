//! At most so many connections at a time, none that is idle for ever, and none whose request does not
//! end: file descriptors are the gossip's first. When all places are taken, who has been silent longest
//! gives way, so that nobody keeps probes out by saying nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Sleep, sleep_until, timeout};

use super::place::Place;

/// How soon it is looked again for somebody who gives way.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Takes the next connection when fewer than so many are open or one gives way; others wait in the
/// system's queue.
pub(super) struct Limited<L> {
    listener: L,
    free: Arc<Semaphore>,
    /// Counts connections that were closed before they had their answer.
    closed: Arc<AtomicU64>,
    /// The connections, each with how it is asked to give way.
    taken: Vec<(Place, oneshot::Sender<()>)>,
}

impl<L: Listener> Limited<L> {
    /// Lets `most` connections be open at a time, and counts those that are `closed`.
    pub(super) fn new(listener: L, most: usize, closed: Arc<AtomicU64>) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(most)), closed, taken: Vec::new() }
    }

    /// Waits for a free place, and has the one that has been silent longest give way.
    async fn room(&mut self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return Some(permit);
            }
            self.taken.retain(|(_, give_way)| !give_way.is_closed());
            let silent = self.taken.iter().enumerate();
            let silent = silent.filter_map(|(at, (place, _))| Some((place.silent()?, at))).min();
            if let Some((_, at)) = silent {
                // An error says that it has gone by itself.
                let _ = self.taken.swap_remove(at).1.send(());
            }
            let freed = Arc::clone(&self.free).acquire_owned();
            if let Ok(permit) = timeout(LOOK_AGAIN, freed).await {
                return permit.ok();
            }
        }
    }
}

impl<L: Listener> Listener for Limited<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Connection<L::Io>, L::Addr) {
        let (stream, from) = self.listener.accept().await;
        let permit = self.room().await;
        let (place, (ask, asked)) = (Place::new(), oneshot::channel());
        self.taken.retain(|(_, give_way)| !give_way.is_closed());
        self.taken.push((place.clone(), ask));
        let sleep = Box::pin(sleep_until(place.until()));
        let closed = Arc::clone(&self.closed);
        (Connection { stream, place, sleep, closed, give_way: Some(asked), _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

impl<L: Listener> Connected<IncomingStream<'_, Limited<L>>> for Place {
    fn connect_info(stream: IncomingStream<'_, Limited<L>>) -> Self {
        stream.io().place.clone()
    }
}

/// A connection that makes room for another when it is dropped, and breaks when it is waited for in
/// vain or is to give way.
pub(super) struct Connection<S> {
    stream: S,
    place: Place,
    /// Until when it is waited for.
    sleep: Pin<Box<Sleep>>,
    closed: Arc<AtomicU64>,
    /// Says that it is to give way; `None` when nobody can say so any more.
    give_way: Option<oneshot::Receiver<()>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    /// `done` moved bytes, or waits and may have waited for too long.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
        read: bool,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.place.moved(read);
            return done;
        }
        if let Some(asked) = &mut self.give_way
            && let Poll::Ready(said) = Pin::new(asked).poll(context)
        {
            self.give_way = None;
            if said.is_ok() {
                self.closed.fetch_add(1, Relaxed);
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        loop {
            let until = self.place.until();
            if self.sleep.deadline() == until && self.sleep.is_elapsed() {
                // That nobody asks anything more is no loss.
                self.closed.fetch_add(u64::from(!self.place.is_waiting()), Relaxed);
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if self.sleep.deadline() != until {
                self.sleep.as_mut().reset(until);
            }
            ready!(self.sleep.as_mut().poll(context));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buf);
        self.watched(context, read, true)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buf);
        self.watched(context, written, false)
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
        self.watched(context, written, false)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Accepts at once, and hands the other ends out.
    #[derive(Default)]
    struct Pipes(Vec<DuplexStream>);

    impl Listener for Pipes {
        type Io = DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> (DuplexStream, ()) {
            let (ours, theirs) = duplex(64);
            self.0.push(theirs);
            (ours, ())
        }

        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }

    async fn accepted(limited: &mut Limited<Pipes>) -> (Connection<DuplexStream>, DuplexStream) {
        let (connection, ()) = limited.accept().await;
        (connection, limited.listener.0.pop().unwrap())
    }

    fn limited(most: usize) -> Limited<Pipes> {
        Limited::new(Pipes::default(), most, Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_byte_breaks_and_makes_room() {
        let mut limited = limited(1);
        let (mut connection, mut client) = accepted(&mut limited).await;
        connection.place.came();
        let start = Instant::now();
        for _ in 0..3 {
            sleep(40 * SECOND).await;
            connection.write_all(b"a sign of life").await.unwrap();
            client.read_exact(&mut [0; 14]).await.unwrap();
        }
        let error = connection.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 180);
        drop(connection);
        accepted(&mut limited).await;
    }

    /// How long a connection stands on which a byte comes each second; and in the end none.
    async fn trickle(connection: &mut Connection<DuplexStream>, mut client: DuplexStream) -> u64 {
        let start = Instant::now();
        let writing = tokio::spawn(async move {
            for _ in 0..120 {
                sleep(SECOND).await;
                // An error says that it was cut off.
                let _ = client.write_all(b"x").await;
            }
            client
        });
        let error = loop {
            if let Err(error) = connection.read(&mut [0]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        writing.abort();
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_its_time_to_come_and_any_to_be_answered() {
        for (stage, stands) in [("head", 3), ("body", 30), ("answering", 180), ("waiting", 4)] {
            let (mut connection, client) = accepted(&mut limited(1)).await;
            match stage {
                "body" => connection.place.asked(false),
                "answering" => connection.place.asked(true),
                "waiting" => {
                    connection.place.asked(true);
                    connection.place.answered(true);
                }
                _ => {}
            }
            assert_eq!(trickle(&mut connection, client).await, stands, "{stage}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_been_silent_longest_gives_way_and_who_is_answered_does_not() {
        let mut limited = limited(3);
        let (mut answered, _a) = accepted(&mut limited).await;
        answered.place.came();
        sleep(SECOND / 2).await;
        let (mut first, _b) = accepted(&mut limited).await;
        sleep(SECOND / 2).await;
        let (mut second, _c) = accepted(&mut limited).await;
        let reading = tokio::spawn(async move { first.read(&mut [0; 1]).await.unwrap_err() });
        let start = Instant::now();
        let (_newcomer, _d) = accepted(&mut limited).await;
        assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
        assert_eq!(reading.await.unwrap().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(limited.closed.load(Relaxed), 1);
        for kept in [&mut answered, &mut second] {
            let read = timeout(Duration::from_millis(1), kept.read(&mut [0])).await;
            assert!(read.is_err(), "{read:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_has_just_come_waits_for_each_other() {
        let mut limited = limited(1);
        let (mut first, mut client) = accepted(&mut limited).await;
        let answering = tokio::spawn(async move {
            first.read_exact(&mut [0]).await.unwrap();
            first.place.asked(true);
            sleep(10 * SECOND).await;
        });
        client.write_all(b"x").await.unwrap();
        let start = Instant::now();
        accepted(&mut limited).await;
        assert!(start.elapsed() >= 10 * SECOND && answering.await.is_ok());
    }
}
