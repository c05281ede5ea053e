//! A DNS server on loopback: A, AAAA and SRV records that a test changes, or silence.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Priority, host and port.
pub(crate) type Service = (u16, &'static str, u16);

#[derive(Debug, Default)]
struct Zone {
    records: HashMap<(Name, RecordType), Vec<RData>>,
    silent: bool,
    asked: usize,
}

/// The server; its thread ends with the test's process.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl Dns {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let zone = Arc::new(Mutex::new(Zone::default()));
        let served = Arc::clone(&zone);
        thread::spawn(move || serve(&socket, &served));
        Self { address, zone }
    }

    /// The addresses of a host, instead of former ones.
    pub(crate) fn hosts(&self, name: &str, ips: Vec<IpAddr>) {
        let (v4, v6): (Vec<_>, Vec<_>) = ips.into_iter().partition(IpAddr::is_ipv4);
        let data = |ip| match ip {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.set(name, RecordType::A, v4.into_iter().map(data).collect());
        self.set(name, RecordType::AAAA, v6.into_iter().map(data).collect());
    }

    /// The targets of a service, instead of former ones.
    pub(crate) fn services(&self, name: &str, targets: Vec<Service>) {
        let data = |(priority, host, port)| {
            RData::SRV(SRV::new(priority, 1, port, Name::from_str(host).expect("a name")))
        };
        self.set(name, RecordType::SRV, targets.into_iter().map(data).collect());
    }

    /// Answers nobody any more.
    pub(crate) fn silence(&self) {
        self.zone.lock().expect("no panic").silent = true;
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> usize {
        self.zone.lock().expect("no panic").asked
    }

    fn set(&self, name: &str, kind: RecordType, data: Vec<RData>) {
        let name = Name::from_str(name).expect("a name");
        self.zone.lock().expect("no panic").records.insert((name, kind), data);
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>) {
    let mut packet = [0; 4096];
    while let Ok((len, from)) = socket.recv_from(&mut packet) {
        let Ok(question) = Message::from_vec(&packet[..len]) else { continue };
        let mut zone = zone.lock().expect("no panic");
        zone.asked += 1;
        if !zone.silent {
            let answer = answer(&question, &zone).to_vec().expect("an answer that fits");
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn answer(question: &Message, zone: &Zone) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_available = true;
    for query in &question.queries {
        answer.add_query(query.clone());
        let known = zone.records.keys().any(|(name, _)| name == query.name());
        if !known {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        let key = (query.name().clone(), query.query_type());
        for data in zone.records.get(&key).into_iter().flatten() {
            // A day: whoever remembers answers is found out.
            answer.add_answer(Record::from_rdata(query.name().clone(), 86_400, data.clone()));
        }
    }
    answer
}
