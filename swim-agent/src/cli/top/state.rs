//! What `swim top` shows and where the reader is in it; nothing here knows a terminal.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Instant;

use super::keys::{Action, Step};
use crate::http::types::{InfoBody, MemberBody, MemberDetailBody, MembersBody};

/// Events that are kept to be read.
const EVENTS: usize = 500;
/// Answers of `/v1/info` over which rates are taken: one a second.
const RATES_OVER: usize = 6;
/// Characters of a filter.
const FILTER: usize = 200;

/// All of it.
pub(super) struct State {
    /// The endpoint, as it was given.
    pub(super) address: String,
    /// Sorted by name.
    members: Vec<MemberBody>,
    /// Places in `members` that the filter lets through, in the order of the table.
    rows: Vec<usize>,
    /// The latest answers, newest last.
    infos: VecDeque<InfoBody>,
    /// Newest first, each as `swim monitor` prints it.
    pub(super) events: VecDeque<String>,
    /// What the agent remembers of the member of that name, or why it does not say.
    known: Option<(String, Known)>,
    /// Since when the agent does not answer, and why.
    pub(super) lost: Option<(Instant, String)>,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    pub(super) filter: String,
    /// Whether keys go to the filter.
    pub(super) typing: bool,
    pub(super) pane: Pane,
    /// The row that is marked.
    cursor: usize,
    /// The first row on the screen; of another pane than the table, its first line.
    offset: usize,
    scroll: usize,
    /// Rows that fit, as drawn last.
    page: usize,
}

/// What the agent knows and remembers of a member, or why it does not say.
pub(super) type Known = Result<Box<MemberDetailBody>, String>;

/// What fills the screen below the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pane {
    Members,
    /// All that is known of the member of that name.
    Detail(String),
    Events,
    Help,
}

/// By what the table is sorted; equal ones by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    /// What is not alive first.
    State,
    /// Longest silent first.
    Seen,
    /// Slowest first.
    RoundTrip,
    /// Changed last first.
    Changed,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Name => Self::State,
            Self::State => Self::Seen,
            Self::Seen => Self::RoundTrip,
            Self::RoundTrip => Self::Changed,
            Self::Changed => Self::Name,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Seen => "seen",
            Self::RoundTrip => "round trip",
            Self::Changed => "changed",
        }
    }
}

impl State {
    /// Nothing was heard so far.
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            members: Vec::new(),
            rows: Vec::new(),
            infos: VecDeque::new(),
            events: VecDeque::new(),
            known: None,
            lost: None,
            sort: Sort::Name,
            reversed: false,
            filter: String::new(),
            typing: false,
            pane: Pane::Members,
            cursor: 0,
            offset: 0,
            scroll: 0,
            page: 1,
        }
    }

    /// The agent answered.
    pub(super) fn see(&mut self, info: InfoBody, members: MembersBody) {
        self.lost = None;
        if self.info().is_some_and(|last| info.uptime_ms < last.uptime_ms) {
            // It was started anew and counts from zero.
            self.infos.clear();
        }
        self.infos.push_back(info);
        if self.infos.len() > RATES_OVER {
            self.infos.pop_front();
        }
        let marked = self.marked().map(|member| member.name.clone());
        self.members = members.members;
        self.members.sort_by(|a, b| a.name.cmp(&b.name));
        self.arrange(marked.as_deref());
    }

    /// The agent does not answer; what was seen last stays.
    pub(super) fn lose(&mut self, why: String, now: Instant) {
        let since = self.lost.as_ref().map_or(now, |(since, _)| *since);
        self.lost = Some((since, why));
    }

    /// Something was told of a member, or not: then what was told of it last stays.
    pub(super) fn know(&mut self, name: String, known: Known) {
        if known.is_ok() || !matches!(self.known(&name), Some(Ok(_))) {
            self.known = Some((name, known));
        }
    }

    /// What the agent knows and remembers of the member of that name; `None` when it was not asked so far.
    pub(super) fn known(&self, name: &str) -> Option<&Known> {
        self.known.as_ref().filter(|(of, _)| of == name).map(|(_, known)| known)
    }

    /// The member that is shown whole, if one is.
    pub(super) fn whole(&self) -> Option<&str> {
        match &self.pane {
            Pane::Detail(name) => Some(name),
            _ => None,
        }
    }

    /// Something happened.
    pub(super) fn tell(&mut self, line: String) {
        self.events.push_front(line);
        self.events.truncate(EVENTS);
        // Who reads older ones keeps the place.
        if self.pane == Pane::Events && self.scroll > 0 {
            self.scroll += 1;
        }
    }

    /// What the agent said of itself last.
    pub(super) fn info(&self) -> Option<&InfoBody> {
        self.infos.back()
    }

    /// How much a counter grows per second, over the last few seconds.
    pub(super) fn rate(&self, counter: &str) -> Option<f64> {
        let (before, now) = (self.infos.front()?, self.infos.back()?);
        let millis = now.uptime_ms.checked_sub(before.uptime_ms).filter(|&millis| millis > 0)?;
        let grown = now.counters.get(counter)?.checked_sub(*before.counters.get(counter)?)?;
        Some(grown as f64 * 1000.0 / millis as f64)
    }

    /// How many members there are, and how many the filter lets through.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.members.len(), self.rows.len())
    }

    /// The member of that name.
    pub(super) fn member(&self, name: &str) -> Option<&MemberBody> {
        let at = self.members.binary_search_by(|member| member.name.as_str().cmp(name));
        at.ok().map(|at| &self.members[at])
    }

    /// The rows that fit, and which of them is marked.
    pub(super) fn window(&mut self, height: usize) -> (Vec<&MemberBody>, Option<usize>) {
        self.page = height.max(1);
        let last = self.rows.len().saturating_sub(self.page);
        let lowest = (self.cursor + 1).saturating_sub(self.page);
        self.offset = self.offset.min(last).clamp(lowest, self.cursor.max(lowest));
        let rows = self.rows.iter().skip(self.offset).take(self.page);
        let marked = (!self.rows.is_empty()).then(|| self.cursor - self.offset);
        (rows.map(|&row| &self.members[row]).collect(), marked)
    }

    /// The first line to be shown of a pane of so many lines, of which `height` fit.
    pub(super) fn scrolled(&mut self, lines: usize, height: usize) -> usize {
        self.page = height.max(1);
        self.scroll = self.scroll.min(lines.saturating_sub(height));
        self.scroll
    }

    /// Does what a key asks for; whether to go on.
    pub(super) fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Quit => return false,
            Action::Back => return self.back(),
            Action::Step(step) => self.step(step),
            Action::Sort | Action::Reverse => {
                if action == Action::Sort {
                    (self.sort, self.reversed) = (self.sort.next(), false);
                } else {
                    self.reversed = !self.reversed;
                }
                (self.cursor, self.offset) = (0, 0);
                self.arrange(None);
            }
            Action::Open => {
                let name = self.marked().map(|member| member.name.clone());
                match name.filter(|_| self.pane == Pane::Members) {
                    Some(name) => self.show(Pane::Detail(name)),
                    None => self.show(Pane::Members),
                }
            }
            Action::Events => self.toggle(Pane::Events),
            Action::Help => self.toggle(Pane::Help),
            Action::Filter => {
                self.show(Pane::Members);
                self.typing = true;
            }
            Action::Accept => self.typing = false,
            Action::Type(char) if self.filter.chars().count() < FILTER => {
                self.refilter(|filter| filter.push(char));
            }
            Action::Type(_) => {}
            Action::Erase => self.refilter(|filter| {
                filter.pop();
            }),
            Action::Clear => self.refilter(String::clear),
        }
        true
    }

    /// One thing less: the typing, the pane, the filter, the screen.
    fn back(&mut self) -> bool {
        if self.pane != Pane::Members {
            self.show(Pane::Members);
        } else if self.typing || !self.filter.is_empty() {
            self.typing = false;
            self.refilter(String::clear);
        } else {
            return false;
        }
        true
    }

    fn show(&mut self, pane: Pane) {
        (self.pane, self.scroll) = (pane, 0);
    }

    fn toggle(&mut self, pane: Pane) {
        let pane = if self.pane == pane { Pane::Members } else { pane };
        self.show(pane);
    }

    fn step(&mut self, step: Step) {
        let page = self.page;
        let place = if self.pane == Pane::Members { &mut self.cursor } else { &mut self.scroll };
        *place = match step {
            Step::Up => place.saturating_sub(1),
            Step::Down => place.saturating_add(1),
            Step::PageUp => place.saturating_sub(page),
            Step::PageDown => place.saturating_add(page),
            Step::Home => 0,
            // What is too far is drawn back.
            Step::End => usize::MAX / 2,
        };
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
    }

    fn refilter(&mut self, change: impl FnOnce(&mut String)) {
        let marked = self.marked().map(|member| member.name.clone());
        change(&mut self.filter);
        self.arrange(marked.as_deref());
    }

    fn marked(&self) -> Option<&MemberBody> {
        self.rows.get(self.cursor).map(|&row| &self.members[row])
    }

    /// Filters and sorts anew; the mark stays on the member of that name, if it is still there.
    fn arrange(&mut self, marked: Option<&str>) {
        let words: Vec<_> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let members = &self.members;
        let mut rows: Vec<_> =
            (0..members.len()).filter(|&row| matches(&members[row], &words)).collect();
        match self.sort {
            Sort::Name => {}
            Sort::State => rows.sort_by_key(|&row| rank(&members[row].state)),
            Sort::Seen => {
                rows.sort_by_key(|&row| Reverse(members[row].contact.last_seen_ms));
            }
            Sort::RoundTrip => {
                // Whole microseconds; none is below all.
                let micros =
                    |row: usize| members[row].contact.round_trip_ms.map(|ms| (ms * 1000.0) as u64);
                rows.sort_by_key(|&row| Reverse(micros(row)));
            }
            Sort::Changed => rows.sort_by_key(|&row| members[row].age_ms),
        }
        if self.reversed {
            rows.reverse();
        }
        let found = marked.and_then(|name| rows.iter().position(|&row| members[row].name == name));
        self.cursor = found.unwrap_or(self.cursor).min(rows.len().saturating_sub(1));
        self.rows = rows;
    }
}

fn rank(state: &str) -> u8 {
    match state {
        "suspect" => 0,
        "dead" => 1,
        "left" => 2,
        _ => 3,
    }
}

/// Whether all words, in small letters, occur in what is told of a member.
fn matches(member: &MemberBody, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let mut text = format!("{} {} {}", member.name, member.address, member.state);
    for (key, value) in &member.metadata {
        text.extend([" ", key, "=", value]);
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::{Pane, Sort, State};
    use crate::cli::top::keys::{Action, Step};
    use crate::http::types::{InfoBody, MembersBody};

    /// An agent that has been up for so long and sent so many datagrams.
    pub(in crate::cli::top) fn info(uptime_ms: u64, sent: u64) -> InfoBody {
        let info = json!({
            "name": "n1", "address": "127.0.0.1:1", "bind_address": "127.0.0.1:1",
            "http_address": "127.0.0.1:7373", "cluster": "swim", "version": "1", "state": "alive",
            "incarnation": "7", "uptime_ms": uptime_ms, "ready": true, "unready": null,
            "local_health": 0, "probe_interval_ms": 1000, "suspicion_timeout_ms": 5000,
            "members": {"alive": 2, "suspect": 1, "dead": 1, "left": 0}, "updates_waiting": 0,
            "join_attempts": null, "view_hash": "00",
            "convergence": {"avg_rounds_to_converge": 0.0, "message_overhead": 0.0,
                "false_positive_rate": 0.0},
            "counters": {"datagrams_sent": sent, "datagrams_received": 0,
                "datagram_bytes_sent": sent * 100, "datagram_bytes_received": 0, "probes": 0,
                "probes_failed": 0},
        });
        serde_json::from_value(info).unwrap()
    }

    /// Members of these names and states, the later ones seen longer ago.
    pub(in crate::cli::top) fn members(of: &[(&str, &str)]) -> MembersBody {
        let member = |(at, (name, state)): (usize, &(&str, &str))| {
            json!({
                "name": name, "address": "127.0.0.1:1", "state": state, "incarnation": "7",
                "metadata": {"role": "db"}, "last_update": "T", "age_ms": 61_000,
                "last_seen_ms": 1000 * at, "round_trip_ms": at as f64 / 4.0,
                "paths": {"datagram": null, "stream": {"state": "failing", "age_ms": 1, "why": "refused"}},
            })
        };
        let members: Vec<_> = of.iter().enumerate().map(member).collect();
        serde_json::from_value(json!({ "members": members })).unwrap()
    }

    pub(in crate::cli::top) fn four() -> State {
        let mut state = State::new("127.0.0.1:7373".to_owned());
        let of = [("n1", "alive"), ("n2", "suspect"), ("n3", "dead"), ("web", "alive")];
        state.see(info(10_000, 0), members(&of));
        state
    }

    fn names(state: &mut State) -> String {
        let (rows, _) = state.window(100);
        rows.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn typed(state: &mut State, text: &str) {
        assert!(state.act(Action::Filter));
        text.chars().for_each(|char| assert!(state.act(Action::Type(char))));
    }

    #[test]
    fn the_order_goes_round_and_can_be_turned() {
        let mut state = four();
        assert_eq!(names(&mut state), "n1 n2 n3 web");
        for (sort, order) in [
            (Sort::State, "n2 n3 n1 web"),
            (Sort::Seen, "web n3 n2 n1"),
            (Sort::RoundTrip, "web n3 n2 n1"),
            (Sort::Changed, "n1 n2 n3 web"),
            (Sort::Name, "n1 n2 n3 web"),
        ] {
            state.act(Action::Sort);
            assert_eq!((state.sort, names(&mut state).as_str()), (sort, order));
        }
        state.act(Action::Reverse);
        assert_eq!(names(&mut state), "web n3 n2 n1");
    }

    #[test]
    fn a_filter_is_words_that_all_occur_anywhere() {
        let mut state = four();
        typed(&mut state, "ROLE=d n ");
        assert_eq!(names(&mut state), "n1 n2 n3");
        typed(&mut state, "Alive");
        assert_eq!((names(&mut state).as_str(), state.sizes()), ("n1", (4, 1)));
        typed(&mut state, "x");
        assert_eq!(state.window(5), (Vec::new(), None));
        state.act(Action::Erase);
        assert_eq!(names(&mut state), "n1");
        assert!(state.act(Action::Accept) && !state.typing);
        // Esc takes the filter away, then leaves.
        assert!(state.act(Action::Back));
        assert_eq!(names(&mut state), "n1 n2 n3 web");
        assert!(!state.act(Action::Back));
    }

    #[test]
    fn a_filter_is_bounded() {
        let mut state = four();
        typed(&mut state, &"\u{f6}".repeat(1_000));
        assert_eq!(state.filter.chars().count(), 200);
    }

    #[test]
    fn the_mark_stays_on_its_member() {
        let mut state = four();
        state.act(Action::Step(Step::Down));
        state.see(info(11_000, 0), members(&[("a", "alive"), ("b", "alive"), ("n2", "dead")]));
        assert_eq!(state.window(10).1, Some(2));
        // It is gone: the mark stays within the table.
        state.see(info(12_000, 0), members(&[("a", "alive")]));
        assert_eq!(state.window(10).1, Some(0));
        state.see(info(13_000, 0), members(&[]));
        assert_eq!(state.window(10).1, None);
        state.act(Action::Open);
        assert_eq!(state.pane, Pane::Members);
    }

    #[test]
    fn steps_stay_within_ten_thousand_rows() {
        let all: Vec<_> = (0..10_000).map(|n| format!("n{n:05}")).collect();
        let all: Vec<_> = all.iter().map(|name| (name.as_str(), "alive")).collect();
        let mut state = State::new(String::new());
        state.see(info(1, 0), members(&all));
        let mut at = |step, height| {
            state.act(Action::Step(step));
            let (rows, marked) = state.window(height);
            (rows.len(), rows[0].name.clone(), rows[marked.unwrap()].name.clone())
        };
        let is = |rows, first: &str, marked: &str| (rows, first.to_owned(), marked.to_owned());
        assert_eq!(at(Step::Up, 20), is(20, "n00000", "n00000"));
        assert_eq!(at(Step::PageDown, 20), is(20, "n00001", "n00020"));
        assert_eq!(at(Step::End, 20), is(20, "n09980", "n09999"));
        assert_eq!(at(Step::Down, 20), is(20, "n09980", "n09999"));
        assert_eq!(at(Step::PageUp, 20), is(20, "n09979", "n09979"));
        // The terminal became smaller, then larger than the table.
        assert_eq!(at(Step::Down, 1), is(1, "n09980", "n09980"));
        assert_eq!(at(Step::Home, 0), is(1, "n00000", "n00000"));
        assert_eq!(at(Step::Home, 20_000), is(10_000, "n00000", "n00000"));
    }

    #[test]
    fn a_member_is_opened_and_closed() {
        let mut state = four();
        state.act(Action::Step(Step::End));
        state.act(Action::Open);
        assert_eq!(state.pane, Pane::Detail("web".to_owned()));
        state.act(Action::Step(Step::End));
        assert_eq!((state.scrolled(30, 10), state.scrolled(5, 10)), (20, 0));
        assert!(state.act(Action::Back));
        assert_eq!((state.pane.clone(), state.window(10).1), (Pane::Members, Some(3)));
        for (key, pane) in [(Action::Events, Pane::Events), (Action::Help, Pane::Help)] {
            state.act(key);
            assert_eq!(state.pane, pane);
            state.act(key);
            assert_eq!(state.pane, Pane::Members);
        }
    }

    #[test]
    fn rates_are_per_second_and_start_anew_with_the_agent() {
        let mut state = four();
        assert_eq!(state.rate("datagrams_sent"), None);
        state.see(info(12_000, 50), members(&[]));
        assert_eq!(state.rate("datagrams_sent"), Some(25.0));
        assert_eq!(state.rate("no_such_counter"), None);
        state.see(info(500, 3), members(&[]));
        assert_eq!(state.rate("datagrams_sent"), None);
    }

    #[test]
    fn an_agent_that_is_gone_leaves_what_was_seen() {
        let (mut state, start) = (four(), Instant::now());
        state.lose("refused".to_owned(), start);
        state.lose("still refused".to_owned(), start + Duration::from_secs(9));
        assert_eq!(state.lost, Some((start, "still refused".to_owned())));
        assert_eq!(names(&mut state), "n1 n2 n3 web");
        state.see(info(11_000, 0), members(&[]));
        assert_eq!(state.lost, None);
    }

    #[test]
    fn events_are_bounded_and_all_are_told_equal_ones_too() {
        let mut state = four();
        for n in 0..2_000 {
            state.tell(format!("{n} event"));
        }
        state.tell("1999 event".to_owned());
        let told = |at: usize| state.events[at].as_str();
        assert_eq!((state.events.len(), told(0), told(1)), (500, "1999 event", "1999 event"));
        // Who reads older ones is not moved.
        state.act(Action::Events);
        state.scrolled(500, 10);
        state.act(Action::Step(Step::Down));
        state.tell("missed 3 events".to_owned());
        state.tell("missed 3 events".to_owned());
        assert_eq!(state.scrolled(500, 10), 3);
    }
}
