//! Sends prepared datagrams at a rate and counts the answers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use socket2::SockRef;
use swim_benches::proc;
use swim_wire::encode_frame_header;

/// Datagrams sent between two looks for answers.
const BURST: u64 = 32;
/// Datagrams without an answer at which a sender that keeps pace with its target waits.
const WINDOW: u64 = 64;
/// The sender's naps while nothing is due.
const NAP: Duration = Duration::from_micros(50);
/// After so long without an answer the rest is given up.
const PATIENCE: Duration = Duration::from_millis(200);
/// Bytes of the sender's buffers: answers must not be lost here.
const BUFFER: usize = 4 << 20;

/// How fast to send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many datagrams per second, answered or not.
    Rate(u64),
    /// As many as are answered.
    Answers,
}

/// What became of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// How long it was sent.
    pub(crate) time: Duration,
}

#[derive(Debug)]
pub(crate) struct Sender {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Sender {
    pub(crate) fn bind() -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends each once, by a stream of its own, and waits until it was heard.
    pub(crate) fn introduce(&self, to: SocketAddr, packets: &[BytesMut]) -> std::io::Result<()> {
        for packet in packets {
            let mut stream = TcpStream::connect(to)?;
            let header = encode_frame_header(packet.len()).map_err(std::io::Error::other)?;
            stream.write_all(&header)?;
            stream.write_all(packet)?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_to_end(&mut Vec::new())?;
        }
        Ok(())
    }

    /// Sends the packets in turn for `time`, and then waits for what is still to be answered.
    pub(crate) fn run(
        &self,
        to: SocketAddr,
        packets: &[BytesMut],
        pace: Pace,
        time: Duration,
    ) -> std::io::Result<Run> {
        self.drain()?;
        let lost_before = proc::drops(self.address);
        let mut next = packets.iter().cycle();
        let (mut sent, mut answered) = (0, 0);
        let start = Instant::now();
        let mut last_answer = start;
        let took = loop {
            let elapsed = start.elapsed();
            if elapsed >= time {
                break elapsed;
            }
            let due = match pace {
                Pace::Rate(rate) => (elapsed.as_secs_f64() * rate as f64) as u64,
                // What is lost must not stop it for good.
                Pace::Answers if last_answer.elapsed() > PATIENCE => sent + 1,
                Pace::Answers => answered + WINDOW,
            };
            let burst = due.saturating_sub(sent).min(BURST);
            for packet in next.by_ref().take(burst as usize) {
                self.socket.send_to(packet, to)?;
            }
            sent += burst;
            match self.drain()? {
                0 if burst == 0 && matches!(pace, Pace::Rate(_)) => sleep(NAP),
                0 => {}
                more => {
                    answered += more;
                    last_answer = Instant::now();
                }
            }
        };
        answered += self.wait(sent - answered.min(sent))?;
        let lost = proc::drops(self.address).zip(lost_before).map_or(0, |(now, then)| now - then);
        if lost > 0 {
            eprintln!("the sender itself lost {lost} answers: raise net.core.rmem_max");
        }
        Ok(Run { sent, answered, time: took })
    }

    /// Waits for `outstanding` answers; how many came.
    fn wait(&self, outstanding: u64) -> std::io::Result<u64> {
        let (mut answered, mut last) = (0, Instant::now());
        while answered < outstanding && last.elapsed() < PATIENCE {
            match self.drain()? {
                0 => sleep(NAP),
                more => {
                    answered += more;
                    last = Instant::now();
                }
            }
        }
        Ok(answered)
    }

    /// Takes what has come; how many datagrams.
    fn drain(&self) -> std::io::Result<u64> {
        let mut buf = [0; 2048];
        let mut taken = 0;
        loop {
            match self.socket.recv_from(&mut buf) {
                Ok(_) => taken += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
    }
}
