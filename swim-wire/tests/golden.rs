//! Packets that a release wrote: `testdata/`, whose `README.md` tells how to add to it.

mod common;

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use common::{alive, decode, meaning, member, packet};
use swim_core::{
    Accusation, Coordinate, Decline, Digest, GossipMessage, Member, MemberState, MemberUpdate,
    Notice, Recent, Said, Stamp, UserEvent, UserNotice, UserQuery,
};

/// File, what is in it, what it must decode to.
type Golden = (&'static str, &'static str, Vec<GossipMessage>);

const EPOCH: u64 = 1_700_000_000 << 32;

fn updates() -> Vec<MemberUpdate> {
    let metadata = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
    };
    vec![
        alive("node-1", "10.0.0.1:7946", EPOCH | 1),
        MemberUpdate {
            state: MemberState::Suspect,
            metadata: metadata(&[("role", "db"), ("zone", ""), ("", "x")]),
            ..alive("node-2", "10.0.0.2:7946", (1_700_003_600 << 32) | 300)
        },
        MemberUpdate {
            state: MemberState::Dead,
            metadata: metadata(&[]),
            ..alive("node-3", "[2001:db8::3]:7947", u64::MAX)
        },
        MemberUpdate {
            state: MemberState::Left,
            address: None,
            metadata: None,
            ..alive("n\u{f6}de-4", "[::]:0", 0)
        },
    ]
}

fn removals() -> Vec<MemberUpdate> {
    let removal = |name, incarnation, key: &str, by: &str| MemberUpdate {
        state: MemberState::Left,
        address: None,
        metadata: Some([(key.to_owned(), by.to_owned())].into()),
        ..alive(name, "[::]:0", incarnation)
    };
    vec![
        removal("node-1", EPOCH | 1, Member::REMOVED, "node-2"),
        removal("node-3", EPOCH, Member::PRUNED, ""),
    ]
}

fn coordinate() -> Coordinate {
    Coordinate::new([-1, 0, 4_000_000], Duration::from_micros(8_388_609), 0.25)
}

fn probes() -> Vec<Golden> {
    let from = || "node-1".into();
    let target = || "node-2".into();
    vec![
        (
            "ping",
            "Ping, seq 300, from node-1",
            vec![GossipMessage::Ping { seq: 300, from: from() }],
        ),
        ("ack", "Ack, seq 0, from node-1", vec![GossipMessage::Ack { seq: 0, from: from() }]),
        (
            "ack_located",
            "Ack, seq 300, from node-1 at (-1, 0, 4000000) us, 8388609 us above, error 0.25",
            vec![GossipMessage::LocatedAck { seq: 300, from: from(), coordinate: coordinate() }],
        ),
        (
            "ping_req",
            "PingReq, seq 2^64 - 1, from node-1, target node-2",
            vec![GossipMessage::PingReq { seq: u64::MAX, from: from(), target: target() }],
        ),
        ("nack", "Nack, seq 1, from node-1", vec![GossipMessage::Nack { seq: 1, from: from() }]),
        (
            "sync_request",
            "SyncRequest from node-1",
            vec![GossipMessage::SyncRequest { from: from() }],
        ),
    ]
}

fn records() -> Vec<Golden> {
    let members = updates()[..3].iter().map(member).collect();
    let accusation =
        |update, accuser: &str, health| Accusation { update, accuser: accuser.into(), health };
    let accusations = vec![
        accusation(0, "node-2", 0),
        accusation(0, "node-5", 8),
        accusation(1, "node-5", 255),
        accusation(255, "node-1", 0),
    ];
    vec![
        (
            "gossip",
            "Gossip: Alive, Suspect with metadata, Dead at an IPv6 address of another port, Left \
             without address",
            vec![GossipMessage::Gossip { updates: updates() }],
        ),
        (
            "removals",
            "Gossip: node-1 Left, removed by node-2; node-3 Left, pruned by one that is not said",
            vec![GossipMessage::Gossip { updates: removals() }],
        ),
        ("sync", "Sync of the first three of gossip", vec![GossipMessage::Sync { members }]),
        (
            "evidence",
            "Evidence: ages 0 and 7; node-2 (health 0) and node-5 (health 8) accuse update 0, \
             node-5 (health 255) update 1, node-1 (health 0) update 255",
            vec![GossipMessage::Evidence { ages: vec![0, 7], accusations }],
        ),
        (
            "delta",
            "Delta of the updates of gossip, wanting 1 and 2^32 - 1",
            vec![GossipMessage::Delta { updates: updates(), wanted: vec![1, u32::MAX] }],
        ),
    ]
}

/// What is written in another way by now: no metadata has no entry.
fn former() -> Vec<Golden> {
    vec![
        (
            "gossip_entry_for_none",
            "gossip with an entry for the metadata that its third update has not",
            vec![GossipMessage::Gossip { updates: updates() }],
        ),
        (
            "delta_entry_for_none",
            "delta with an entry for the metadata that its third update has not",
            vec![GossipMessage::Delta { updates: updates(), wanted: vec![1, u32::MAX] }],
        ),
    ]
}

fn digests() -> Vec<Golden> {
    let one = |digest| vec![GossipMessage::Digest { digest }];
    let versions = Digest::Versions { of: 512, buckets: vec![0, 3, 511], versions: vec![7, 8] };
    vec![
        ("digest_view", "Digest of the view, hash 0", one(Digest::View { hash: 0 })),
        (
            "digest_buckets",
            "Digest of two buckets, hashes 1 and 2^64 - 1",
            one(Digest::Buckets { hashes: vec![1, u64::MAX] }),
        ),
        (
            "digest_versions",
            "Digest of buckets 0, 3 and 511 of 512, versions 7 and 8",
            one(versions),
        ),
    ]
}

fn stamp(ltime: u64, id: u64) -> Stamp {
    Stamp { ltime, id }
}

fn notices() -> Vec<Golden> {
    let event = |payload: &[u8]| {
        let (origin, name) = ("node-1".into(), "deploy".to_owned());
        let event = UserEvent { origin, name, payload: payload.to_vec() };
        Said::Whole(UserNotice::Event(event.into()))
    };
    let notice = |stamp, after: &[Stamp], said| Notice { stamp, after: after.into(), said };
    let after = [stamp(1, 7), stamp(299, u64::MAX)];
    let notices = vec![
        notice(stamp(1, 7), &[], event(&[])),
        notice(stamp(300, 1 << 40), &after, event(&[0, 255, b'v', b'2'])),
        notice(stamp(u64::MAX, 0), &[stamp(0, 1)], Said::Announced(70_000)),
    ];
    let stamps = vec![stamp(0, 5), stamp(300, 4), stamp(300, u64::MAX), stamp(u64::MAX, 0)];
    let fetch = (
        "fetch",
        "Fetch of 0/5, 300/4, 300/2^64 - 1 and 2^64 - 1/0",
        vec![GossipMessage::Fetch { stamps }],
    );
    let notices = (
        "notices",
        "Notices: event deploy of node-1 at 1, id 7; the same with payload 00 ff 76 32 at 300, id \
         2^40, after 1/7 and 299/2^64 - 1; 70000 bytes announced at 2^64 - 1, id 0, after 0/1",
        vec![GossipMessage::Notices { notices }],
    );
    let recent = (
        "recent",
        "Recent: clock 300, above 290, up to 299, hash 2^64 - 1",
        vec![GossipMessage::Recent {
            recent: Recent { clock: 300, above: 290, upto: 299, hash: u64::MAX },
        }],
    );
    let stamps = vec![stamp(291, 3), stamp(299, 2)];
    let held = (
        "held",
        "Held by node-1, above 290, up to 299: 291/3 and 299/2",
        vec![GossipMessage::Held { from: "node-1".into(), above: 290, upto: 299, stamps }],
    );
    vec![notices, fetch, recent, held]
}

fn queries() -> Vec<Golden> {
    let query = UserQuery {
        origin: "node-1".into(),
        payload: vec![1],
        nodes: vec!["node-2".into(), "node-3".into()],
        metadata: vec![("role".to_owned(), "^db".to_owned()), (String::new(), String::new())],
        relays: 2,
        timeout: Duration::from_millis(1_500),
        ..UserQuery::new("uptime")
    };
    let said = Said::Whole(UserNotice::Query(query.into()));
    let notices = vec![Notice { stamp: stamp(9, 3), after: [].into(), said }];
    let answer = |relay, payload: Option<&[u8]>| {
        let (from, to) = ("node-2".into(), "node-1".into());
        let payload = payload.map(<[u8]>::to_vec);
        GossipMessage::QueryAnswer { query: 3, from, to, relay, payload, declined: None }
    };
    let declined = |why| {
        let (from, to) = ("node-2".into(), "node-1".into());
        let (payload, declined) = (None, Some(why));
        GossipMessage::QueryAnswer { query: 3, from, to, relay: false, payload, declined }
    };
    vec![
        (
            "query",
            "Notices: query uptime of node-1 at 9, id 3, payload 01, to node-2 and node-3 whose \
             role matches ^db and whose empty key matches nothing, acks, 2 relays, 1500 ms",
            vec![GossipMessage::Notices { notices }],
        ),
        (
            "query_answer",
            "QueryAnswers to 3, from node-2 to node-1: an ack, an empty one, 00 ff to be passed on",
            vec![answer(false, None), answer(false, Some(&[])), answer(true, Some(&[0, 255]))],
        ),
        (
            "query_declined",
            "QueryAnswers to 3, from node-2 to node-1: no handler, failed, busy",
            [Decline::NoHandler, Decline::Failed, Decline::Busy].map(declined).to_vec(),
        ),
    ]
}

fn several() -> Golden {
    let ping = GossipMessage::Ping { seq: 1, from: "node-1".into() };
    let evidence = GossipMessage::Evidence { ages: vec![], accusations: vec![] };
    let gossip = GossipMessage::Gossip { updates: vec![] };
    ("several", "Ping, empty Gossip and empty Evidence", vec![ping, gossip, evidence])
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/v1").join(format!("{name}.hex"))
}

/// Bytes of a golden file: what follows `#` in a line is for people.
fn parse(text: &str) -> Vec<u8> {
    let digits: String = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter(|digit| !digit.is_whitespace())
        .collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn print(what: &str, bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = bytes.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        format!("{:<47}  # {}\n", hex.join(" "), text.collect::<String>())
    };
    format!("# {what}; cluster swim\n{}", bytes.chunks(16).map(line).collect::<String>())
}

/// The bytes of a file; a missing one is written when asked for, an existing one never.
fn golden(name: &str, what: &str, messages: &[GossipMessage]) -> Vec<u8> {
    let path = path(name);
    if !path.exists() {
        assert!(env::var_os("ADD_GOLDEN").is_some(), "no {name}.hex; ADD_GOLDEN=1 writes it");
        fs::write(&path, print(what, &packet(messages))).expect("a file in testdata");
    }
    parse(&fs::read_to_string(path).expect("a readable file"))
}

/// Decodes a golden file to what it must mean; returns its bytes and its messages.
fn understood((name, what, messages): &Golden) -> (Vec<u8>, Vec<GossipMessage>) {
    let bytes = golden(name, what, messages);
    let (decoded, rest) = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let meanings = |messages: &[GossipMessage]| messages.iter().map(meaning).collect::<Vec<_>>();
    assert_eq!(meanings(&decoded), meanings(messages), "{name}");
    assert_eq!(rest, Default::default(), "{name}");
    (bytes, decoded)
}

#[test]
fn every_message_of_this_version_keeps_its_bytes() {
    for file in [probes(), records(), digests(), notices(), queries(), vec![several()]].concat() {
        let (bytes, decoded) = understood(&file);
        assert_eq!(packet(&decoded), bytes, "{}", file.0);
    }
}

#[test]
fn what_was_written_in_another_way_is_understood() {
    for file in former() {
        let (bytes, decoded) = understood(&file);
        assert!(packet(&decoded).len() < bytes.len(), "{} is written as it was", file.0);
    }
}

#[test]
fn every_file_is_tested() {
    let tested: Vec<_> =
        [probes(), records(), former(), digests(), notices(), queries(), vec![several()]]
            .concat()
            .iter()
            .map(|(name, ..)| path(name))
            .collect();
    for file in fs::read_dir(path("x").with_file_name("")).expect("the folder of golden bytes") {
        let file = file.expect("a readable folder").path();
        assert!(tested.contains(&file), "{} is not in the list", file.display());
    }
}
