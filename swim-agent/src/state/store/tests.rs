//! Whole files, cut and damaged in every way.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;

use super::super::model::{Place, Remembered, Standing};
use super::super::overlay::Overlay;
use super::*;

const OWNER: (&str, &str) = ("a", "prod");

/// A directory that is gone when the test is over.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("swim-state-{}-{test}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self, epoch: u32) -> Store {
        Store::open(&self.0, OWNER, epoch).expect("a usable directory")
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that failed before it made one has none.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn member(number: u16, standing: Standing) -> Record {
    let address = SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 7946));
    let place = Place { address, standing, since: number.into() };
    Record::Member(Remembered { name: format!("node-{number:05}"), place })
}

fn metadata(value: &str) -> Record {
    let mut overlay = Overlay::default();
    overlay.set.insert("role".to_owned(), value.to_owned());
    overlay.hidden.insert("zone".to_owned(), "a".to_owned());
    Record::Metadata(overlay)
}

/// Some of everything, one write each.
fn filled(directory: &Directory) -> Vec<Record> {
    let mut records = vec![metadata("web"), Record::Clock(7), metadata("db"), Record::Clock(9)];
    let standings = [Standing::Live, Standing::Dead, Standing::Left];
    records.extend((0..6).map(|number| member(number, standings[usize::from(number) % 3])));
    let mut store = directory.open(5);
    records.iter().for_each(|record| store.write(vec![record.clone()]).unwrap());
    records
}

/// What is held after the first so many of `records`.
fn after(records: &[Record]) -> State {
    let mut state = State::default();
    state.apply(Record::Owner { name: "a".to_owned(), cluster: "prod".to_owned() });
    state.apply(Record::Epoch(5));
    records.iter().for_each(|record| state.apply(record.clone()));
    state
}

#[test]
fn what_was_written_is_there_again() {
    let directory = Directory::new("again");
    let records = filled(&directory);
    assert_eq!(read(&directory.file()).unwrap().0, after(&records));
    let store = directory.open(6);
    let mut expected = after(&records);
    expected.epoch = 6;
    assert_eq!(store.state(), &expected);
}

#[test]
fn each_start_has_an_epoch_above_the_last_one_whatever_the_clock_says() {
    let directory = Directory::new("epoch");
    for (clock, epoch) in [(1_000, 1_000), (1_000, 1_001), (3, 1_002), (2_000, 2_000)] {
        assert_eq!(directory.open(clock).state().epoch, epoch);
    }
    for _ in 0..2 {
        assert_eq!(directory.open(u32::MAX).state().epoch, MAX_EPOCH, "higher ones are refused");
    }
}

#[test]
fn a_file_cut_at_any_byte_holds_what_was_written_before() {
    let directory = Directory::new("cut");
    let records = filled(&directory);
    let whole = fs::read(directory.file()).unwrap();
    let mut held = 0;
    for end in 0..=whole.len() {
        fs::write(directory.file(), &whole[..end]).unwrap();
        let (state, damage) = read(&directory.file()).unwrap();
        assert_eq!(damage.stretches, [], "cut at {end}");
        if state.epoch == 5 {
            while held < records.len() && state != after(&records[..held]) {
                held += 1;
            }
            assert_eq!(state, after(&records[..held]), "cut at {end}");
        } else {
            assert_eq!((state.members.len(), state.clock), (0, 0), "cut at {end}");
        }
        if end % 16 == 0 {
            assert_eq!(directory.open(6).state().epoch, 6);
        }
    }
    assert_eq!(held, records.len());
}

#[test]
fn a_file_with_any_byte_changed_is_refused_or_lacks_one_record() {
    let directory = Directory::new("flip");
    let records = filled(&directory);
    let (whole, expected) = (fs::read(directory.file()).unwrap(), after(&records));
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(directory.file(), &bytes).unwrap();
        let Ok((state, damage)) = read(&directory.file()) else {
            assert!(at < HEADER.len(), "byte {at}");
            continue;
        };
        assert_eq!(damage.stretches.len() + usize::from(damage.torn > 0), 1, "byte {at}");
        for (name, place) in &state.members {
            assert_eq!(expected.members.get(name), Some(place), "byte {at}");
        }
        let lost = expected.members.len() - state.members.len();
        assert!(lost <= 1 && [0, 7, 9].contains(&state.clock), "byte {at}");
        assert!([0, 5].contains(&state.epoch) && state.owner.is_none_or(|o| o.0 == "a"));
    }
}

#[test]
fn a_damaged_file_is_kept_aside_and_what_is_whole_is_kept() {
    let directory = Directory::new("aside");
    filled(&directory);
    let mut bytes = fs::read(directory.file()).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    fs::write(directory.file(), &bytes).unwrap();
    let members = directory.open(1).state().members.len();
    assert!(members >= 5);
    assert_eq!(fs::read(directory.0.join(DAMAGED_FILE)).unwrap(), bytes);
    assert_eq!(read(&directory.file()).unwrap().1, Damage::default());
}

#[test]
fn what_a_crash_leaves_is_no_state() {
    let directory = Directory::new("zeros");
    let records = filled(&directory);
    // Some file systems grow a file before its bytes are there.
    let zeros = [fs::read(directory.file()).unwrap(), vec![0; 4_096]].concat();
    fs::write(directory.file(), &zeros).unwrap();
    let (state, damage) = read(&directory.file()).unwrap();
    assert_eq!((state, damage.torn), (after(&records), 4_096));
    // A file that was being written anew counts only once it has its name.
    fs::write(directory.0.join(NEW_FILE), &zeros[..100]).unwrap();
    assert_eq!(directory.open(1).state().members, after(&records).members);
}

#[test]
fn a_directory_is_one_agents_at_a_time_and_one_nodes_for_ever() {
    let directory = Directory::new("owner");
    let first = directory.open(1);
    let second = Store::open(&directory.0, OWNER, 1).unwrap_err();
    assert!(matches!(second, StateError::InUse { .. }), "{second}");
    drop(first);
    for owner in [("b", "prod"), ("a", "test")] {
        let error = Store::open(&directory.0, owner, 1).unwrap_err();
        let line = error.to_string();
        assert!(line.contains("\"a\" of cluster \"prod\", not to"), "{line}");
    }
    assert_eq!(directory.open(1).state().epoch, 2, "who was refused changed nothing");
}

#[test]
fn what_is_no_state_file_is_left_as_it_is() {
    let directory = Directory::new("foreign");
    fs::create_dir_all(&directory.0).unwrap();
    for bytes in
        [&b"somebody's notes"[..], b"SWIMST\x00\x02 a later version", b"\0\0\0\0\0\0\0\0\0"]
    {
        fs::write(directory.file(), bytes).unwrap();
        let error = Store::open(&directory.0, OWNER, 1).unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }), "{error}");
        assert_eq!(fs::read(directory.file()).unwrap(), bytes);
    }
}

#[test]
fn a_file_has_a_bounded_size_however_often_things_change() {
    let directory = Directory::new("bounded");
    let mut store = directory.open(1);
    let all = (0..1_000).map(|number| member(number, Standing::Live)).collect();
    store.write(all).unwrap();
    let live = directory.open_size();
    println!("{} bytes for 1,000 members, {} each", live, live / 1_000);
    for round in 0..20_000_u16 {
        let standing = [Standing::Dead, Standing::Live][usize::from(round / 1_000 % 2)];
        store.write(vec![member(round % 1_000, standing)]).unwrap();
        let size = directory.open_size();
        assert!(size <= 2 * live + SLACK + 100, "{size} in round {round}");
    }
    let (state, damage) = read(&directory.file()).unwrap();
    assert_eq!((&state, damage), (store.state(), Damage::default()));
}

#[test]
fn ten_thousand_members_take_their_bytes_and_no_more() {
    let directory = Directory::new("many");
    let all = (0..10_000).map(|number| member(number, Standing::Live)).collect();
    directory.open(1).write(all).unwrap();
    let started = std::time::Instant::now();
    let store = directory.open(1);
    let took = started.elapsed();
    let each = directory.open_size() / 10_000;
    println!("10,000 members: {each} bytes each, a start reads and writes them in {took:?}");
    assert!(store.state().members.len() == 10_000 && each <= 43, "{each} bytes");
}

#[test]
fn what_is_known_already_is_not_written_again() {
    let directory = Directory::new("known");
    let mut store = directory.open(1);
    store.write(vec![member(1, Standing::Live)]).unwrap();
    let size = directory.open_size();
    store.write(vec![member(1, Standing::Live)]).unwrap();
    assert_eq!(directory.open_size(), size);
}

impl Directory {
    fn open_size(&self) -> u64 {
        fs::metadata(self.file()).expect("a file").len()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_behind_a_header_is_no_state(garbage in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        let directory = Directory::new("garbage");
        fs::create_dir_all(&directory.0).unwrap();
        fs::write(directory.file(), [HEADER, &garbage].concat()).unwrap();
        prop_assert_eq!(read(&directory.file()).unwrap().0, State::default());
        prop_assert_eq!(directory.open(3).state().epoch, 3);
    }

    #[test]
    fn any_changes_are_there_after_a_restart(
        changes in proptest::collection::vec((0..40_u16, 0..3_usize, any::<u64>()), 0..200),
        texts in proptest::collection::btree_map(".{0,20}", ".{0,20}", 0..5),
    ) {
        let directory = Directory::new("changes");
        let mut store = directory.open(3);
        let standings = [Standing::Live, Standing::Dead, Standing::Left];
        for (number, standing, clock) in changes {
            let records = vec![member(number, standings[standing]), Record::Clock(clock)];
            store.write(records).unwrap();
        }
        let overlay = Overlay { set: texts, hidden: BTreeMap::new() };
        store.write(vec![Record::Metadata(overlay)]).unwrap();
        let mut expected = store.state().clone();
        drop(store);
        expected.epoch = 4;
        let again = directory.open(3);
        prop_assert_eq!(again.state(), &expected);
    }
}
