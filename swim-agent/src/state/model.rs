//! What is kept, as the records say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use swim_core::{Member, MemberState};

use super::overlay::Overlay;
use super::record::Record;

/// How a member stood when it was last heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Standing {
    /// Alive, or suspected.
    Live,
    /// Dead.
    Dead,
    /// It said goodbye.
    Left,
    /// Somebody declared it gone for good: it is not asked.
    Removed,
}

/// Where a member lives or lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its address.
    pub address: SocketAddr,
    /// How it stood.
    pub standing: Standing,
    /// Since when, Unix time in seconds.
    pub since: u64,
}

impl Place {
    /// Where a member lives, from now on.
    pub(crate) fn new(member: &Member, now: SystemTime) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { address: member.address, standing: member.state.into(), since }
    }

    /// Where nobody was found.
    pub(crate) fn dead(address: SocketAddr, now: SystemTime) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { address, standing: Standing::Dead, since }
    }

    /// Where somebody lived who is gone for good.
    pub(crate) fn removed(address: SocketAddr, now: SystemTime) -> Self {
        Self { standing: Standing::Removed, ..Self::dead(address, now) }
    }

    /// Whether this is another place, or another standing, than those.
    pub(crate) fn is_news(&self, address: SocketAddr, state: MemberState) -> bool {
        (self.address, self.standing) != (address, state.into())
    }

    /// Whether the two differ in time only.
    fn is_like(&self, other: &Self) -> bool {
        (self.address, self.standing) == (other.address, other.standing)
    }
}

impl From<MemberState> for Standing {
    /// A suspicion is no standing: it ends within seconds.
    fn from(state: MemberState) -> Self {
        match state {
            MemberState::Alive | MemberState::Suspect => Self::Live,
            MemberState::Dead => Self::Dead,
            MemberState::Left => Self::Left,
        }
    }
}

/// A member that was known once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) name: String,
    pub(super) place: Place,
}

/// Members that are not live of which most are kept: whose address may be that of a live one again.
pub(super) const MAX_GONE: usize = 256;

/// Everything that survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// The node and its cluster; `None` in a new directory.
    pub owner: Option<(String, String)>,
    /// The boot epoch of the last start, 0 before the first.
    pub epoch: u32,
    /// What was changed in the metadata at run time.
    pub overlay: Overlay,
    /// The clock of user events.
    pub clock: u64,
    /// The other members by name: live ones, and the latest 256 of those that died or left.
    pub members: BTreeMap<String, Place>,
    /// Those of `members` that are not live, the oldest first.
    gone: BTreeSet<(u64, String)>,
}

impl State {
    /// Whether a record says nothing new.
    pub(super) fn holds(&self, record: &Record) -> bool {
        match record {
            Record::Member(Remembered { name, place }) => {
                self.members.get(name).is_some_and(|held| held.is_like(place))
            }
            Record::Metadata(overlay) => *overlay == self.overlay,
            Record::Epoch(epoch) => *epoch <= self.epoch,
            Record::Clock(clock) => *clock <= self.clock,
            Record::Owner { .. } => false,
        }
    }

    /// Takes a record in. O(log n).
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Owner { name, cluster } => self.owner = Some((name, cluster)),
            Record::Epoch(epoch) => self.epoch = self.epoch.max(epoch),
            Record::Clock(clock) => self.clock = self.clock.max(clock),
            Record::Metadata(overlay) => self.overlay = overlay,
            Record::Member(member) => self.put(member),
        }
    }

    fn put(&mut self, Remembered { name, place }: Remembered) {
        self.forget(&name);
        if place.standing != Standing::Live {
            self.gone.insert((place.since, name.clone()));
        }
        self.members.insert(name, place);
        if self.gone.len() > MAX_GONE
            && let Some((_, oldest)) = self.gone.first().cloned()
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, name: &str) {
        if let Some(place) = self.members.remove(name) {
            self.gone.remove(&(place.since, name.to_owned()));
        }
    }

    /// The records that make it what it is, the most important ones first.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let owner = self.owner.clone().map(|(name, cluster)| Record::Owner { name, cluster });
        let own = [
            Record::Epoch(self.epoch),
            Record::Clock(self.clock),
            Record::Metadata(self.overlay.clone()),
        ];
        let members = self
            .members
            .iter()
            .map(|(name, &place)| Record::Member(Remembered { name: name.clone(), place }));
        owner.into_iter().chain(own).chain(members)
    }

    /// Who lived where when the agent ended.
    pub(crate) fn live(&self) -> impl Iterator<Item = (String, SocketAddr)> {
        let live = self.members.iter().filter(|(_, place)| place.standing == Standing::Live);
        live.map(|(name, place)| (name.clone(), place.address))
    }

    /// Who may be found where, live members first, then dead ones, then those that left, and none that
    /// was removed; in random order among equals, so that a restarted cluster does not ask one member only.
    pub(crate) fn whereabouts(&self) -> Vec<(String, SocketAddr)> {
        use std::hash::{BuildHasher, RandomState};
        let random = RandomState::new();
        let asked = |(_, place): &(&String, &Place)| place.standing != Standing::Removed;
        let mut members: Vec<(&String, &Place)> = self.members.iter().filter(asked).collect();
        members.sort_by_cached_key(|(name, place)| (place.standing, random.hash_one(name)));
        members.into_iter().map(|(name, place)| (name.clone(), place.address)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: usize, standing: Standing) -> Record {
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(number).unwrap()));
        let place = Place { address, standing, since: number as u64 };
        Record::Member(Remembered { name: format!("n{number}"), place })
    }

    #[test]
    fn of_those_that_are_gone_the_latest_are_kept_and_of_live_ones_all() {
        let mut state = State::default();
        for number in 0..1_000 {
            state.apply(member(number, Standing::Live));
        }
        for number in 0..500 {
            state.apply(member(number, [Standing::Dead, Standing::Left][number % 2]));
        }
        assert_eq!(state.members.len(), 500 + MAX_GONE);
        assert!(!state.members.contains_key("n243") && state.members.contains_key("n244"));
        state.apply(member(400, Standing::Live));
        assert_eq!((state.members.len(), state.gone.len()), (500 + MAX_GONE, MAX_GONE - 1));
        let mut again = State::default();
        state.records().for_each(|record| again.apply(record));
        assert_eq!(again, state);
    }

    #[test]
    fn live_members_are_asked_first_those_that_left_last_and_the_removed_never() {
        let mut state = State::default();
        use Standing::{Dead, Left, Live, Removed};
        for (number, standing) in [(1, Left), (2, Dead), (3, Live), (4, Removed)] {
            state.apply(member(number, standing));
        }
        let ports: Vec<u16> = state.whereabouts().iter().map(|(_, at)| at.port()).collect();
        assert_eq!(ports, [3, 2, 1]);
    }

    #[test]
    fn clocks_never_go_back() {
        let mut state = State::default();
        for value in [7, 3] {
            state.apply(Record::Epoch(value));
            state.apply(Record::Clock(value.into()));
        }
        assert_eq!((state.epoch, state.clock), (7, 7));
    }
}
