//! Waking up: what has come in is heard before timers fire.
//!
//! A process that was paused (a suspended laptop, a stopped process, a starved container) finds
//! all its deadlines passed and the answers that would have met them still in its sockets. Fired
//! first, the timers would suspect everybody.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Driver, Sources};

/// A sleep that ends this much late says that the process was paused or starved.
const LATE: Duration = Duration::from_millis(100);
/// From here on users are told: others begin to suspect a node that is silent for so long.
const STANDSTILL: Duration = Duration::from_secs(1);
/// Datagrams heard in a row before anything else gets its turn: a fraction of a millisecond, and
/// enough that what a turn costs is small beside it.
pub(super) const AT_ONCE: usize = 64;
/// Most datagrams heard before timers fire that are late: what a socket's buffer holds.
const AT_ONCE_LATE: usize = 8_192;
/// How long timers that are late already may be held up further.
const MOST_TIME: Duration = Duration::from_millis(200);
/// How often and for how long the reactor is given time to find out what the sockets hold.
const TURNS: u32 = 4;
const TURN: Duration = Duration::from_millis(2);
/// First and longest wait after an error of the transport itself.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// Receives datagrams, with pauses while that fails.
pub(super) struct Receiver<T> {
    transport: Arc<T>,
    pause: Duration,
    resume: Option<Instant>,
}

impl<T: Transport> Receiver<T> {
    pub(super) fn new(transport: Arc<T>) -> Self {
        Self { transport, pause: PAUSES[0], resume: None }
    }

    /// The next datagram. Cancel safe.
    pub(super) async fn next(&mut self, datagram: &mut BytesMut) -> io::Result<SocketAddr> {
        if let Some(resume) = self.resume {
            sleep_until(resume).await;
        }
        let received = self.transport.recv_from(datagram).await;
        match &received {
            Ok(_) => (self.pause, self.resume) = (PAUSES[0], None),
            Err(_) => {
                self.resume = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(PAUSES[1]);
            }
        }
        received
    }

    /// The next datagram if it is there already.
    async fn try_next(&mut self, datagram: &mut BytesMut) -> Option<io::Result<SocketAddr>> {
        let mut next = pin!(self.next(datagram));
        poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(received) => Poll::Ready(Some(received)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// The sleep until `due` is over.
    pub(super) async fn wake(
        &mut self,
        due: Instant,
        sources: &mut Sources<T>,
        datagram: &mut BytesMut,
    ) {
        let late = Instant::now().saturating_duration_since(due);
        if late > LATE {
            self.meter.late_wakeups.one();
            tracing::debug!(late_ms = late.as_millis(), "woke up late, hearing first");
        }
        let accused = self.protocol.stats().own_refutations;
        self.drain(late > LATE, sources, datagram).await;
        if late >= STANDSTILL {
            self.stood_still(late, accused);
        }
        self.fire();
    }

    /// Says that nothing ran for so long, and whether others have said since that it was gone.
    fn stood_still(&mut self, late: Duration, accused: u64) {
        self.view.stood_still(late);
        let accused = self.protocol.stats().own_refutations > accused;
        let meanwhile = if accused { "; others held it suspect or dead meanwhile" } else { "" };
        tracing::warn!(
            "this agent stood still for {:.1} s (paused, starved or suspended){meanwhile}",
            late.as_secs_f64()
        );
    }

    /// Hears what has come in already. After a late wake-up the reactor gets time to find it.
    async fn drain(&mut self, late: bool, sources: &mut Sources<T>, datagram: &mut BytesMut) {
        let until = Instant::now() + MOST_TIME;
        let (mut turns, mut most) = if late { (TURNS, AT_ONCE_LATE) } else { (0, AT_ONCE) };
        loop {
            let heard = self.hear_waiting(most, sources, datagram).await;
            most -= heard;
            let mut silent = heard == 0;
            while let Ok(input) = sources.inputs.try_recv() {
                self.hear(input);
                silent = false;
            }
            if turns == 0 || most == 0 || Instant::now() >= until || self.over {
                return;
            }
            // A turn that brought something (or ran out of the runtime's budget) is not the last.
            turns -= u32::from(silent);
            sleep(TURN).await;
        }
    }

    /// Hears the datagrams that are there already, at most so many; says how many.
    pub(super) async fn hear_waiting(
        &mut self,
        most: usize,
        sources: &mut Sources<T>,
        datagram: &mut BytesMut,
    ) -> usize {
        for heard in 0..most {
            if self.over {
                return heard;
            }
            let Some(received) = sources.receiver.try_next(datagram).await else { return heard };
            self.received(received, datagram);
        }
        most
    }
}
