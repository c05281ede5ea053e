//! Sealing and opening allocate nothing, whatever comes; a session does once, when it enters.
#![forbid(unsafe_code)]

use allocation_counter::measure;
use bytes::BytesMut;
use swim_wire::seal::{Algorithm, Carrier, Key, Keyring, Mode, OVERHEAD, OpenError, Seal};

const TIMES: u64 = 1_000;

fn check(what: &str, repeat: impl FnMut()) {
    let info = measure(repeat);
    assert_eq!((info.count_total, info.bytes_total), (0, 0), "{what}");
}

#[test]
fn nothing_is_allocated_for_a_packet() {
    for algorithm in Algorithm::ALL {
        let ring = Keyring::new(Key::generate(algorithm).unwrap());
        let seal = || Seal::new("swim", ring.clone(), Mode::Require).unwrap();
        let (one, other) = (seal(), seal());
        let mut packet = BytesMut::with_capacity(1_400 + OVERHEAD);
        let seal = |packet: &mut BytesMut| {
            packet.clear();
            packet.resize(1_400, 8);
            one.seal(Carrier::Datagram, packet).unwrap();
        };
        // The session enters.
        seal(&mut packet);
        other.open(Carrier::Datagram, &mut packet).unwrap();

        check("seal", || (0..TIMES).for_each(|_| seal(&mut packet)));
        check("seal and open", || {
            for _ in 0..TIMES {
                seal(&mut packet);
                other.open(Carrier::Datagram, &mut packet).unwrap();
            }
        });
        seal(&mut packet);
        check("refuse forged ones of unknown sessions", || {
            for session in 0..TIMES {
                packet[5..13].copy_from_slice(&session.to_be_bytes());
                let refused = other.open(Carrier::Datagram, &mut packet);
                assert_eq!(refused, Err(OpenError::Forged));
            }
        });
    }
}
