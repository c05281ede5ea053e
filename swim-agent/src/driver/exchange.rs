//! Streams: one packet there, answers back. Each is a task of its own with a time limit; what it
//! reads goes to the driver.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use swim_core::GossipMessage;
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument as _;

use super::frame::{self, ReadError};
use super::places::Places;
use super::users::Incoming;
use super::validation::{STREAM_PATIENCE, Validation};
use super::wire::{Carrier, Refused, Wire};
use crate::counters::Meter;
use crate::resolve::Lookup;

/// Streams of this node's own that are open at a time; what is to go beyond that is dropped.
const OUTBOUND: usize = 64;
/// Of these, what is left to pings, without which nobody dead is found and the living are not.
const FOR_PROBES: usize = 16;
/// And what is left by news, which come by the next comparison too.
const FOR_REQUESTS: usize = 16;
/// Of those beside them that ask unproven addresses: whoever claims that somebody lives where nobody
/// answers holds up nothing else.
const UNPROVEN: usize = 8;
/// How long a connection may take to come about.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long an answer may take to begin that says little, if there is one. Later it is in vain; and the
/// kernel of a host that is frozen takes all that is said to it.
const WORD_TIME: Duration = Duration::from_secs(5);
/// How long an inbound stream may take to say anything at all. Honest ones have said it by the time they are
/// accepted, or once what was lost is sent again.
const FIRST_WORD_TIME: Duration = Duration::from_secs(2);
/// How long an inbound stream may take to say what it wants.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long a whole exchange may take: all members of a large cluster over a slow link.
const EXCHANGE_TIME: Duration = Duration::from_secs(20);
/// Most packets read in answer to one.
const MOST_ANSWERS: usize = 4;
/// How often it is looked whether there is a place for who waits, when nothing else happens.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// First and longest wait after an error of the transport itself.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// What the driver hears besides datagrams and commands.
#[derive(Debug)]
pub(super) enum Input {
    /// A packet that came by stream. Answers to an inbound stream go back through `reply`.
    Heard {
        from: SocketAddr,
        messages: Vec<GossipMessage>,
        reply: Option<oneshot::Sender<BytesMut>>,
    },
    /// A stream of this node's own did what it was for.
    Reached { to: SocketAddr },
    /// A stream of this node's own failed, or brought no answer when one was due.
    Failed { to: SocketAddr, why: String },
    /// A query with patterns is for this node.
    Asked(Incoming),
    /// What some of the seeds stand for now; whether these were the last of them.
    Resolved { found: Vec<Lookup>, over: bool },
}

/// What all streams share.
pub(super) struct Exchange<C> {
    wire: Arc<Wire<C>>,
    meter: Arc<Meter>,
    inputs: mpsc::Sender<Input>,
    /// The turns of large packets: of those that others open streams for, and of answers to this node. Apart,
    /// so that strangers do not hold up this node's own joins.
    asked: Semaphore,
    answered: Semaphore,
}

/// Why a stream of this node's own failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Connect(io::Error),
    #[error("no connection within {} s", CONNECT_TIME.as_secs())]
    ConnectTime,
    #[error("the stream broke: {0}")]
    Stream(#[from] io::Error),
    #[error("the answer was refused: {0}")]
    Read(#[from] ReadError),
    #[error("the answer was refused: {0}")]
    Refused(#[from] Refused),
    #[error(
        "it closed the stream without an answer; is it of the same cluster? with the same keys? does it \
         let this agent in?"
    )]
    Unanswered,
    #[error("no answer within {} s", .0.as_secs())]
    Time(Duration),
}

/// What a stream of this node's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To probe somebody.
    Probe,
    /// To ask for something: one that brings no answer has failed.
    Ask,
    /// To tell what goes by stream only.
    Tell,
    /// To tell what would go by datagram, did these pass.
    News,
    /// To ask an unproven address whether somebody lives there: nothing but that is heard from it.
    Validate,
}

impl Purpose {
    /// How many streams it leaves to those that are more urgent.
    fn leaves(self) -> usize {
        match self {
            Self::Probe | Self::Validate => 0,
            Self::Ask | Self::Tell => FOR_PROBES,
            Self::News => FOR_PROBES + FOR_REQUESTS,
        }
    }

    /// How long an answer may take to begin.
    fn patience(self) -> Duration {
        match self {
            Self::Probe | Self::News => WORD_TIME,
            Self::Ask | Self::Tell => EXCHANGE_TIME,
            Self::Validate => STREAM_PATIENCE,
        }
    }

    /// How long all of it may take.
    fn time(self) -> Duration {
        if self == Self::Validate { STREAM_PATIENCE } else { EXCHANGE_TIME }
    }
}

impl<C: Codec> Exchange<C> {
    pub(super) fn new(wire: Arc<Wire<C>>, meter: Arc<Meter>, inputs: mpsc::Sender<Input>) -> Self {
        let [asked, answered] = [frame::LARGE_AT_A_TIME; 2].map(Semaphore::new);
        Self { wire, meter, inputs, asked, answered }
    }

    pub(super) fn inputs(&self) -> &mpsc::Sender<Input> {
        &self.inputs
    }

    /// Decodes a packet that was read.
    fn decode(
        &self,
        packet: Option<BytesMut>,
        from: SocketAddr,
    ) -> Result<Option<Vec<GossipMessage>>, Failure> {
        let Some(mut packet) = packet else { return Ok(None) };
        self.meter.stream_bytes_received.add(packet.len());
        let mut messages = Vec::new();
        self.wire.read(Carrier::Stream, from, &mut packet, &mut messages)?;
        Ok(Some(messages))
    }

    async fn write<S: tokio::io::AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        mut packet: BytesMut,
    ) -> io::Result<()> {
        self.wire.seal(Carrier::Stream, &mut packet)?;
        let len = packet.len();
        frame::write_last(stream, packet.freeze()).await?;
        self.meter.stream_bytes_sent.add(len);
        Ok(())
    }

    /// Says `packet` to `to` and hands the answers to the driver; returns how many came.
    async fn converse<T: Transport>(
        &self,
        transport: Arc<T>,
        to: SocketAddr,
        packet: BytesMut,
        purpose: Purpose,
    ) -> Result<usize, Failure> {
        let connected = timeout(CONNECT_TIME, transport.connect(to)).await;
        // The address is to be free as soon as the driver ends.
        drop(transport);
        let mut stream = connected.map_err(|_| Failure::ConnectTime)?.map_err(Failure::Connect)?;
        self.meter.streams_opened.one();
        self.write(&mut stream, packet).await?;
        let (large, most) = match purpose {
            Purpose::Validate => (&self.asked, 1),
            _ => (&self.answered, MOST_ANSWERS),
        };
        for answers in 0..most {
            let packet = frame::read(&mut stream, large, purpose.patience()).await?;
            let Some(mut messages) = self.decode(packet, to)? else { return Ok(answers) };
            if purpose == Purpose::Validate {
                messages.retain(|message| Validation::proof(message).is_some());
            }
            // An error says that the driver has ended, and with it this task will.
            let heard = Input::Heard { from: to, messages, reply: None };
            let _ = self.inputs.send(heard).await;
        }
        Ok(most)
    }

    /// Serves one inbound stream: a packet, and what the driver answers.
    async fn serve<S>(&self, mut stream: S, from: SocketAddr) -> Result<(), Failure>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let read = frame::read(&mut stream, &self.asked, FIRST_WORD_TIME);
        let request = timeout(REQUEST_TIME, read).await;
        let request = request.map_err(|_| Failure::Time(REQUEST_TIME))??;
        let Some(messages) = self.decode(request, from)? else { return Ok(()) };
        let (reply, answer) = oneshot::channel();
        let heard = Input::Heard { from, messages, reply: Some(reply) };
        let _ = self.inputs.send(heard).await;
        // Dropped unused when there is nothing to say.
        if let Ok(packet) = answer.await {
            self.write(&mut stream, packet).await?;
        }
        Ok(())
    }

    /// Does so within its time, and books a failure.
    async fn serve_whole<S>(self: Arc<Self>, stream: S, from: SocketAddr)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let served = timeout(EXCHANGE_TIME, self.serve(stream, from)).await;
        if let Err(failure) = served.unwrap_or(Err(Failure::Time(EXCHANGE_TIME))) {
            self.meter.streams_failed.one();
            tracing::debug!(%from, %failure, "an inbound stream failed");
        }
    }
}

/// This node's own streams.
pub(super) struct Outbound<T, C> {
    transport: Arc<T>,
    exchange: Arc<Exchange<C>>,
    slots: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl<T: Transport, C: Codec> Outbound<T, C> {
    pub(super) fn new(transport: Arc<T>, exchange: Arc<Exchange<C>>) -> Self {
        let [slots, unproven] = [OUTBOUND, UNPROVEN].map(|most| Arc::new(Semaphore::new(most)));
        Self { transport, exchange, slots, unproven, tasks: JoinSet::new() }
    }

    /// Says `packet` to `to` by a stream of its own. False when too many streams are open; the packet is
    /// dropped then.
    pub(super) fn say(&mut self, to: SocketAddr, packet: BytesMut, purpose: Purpose) -> bool {
        while self.tasks.try_join_next().is_some() {}
        let slots = if purpose == Purpose::Validate { &self.unproven } else { &self.slots };
        // Nobody else takes one meanwhile.
        let free = slots.available_permits() > purpose.leaves();
        let slot = free.then(|| Arc::clone(slots).try_acquire_owned().ok()).flatten();
        let Some(slot) = slot else {
            self.exchange.meter.streams_withheld.one();
            return false;
        };
        let (transport, exchange) = (Arc::clone(&self.transport), Arc::clone(&self.exchange));
        let task = async move {
            let talk = exchange.converse(transport, to, packet, purpose);
            let failure = match timeout(purpose.time(), talk).await {
                Ok(Ok(0)) if purpose == Purpose::Ask => Failure::Unanswered,
                Ok(Ok(_)) => {
                    drop(slot);
                    let _ = exchange.inputs.send(Input::Reached { to }).await;
                    return;
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Time(purpose.time()),
            };
            exchange.meter.streams_failed.one();
            tracing::debug!(%to, %failure, "a stream failed");
            drop(slot);
            let failed = Input::Failed { to, why: failure.to_string() };
            let _ = exchange.inputs.send(failed).await;
        };
        self.tasks.spawn(task.in_current_span());
        true
    }

    /// Ends all of them and waits until they are gone.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Accepts streams until it is aborted, and serves each in a task of its own once there is a place for it.
pub(super) async fn accept<T: Transport, C: Codec>(
    transport: Arc<T>,
    exchange: Arc<Exchange<C>>,
    mut places: Places<T::Stream>,
) {
    let mut tasks = JoinSet::new();
    let [first, longest] = PAUSES;
    let mut pause = first;
    loop {
        tokio::select! {
            accepted = transport.accept(), if places.has_room(Instant::now()) => match accepted {
                Ok((stream, from)) => {
                    pause = first;
                    exchange.meter.streams_accepted.one();
                    if exchange.wire.hears(&from) {
                        places.arrived(stream, from, Instant::now());
                    }
                }
                Err(error) => {
                    exchange.meter.transport_errors.one();
                    tracing::warn!(%error, "accepting streams fails, trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
            },
            Some(ended) = tasks.join_next_with_id() => {
                places.leave(ended.map_or_else(|error| error.id(), |(task, ())| task));
            }
            // Somebody may have had its time, as a place or as one that waits.
            () = sleep(LOOK_AGAIN), if places.is_wanted() => {}
        }
        let now = Instant::now();
        while let Some((stream, from)) = places.next(now) {
            let served = Arc::clone(&exchange).serve_whole(stream, from);
            places.take(tasks.spawn(served.in_current_span()), from, now);
        }
        places.trim();
        exchange.meter.streams_dropped.add(places.take_closed());
    }
}
