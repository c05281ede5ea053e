//! What only this module can set up: fixed sessions, and their end.

use super::header::SessionId;
use super::*;

fn ring(algorithm: Algorithm) -> Keyring {
    let secret = std::array::from_fn(|at| at as u8);
    Keyring::new(Key::new(algorithm, Zeroizing::new(secret)).unwrap())
}

fn seal(origin: u8, ring: Keyring) -> Seal {
    Seal::of(Origin([origin; 10]), "swim", ring, Mode::Require).unwrap()
}

fn sealed(seal: &Seal, carrier: Carrier) -> BytesMut {
    let mut packet = BytesMut::from(&b"what a codec wrote"[..]);
    seal.seal(carrier, &mut packet).unwrap();
    packet
}

fn header(packet: &BytesMut) -> Header {
    Header::split(&mut packet.clone()).unwrap().header
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Members of different releases have to open each other's packets: these never change. They are of
/// key 00 01 .. 1f and cluster swim, and another implementation (Python's cryptography) made the same
/// from the layout in `docs/security.md`.
#[test]
fn sealed_packets_keep_their_bytes() {
    let golden = |algorithm| {
        let seal = seal(7, ring(algorithm));
        [Carrier::Datagram, Carrier::Stream].map(|carrier| hex(&sealed(&seal, carrier)))
    };
    assert_eq!(
        golden(Algorithm::Aes256Gcm),
        [
            concat!(
                "0f230e52e907070707070707070707000000000000",
                "a1b9ab2a7553793894c840d11c20a146f379",
                "af4d9cb0c396355ac7fbea5a56f6eb28"
            ),
            concat!(
                "0f230e52e907070707070707070707000000000000",
                "ea0342712c2c297ff2ac73a928b9ef4edb28",
                "edb67eb3114d7f3ef96573f302983b4e"
            ),
        ]
    );
    assert_eq!(
        golden(Algorithm::ChaCha20Poly1305),
        [
            concat!(
                "0f46ac064707070707070707070707000000000000",
                "302ac8a7f8c4d7c94c2fd2679a6cf64d5379",
                "db6b76df7f15242d8d77875610502de2"
            ),
            concat!(
                "0f46ac064707070707070707070707000000000000",
                "b423fcd31f43046ae0d212817eae2641b76d",
                "3c4337412519e9fb8f9cca385f83d365"
            ),
        ]
    );
}

#[test]
fn a_session_ends_and_the_next_one_begins() {
    let (one, other) = (seal(1, ring(Algorithm::Aes256Gcm)), seal(2, ring(Algorithm::Aes256Gcm)));
    one.state().sender.wear_out(Carrier::Datagram);
    let mut last = sealed(&one, Carrier::Datagram);
    let last_of = header(&last);
    assert_eq!(last_of.counter, (1 << 28) - 1);
    let mut first = sealed(&one, Carrier::Datagram);
    let first_of = header(&first);
    assert_eq!(first_of.session, SessionId::new(Origin([1; 10]), 1));
    assert_eq!((first_of.counter, header(&sealed(&one, Carrier::Datagram)).counter), (0, 1));
    // Streams go to the new session too.
    assert_eq!(header(&sealed(&one, Carrier::Stream)).session, first_of.session);
    for packet in [&mut first, &mut last] {
        assert_eq!(other.open(Carrier::Datagram, packet).unwrap().packet, b"what a codec wrote");
    }
    assert_eq!(one.open(Carrier::Datagram, &mut sealed(&one, Carrier::Datagram)), {
        Err(OpenError::Reflected)
    });
}

#[test]
fn after_the_last_session_nothing_is_sealed() {
    let seal = seal(1, ring(Algorithm::Aes256Gcm));
    seal.change(|state| state.begun = 1 << 16);
    seal.state().sender.wear_out(Carrier::Stream);
    sealed(&seal, Carrier::Stream);
    let mut packet = BytesMut::from(&b"what a codec wrote"[..]);
    for _ in 0..2 {
        assert_eq!(seal.seal(Carrier::Stream, &mut packet), Err(SealError::Spent));
        assert_eq!(packet, b"what a codec wrote"[..]);
    }
    // What goes on goes on, and keys that would take another session are not taken.
    sealed(&seal, Carrier::Datagram);
    assert_eq!(seal.set_keyring(ring(Algorithm::ChaCha20Poly1305)), Err(SealError::Spent));
    assert_eq!(seal.keyring().primary().algorithm(), Algorithm::Aes256Gcm);
    sealed(&seal, Carrier::Datagram);
}

#[test]
fn another_primary_is_another_session_and_the_same_is_none() {
    let seal = seal(1, ring(Algorithm::Aes256Gcm));
    let before = header(&sealed(&seal, Carrier::Datagram));
    let mut two = seal.keyring();
    let new = Key::generate(Algorithm::Aes256Gcm).unwrap();
    let id = new.id();
    two.install(new).unwrap();
    seal.set_keyring(two.clone()).unwrap();
    let still = header(&sealed(&seal, Carrier::Datagram));
    assert_eq!((still.key, still.session), (before.key, before.session));
    two.use_key(id).unwrap();
    seal.set_keyring(two).unwrap();
    let after = header(&sealed(&seal, Carrier::Datagram));
    assert_eq!((after.key, after.counter), (id, 0));
    assert_ne!(after.session, before.session);
}

#[test]
fn a_copied_process_that_begins_anew_shares_no_nonce_with_the_other() {
    let (one, copy) = [(); 2].map(|()| seal(7, ring(Algorithm::Aes256Gcm))).into();
    let other = seal(8, ring(Algorithm::Aes256Gcm));
    assert_eq!(sealed(&one, Carrier::Datagram), sealed(&copy, Carrier::Datagram), "they would");
    copy.begin_anew().unwrap();
    let [mut first, mut second] = [&one, &copy].map(|from| sealed(from, Carrier::Datagram));
    assert_ne!(header(&first).session, header(&second).session);
    assert!(other.open(Carrier::Datagram, &mut first).is_ok());
    assert!(other.open(Carrier::Datagram, &mut second.clone()).is_ok());
    assert_eq!(copy.open(Carrier::Datagram, &mut second), Err(OpenError::Reflected));
}

#[test]
fn another_key_of_the_same_id_is_not_there_already() {
    let [one, other] = [101_993u32, 138_734].map(|number| {
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        Key::new(Algorithm::Aes256Gcm, Zeroizing::new(secret)).unwrap()
    });
    assert_eq!(one.id(), other.id(), "found by trying");
    let mut ring = Keyring::new(one.clone());
    assert_eq!(ring.install(one), Ok(false));
    let id = other.id();
    assert_eq!(ring.install(other), Err(KeyringError::Taken { id }));
    assert_eq!(ring.len(), 1);
}
