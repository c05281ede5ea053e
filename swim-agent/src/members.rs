//! What an agent knows of its cluster at one moment.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rpds::RedBlackTreeSetSync;
use swim_core::{Incarnation, Member, MemberState};

/// One member as the agent saw it when the snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its name.
    pub name: String,
    /// Where it receives datagrams and streams.
    pub address: SocketAddr,
    /// What is held of it.
    pub state: MemberState,
    /// The incarnation that `state` is about.
    pub incarnation: Incarnation,
    /// What it says of itself.
    pub metadata: BTreeMap<String, String>,
    /// When this node last changed what it holds of it, by its own clock.
    pub last_update: SystemTime,
    /// The same moment on the monotonic clock: tells whether the protocol's record has moved on.
    changed: Instant,
}

/// What differs between two versions of one member's record.
pub(crate) type Version = (Instant, Incarnation, MemberState);

/// The version of the protocol's record.
pub(crate) fn version(member: &Member) -> Version {
    (member.last_update, member.incarnation, member.state)
}

impl MemberInfo {
    /// `now` on both clocks translates the record's monotonic time.
    pub(crate) fn new(member: &Member, now: (Instant, SystemTime)) -> Self {
        let ago = now.0.saturating_duration_since(member.last_update);
        let entries = member.metadata.iter();
        Self {
            name: member.id.0.clone(),
            address: member.address,
            state: member.state,
            incarnation: member.incarnation,
            metadata: entries.map(|(key, value)| (key.clone(), value.clone())).collect(),
            last_update: now.1.checked_sub(ago).unwrap_or(now.1),
            changed: member.last_update,
        }
    }

    /// How long ago this node last changed what it holds of it, whatever was done to its clock since.
    pub fn age(&self) -> Duration {
        tokio::time::Instant::from_std(self.changed).elapsed()
    }

    /// The version of the record that this was made from.
    pub(crate) fn version(&self) -> Version {
        (self.changed, self.incarnation, self.state)
    }
}

/// An immutable snapshot of all members, dead and departed ones included until they are forgotten.
///
/// Snapshots share what did not change between them: taking and cloning one is O(1), the next one
/// costs O(log n) per changed member. Holding one never blocks the agent.
#[derive(Clone)]
pub struct Members {
    by_name: RedBlackTreeSetSync<ByName>,
    local: Arc<str>,
    counts: [usize; STATES.len()],
}

/// A member in the order of the names; the tree finds it by the name that it holds itself, so that
/// a name is kept once.
struct ByName(MemberInfo);

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        &self.0.name
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.name.cmp(&other.0.name)
    }
}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByName {}

const STATES: [MemberState; 4] =
    [MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left];

fn place(state: MemberState) -> usize {
    STATES.iter().position(|&held| held == state).unwrap_or_default()
}

impl Members {
    /// A cluster of one.
    pub(crate) fn alone(local: MemberInfo) -> Self {
        let mut members = Self {
            by_name: RedBlackTreeSetSync::new_sync(),
            local: local.name.as_str().into(),
            counts: [0; STATES.len()],
        };
        members.put(local);
        members
    }

    /// All members in the order of their names. O(n) altogether.
    pub fn iter(&self) -> impl Iterator<Item = &MemberInfo> {
        self.by_name.iter().map(|member| &member.0)
    }

    /// The member of that name. O(log n).
    pub fn get(&self, name: &str) -> Option<&MemberInfo> {
        self.by_name.get(name).map(|member| &member.0)
    }

    /// How many members are known, whatever their state. O(1).
    pub fn len(&self) -> usize {
        self.by_name.size()
    }

    /// Never: an agent is a member of its own cluster.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many members are in `state`. O(1).
    pub fn count(&self, state: MemberState) -> usize {
        self.counts[place(state)]
    }

    /// The agent itself as a member. O(log n).
    pub fn local(&self) -> &MemberInfo {
        // Put in by `alone`, and `remove` refuses to take it out.
        self.get(&self.local).expect("an agent is a member of its own cluster")
    }

    pub(crate) fn put(&mut self, member: MemberInfo) {
        self.counts[place(member.state)] += 1;
        if let Some(held) = self.get(&member.name) {
            self.counts[place(held.state)] -= 1;
        }
        self.by_name.insert_mut(ByName(member));
    }

    /// Says whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let held = self.get(name).filter(|_| *name != *self.local);
        let Some(state) = held.map(|held| held.state) else { return false };
        self.counts[place(state)] -= 1;
        self.by_name.remove_mut(name)
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = &'a MemberInfo;
    type IntoIter = Box<dyn Iterator<Item = &'a MemberInfo> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, state: MemberState) -> MemberInfo {
        let now = Instant::now();
        MemberInfo {
            name: name.to_owned(),
            address: ([127, 0, 0, 1], 7946).into(),
            state,
            incarnation: 0,
            metadata: BTreeMap::new(),
            last_update: SystemTime::now(),
            changed: now,
        }
    }

    #[test]
    fn counts_follow_every_change() {
        let mut members = Members::alone(member("b", MemberState::Alive));
        members.put(member("a", MemberState::Alive));
        members.put(member("a", MemberState::Suspect));
        assert_eq!(members.count(MemberState::Alive), 1);
        assert_eq!(members.count(MemberState::Suspect), 1);
        assert_eq!(members.get("a").map(|held| held.state), Some(MemberState::Suspect));
        assert!(members.remove("a") && !members.remove("a"));
        assert_eq!(members.count(MemberState::Suspect), 0);
        assert_eq!(members.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_age_is_time_that_passed_whatever_the_clock_was_set_to() {
        let mut held = member("a", MemberState::Alive);
        held.changed = tokio::time::Instant::now().into_std();
        // An hour forward since then.
        held.last_update = SystemTime::now() - Duration::from_secs(3600);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(held.age(), Duration::from_secs(5));
    }

    #[test]
    fn a_snapshot_does_not_see_what_comes_after_it() {
        let mut members = Members::alone(member("b", MemberState::Alive));
        let before = members.clone();
        members.put(member("a", MemberState::Alive));
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(before.len(), 1);
    }

    #[test]
    fn the_agent_itself_stays() {
        let mut members = Members::alone(member("b", MemberState::Alive));
        assert!(!members.remove("b"));
        assert_eq!(members.local().name, "b");
    }
}
