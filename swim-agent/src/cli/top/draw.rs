//! How `swim top` looks, on a screen of any size.

use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, TableState, Wrap};

use super::keys;
use super::state::{Pane, State};
use crate::cli::history;
use crate::cli::output::{self, printable};
use crate::http::types::{IncidentBody, InfoBody, MemberBody, PathBody};

/// Which looks the terminal may be given.
pub(super) struct Theme {
    color: bool,
}

/// Events below the table, on a screen that has room for them.
const LATEST: u16 = 6;
/// The lowest screen that has.
const ROOMY: u16 = 20;

impl Theme {
    /// In colours, unless `NO_COLOR` says otherwise.
    pub(super) fn of_environment() -> Self {
        let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { color: !none }
    }

    /// The look of a state's or an event's word.
    fn word(&self, word: &str) -> Style {
        match output::style(word).get_fg_color() {
            Some(anstyle::Color::Ansi(color)) if self.color => Style::new().fg(of(color)),
            _ => Style::new(),
        }
    }

    fn alarm(&self) -> Style {
        self.word("dead").add_modifier(Modifier::BOLD)
    }
}

/// The colours that states and events have.
fn of(color: anstyle::AnsiColor) -> Color {
    match color {
        anstyle::AnsiColor::Green => Color::Green,
        anstyle::AnsiColor::Yellow => Color::Yellow,
        anstyle::AnsiColor::Red => Color::Red,
        anstyle::AnsiColor::BrightBlack => Color::DarkGray,
        _ => Color::Cyan,
    }
}

/// Draws all of it.
pub(super) fn all(frame: &mut Frame<'_>, state: &mut State, theme: &Theme, now: Instant) {
    let head = header(state, theme, now);
    let latest = match state.pane {
        Pane::Members if frame.area().height >= ROOMY => LATEST,
        _ => 0,
    };
    let [top, body, below, foot] = Layout::vertical([
        Constraint::Length(head.len() as u16),
        Constraint::Fill(1),
        Constraint::Length(latest),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head), top);
    match state.pane.clone() {
        Pane::Members => table(frame, body, state, theme),
        Pane::Detail(name) => lines(frame, body, state, detail(state, theme, &name)),
        Pane::Events => lines(frame, body, state, events(state, theme, EVENTS)),
        Pane::Help => lines(frame, body, state, help()),
    }
    if latest > 0 {
        let lines = events(state, theme, usize::from(latest) - 1);
        frame.render_widget(Paragraph::new(lines), below);
    }
    frame.render_widget(Paragraph::new(footer(state)), foot);
}

/// All events that are kept.
const EVENTS: usize = usize::MAX;

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn header(state: &State, theme: &Theme, now: Instant) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(info) = state.info() {
        lines.push(Line::from(vec![
            Span::styled(output::shortened(&info.name), bold()),
            Span::raw(format!(
                "  cluster {}  up {}",
                output::shortened(&info.cluster),
                output::age(Duration::from_millis(info.uptime_ms))
            )),
        ]));
        lines.push(counts(info, theme));
        lines.push(rates(state, info));
    }
    if let Some((since, why)) = &state.lost {
        let ago = output::age(now.saturating_duration_since(*since));
        let (address, why) = (printable(&state.address), printable(why));
        let text = format!("no answer from {address} for {ago}, trying again: {why}");
        lines.push(Line::styled(text, theme.alarm()));
    }
    lines
}

/// How many members are in which state, and how the agent is.
fn counts(info: &InfoBody, theme: &Theme) -> Line<'static> {
    let of = &info.members;
    let counts =
        [(of.alive, "alive"), (of.suspect, "suspect"), (of.dead, "dead"), (of.left, "left")];
    let mut spans = Vec::new();
    for (count, word) in counts {
        let style = if count > 0 { theme.word(word) } else { Style::new() };
        spans.push(Span::styled(format!("{count} {word}"), style));
        spans.push(Span::raw("  "));
    }
    let health = match info.local_health {
        0 => Span::raw("healthy"),
        worse => Span::styled(format!("local health {worse} of 8"), theme.word("suspect")),
    };
    spans.push(health);
    if let Some(why) = &info.unready {
        spans.push(Span::styled(format!("  not ready: {}", printable(why)), theme.word("suspect")));
    }
    Line::from(spans)
}

/// What the agent's counters grow by.
fn rates(state: &State, info: &InfoBody) -> Line<'static> {
    let rate = |counter| state.rate(counter).map_or("-".to_owned(), |rate| format!("{rate:.1}"));
    let bytes = |counter| {
        state.rate(counter).map_or("-".to_owned(), |rate| match rate {
            0.0..10_000.0 => format!("{rate:.0} B"),
            10_000.0..10_000_000.0 => format!("{:.0} kB", rate / 1e3),
            _ => format!("{:.0} MB", rate / 1e6),
        })
    };
    Line::raw(format!(
        "per s: out {} ({})  in {} ({})  probes {} failed {}  waiting {}",
        rate("datagrams_sent"),
        bytes("datagram_bytes_sent"),
        rate("datagrams_received"),
        bytes("datagram_bytes_received"),
        rate("probes"),
        rate("probes_failed"),
        info.updates_waiting,
    ))
}

/// A column of the table: what it is called, how wide it is, from which width of the screen on.
type Column = (&'static str, Constraint, u16, fn(&MemberBody) -> String);

const COLUMNS: [Column; 8] = [
    ("NAME", Constraint::Fill(2), 0, |member| output::shortened(&member.name)),
    ("STATE", Constraint::Length(7), 0, |member| printable(&member.state).into_owned()),
    ("SEEN", Constraint::Length(8), 30, |member| ago(member.contact.last_seen_ms)),
    ("RTT", Constraint::Length(9), 50, |member| round_trip(member)),
    ("ADDRESS", Constraint::Length(21), 70, |member| printable(&member.address).into_owned()),
    ("CHANGED", Constraint::Length(8), 80, |member| ago(Some(member.age_ms))),
    ("STREAM", Constraint::Length(7), 90, |member| {
        word(member.contact.paths.stream.as_ref()).to_owned()
    }),
    ("METADATA", Constraint::Fill(3), 100, |member| output::pairs(&member.metadata)),
];

fn ago(millis: Option<u64>) -> String {
    millis.map_or("-".to_owned(), |ago| output::age(Duration::from_millis(ago)))
}

fn round_trip(member: &MemberBody) -> String {
    member.contact.round_trip_ms.map_or("-".to_owned(), |millis| format!("{millis:.1} ms"))
}

fn word(path: Option<&PathBody>) -> &'static str {
    match path {
        None => "-",
        Some(path) if path.state == "ok" => "ok",
        Some(_) => "failing",
    }
}

fn table(frame: &mut Frame<'_>, area: Rect, state: &mut State, theme: &Theme) {
    let columns: Vec<_> = COLUMNS.iter().filter(|column| column.2 <= area.width).collect();
    let lost = state.lost.is_some();
    let (members, marked) = state.window(usize::from(area.height.saturating_sub(1)));
    let rows = members.into_iter().map(|member| {
        let cells = columns.iter().map(|(title, .., text)| {
            let style = if *title == "STATE" { theme.word(&member.state) } else { Style::new() };
            Span::styled(text(member), style)
        });
        let row = Row::new(cells);
        // What is not known to hold any more.
        if lost { row.style(Style::new().add_modifier(Modifier::DIM)) } else { row }
    });
    let table = Table::new(rows.collect::<Vec<_>>(), columns.iter().map(|column| column.1))
        .header(Row::new(columns.iter().map(|column| column.0)).style(bold()))
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(marked));
}

/// Draws a pane of lines, from where it is scrolled to; long ones go on below.
fn lines(frame: &mut Frame<'_>, area: Rect, state: &mut State, lines: Vec<Line<'static>>) {
    // Where lines go on below, how many fit is not known: then the last one may come to the top.
    let wide = lines.iter().any(|line| line.width() > usize::from(area.width));
    let fit = if wide { 1 } else { usize::from(area.height) };
    let first = state.scrolled(lines.len(), fit);
    let lines: Vec<_> = lines.into_iter().skip(first).take(area.height.into()).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn help() -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled("Keys", bold())];
    lines.extend(keys::HELP.iter().map(|(key, what)| Line::raw(format!("{key:<20}{what}"))));
    lines
}

/// The latest events below a title.
fn events(state: &State, theme: &Theme, most: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled("Events, the latest first", bold())];
    lines.extend(state.events.iter().take(most).map(|event| event_line(event, theme)));
    if state.events.is_empty() {
        lines.push(Line::raw("none so far"));
    }
    lines
}

/// An event, its kind in its colour and without the date.
fn event_line(event: &str, theme: &Theme) -> Line<'static> {
    let told = match event.split_once('T') {
        Some((date, told)) if date.len() == 10 => told,
        _ => event,
    };
    match told.split_once("  ") {
        Some((_, kind)) => {
            let kind = kind.split(' ').next().unwrap_or_default();
            colored(told, kind, theme)
        }
        None => Line::raw(told.to_owned()),
    }
}

/// A line in which the first `word` has its colour.
fn colored(line: &str, word: &str, theme: &Theme) -> Line<'static> {
    match line.split_once(word) {
        Some((before, after)) => Line::from(vec![
            Span::raw(before.to_owned()),
            Span::styled(word.to_owned(), theme.word(word)),
            Span::raw(after.to_owned()),
        ]),
        None => Line::raw(line.to_owned()),
    }
}

/// All that is known of a member, and what happened to it.
fn detail(state: &State, theme: &Theme, name: &str) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(printable(name).into_owned(), bold())];
    let mut fact = |title: &str, value: String, style: Style| {
        lines.push(Line::from(vec![Span::raw(format!("{title:<14}")), Span::styled(value, style)]));
    };
    match state.member(name) {
        Some(member) => facts(member, theme, &mut fact),
        None => fact("state", "forgotten".to_owned(), theme.word("forgotten")),
    }
    lines.push(Line::styled("History, the latest first", bold()));
    match state.known(name) {
        None => lines.push(Line::raw("  asking the agent")),
        Some(Err(why)) => lines.push(Line::styled(format!("  {}", printable(why)), theme.alarm())),
        Some(Ok(known)) if known.history.is_empty() => {
            lines.push(Line::raw("  nothing has happened"));
        }
        Some(Ok(known)) => {
            let incidents = known.history.iter();
            lines.extend(incidents.flat_map(|it| incident(it, &known.agent, theme)));
        }
    }
    lines
}

/// An incident as `agent` remembers it, in the lines of `swim info NAME`.
fn incident(incident: &IncidentBody, agent: &str, theme: &Theme) -> Vec<Line<'static>> {
    let text = strip_str(&history::lines(incident, agent)).to_string();
    let kind = printable(&incident.kind);
    text.lines().map(|line| colored(line, &kind, theme)).collect()
}

fn facts(member: &MemberBody, theme: &Theme, fact: &mut impl FnMut(&str, String, Style)) {
    let contact = &member.contact;
    let path = |path: &Option<PathBody>| match path {
        None => "-".to_owned(),
        Some(PathBody { state, age_ms, why }) => {
            let why = why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            printable(&format!("{state}, {} ago{why}", ago(Some(*age_ms)))).into_owned()
        }
    };
    let plain = Style::new();
    fact("state", printable(&member.state).into_owned(), theme.word(&member.state));
    fact("changed", format!("{} ago", ago(Some(member.age_ms))), plain);
    fact("address", printable(&member.address).into_owned(), plain);
    fact("incarnation", printable(&member.incarnation).into_owned(), plain);
    fact("last seen", ago(contact.last_seen_ms), plain);
    fact("round trip", round_trip(member), plain);
    fact("datagrams", path(&contact.paths.datagram), plain);
    fact("streams", path(&contact.paths.stream), plain);
    for (key, value) in &member.metadata {
        let pair = format!("{}={}", printable(key), printable(value));
        fact("metadata", pair, plain);
    }
}

fn footer(state: &State) -> Line<'static> {
    if state.typing {
        return Line::raw(format!(
            "/{}_  Enter keeps it, Esc takes it away",
            printable(&state.filter)
        ));
    }
    let (all, shown) = state.sizes();
    let order = if state.reversed { ", turned" } else { "" };
    let some = match state.filter.is_empty() {
        true => String::new(),
        false => format!("{shown} of {all} with {}  ", printable(&state.filter)),
    };
    let by = state.sort.as_str();
    Line::raw(format!("{some}by {by}{order}  ? help  q quit  / filter  s sort  e events"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;
    use ratatui::style::{Color, Modifier};
    use serde_json::{Value, json};

    use super::{Theme, all};
    use crate::cli::top::keys::{Action, Step};
    use crate::cli::top::state::State;
    use crate::cli::top::state::tests::{four, info, members};
    use crate::http::types::MemberDetailBody;

    const COLOR: Theme = Theme { color: true };

    /// What an agent remembers of a member that was accused.
    fn known(name: &str) -> MemberDetailBody {
        let incident = |second: u8, kind: &str, by: Option<&str>, probe: Value| {
            json!({
                "time": format!("2026-11-24T12:00:0{second}.123Z"), "age_ms": (3 - u64::from(second)) * 1000,
                "type": kind, "name": name, "by": by, "reason": by.map(|_| "rumor"), "state": null,
                "incarnation": null, "address": null, "old_address": null, "probe": probe,
            })
        };
        let probe = json!({"pings_ms": [700, 400], "asked_ms": 300, "relays": [], "stream": null, "silence": false});
        let history = [
            incident(1, "suspected", Some("n3"), Value::Null),
            incident(0, "probe_failed", None, probe),
        ];
        let known = json!({"agent": "n1", "member": null, "history": history});
        serde_json::from_value(known).unwrap()
    }

    fn buffer(state: &mut State, (width, height): (u16, u16), theme: &Theme) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let now = Instant::now();
        terminal.draw(|frame| all(frame, state, theme, now)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text, without spaces at the ends of lines.
    fn screen(state: &mut State, size: (u16, u16)) -> Vec<String> {
        let buffer = buffer(state, size, &COLOR);
        let row = |cells: &[ratatui::buffer::Cell]| {
            cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
        };
        match size.0 {
            0 => Vec::new(),
            width => buffer.content().chunks(width.into()).map(row).collect(),
        }
    }

    #[test]
    fn a_wide_screen_shows_all_columns_and_the_latest_events() {
        let mut state = four();
        state.see(info(12_000, 50), members(&[("n1", "alive"), ("n2", "suspect")]));
        state.tell("2026-11-24T12:00:00.123Z  joined     n1  127.0.0.1:1".to_owned());
        state.tell("2026-11-24T12:00:01.123Z  suspected  n2  127.0.0.1:1".to_owned());
        let shown = screen(&mut state, (120, 20));
        let expected = [
            "n1  cluster swim  up 12s",
            "2 alive  1 suspect  1 dead  0 left  healthy",
            "per s: out 25.0 (2500 B)  in 0.0 (0 B)  probes 0.0 failed 0.0  waiting 0",
            "NAME                STATE    SEEN      RTT        ADDRESS                CHANGED   STREAM   METADATA",
            "n1                  alive    0s        0.0 ms     127.0.0.1:1            1m 1s     failing  role=db",
            "n2                  suspect  1s        0.2 ms     127.0.0.1:1            1m 1s     failing  role=db",
        ];
        assert_eq!(shown[..6], expected, "{shown:#?}");
        let expected = [
            "Events, the latest first",
            "12:00:01.123Z  suspected  n2  127.0.0.1:1",
            "12:00:00.123Z  joined     n1  127.0.0.1:1",
        ];
        assert_eq!(shown[13..16], expected, "{shown:#?}");
        assert_eq!(shown[19], "by name  ? help  q quit  / filter  s sort  e events");
    }

    #[test]
    fn a_small_screen_shows_names_and_states() {
        let mut state = four();
        let expected = [
            "n1  cluster swim  up 10s",
            "2 alive  1 suspect  1 dead  0 left  heal",
            "per s: out - (-)  in - (-)  probes - fai",
            "NAME                   STATE    SEEN",
            "n1                     alive    0s",
            "n2                     suspect  1s",
            "n3                     dead     2s",
            "web                    alive    3s",
            "",
            "by name  ? help  q quit  / filter  s sor",
        ];
        assert_eq!(screen(&mut state, (40, 10)), expected);
    }

    #[test]
    fn no_size_and_no_pane_is_too_small() {
        let mut state = four();
        state.tell("2026-11-24T12:00:00.123Z  died  n1  127.0.0.1:1".to_owned());
        state.lose("refused".to_owned(), Instant::now());
        for key in [Action::Filter, Action::Accept, Action::Open, Action::Events, Action::Help] {
            state.act(key);
            state.act(Action::Step(Step::End));
            for size in [(0, 0), (1, 1), (1, 50), (50, 1), (7, 3), (40, 10), (500, 200)] {
                screen(&mut state, size);
            }
        }
    }

    #[test]
    fn ten_thousand_members_are_drawn_by_what_is_seen_of_them() {
        let all: Vec<_> = (0..10_000).map(|n| format!("n{n:05}")).collect();
        let all: Vec<_> = all.iter().map(|name| (name.as_str(), "alive")).collect();
        let mut state = State::new(String::new());
        state.see(info(1, 0), members(&all));
        state.act(Action::Step(Step::End));
        let shown = screen(&mut state, (40, 10));
        assert_eq!(shown[8], "n09999                 alive    2h 46m");
    }

    #[test]
    fn states_are_words_in_colours_and_without_colours_words() {
        let mut state = four();
        let at = (23, 5);
        let colored = buffer(&mut state, (40, 10), &COLOR);
        assert_eq!((colored[at].symbol(), colored[at].fg), ("s", Color::Yellow));
        let plain = buffer(&mut state, (40, 10), &Theme { color: false });
        assert!(plain.content().iter().all(|cell| cell.fg == Color::Reset));
        // The mark is no colour.
        assert!(plain[(0, 4)].modifier.contains(Modifier::REVERSED));
        assert!(!plain[(0, 5)].modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn a_member_is_shown_whole_with_what_happened_to_it() {
        let mut state = four();
        state.act(Action::Step(Step::Down));
        state.act(Action::Open);
        assert_eq!(state.whole(), Some("n2"));
        assert_eq!(screen(&mut state, (60, 20))[14], "  asking the agent");
        state.know("n2".to_owned(), Err("no such path\x07".to_owned()));
        assert_eq!(screen(&mut state, (60, 20))[14], r"  no such path\u{7}");
        state.know("n2".to_owned(), Ok(Box::new(known("n2"))));
        // What is said of another one, or not said any more, changes nothing.
        state.know("n2".to_owned(), Err("gone".to_owned()));
        assert!(state.known("n3").is_none());
        let shown = screen(&mut state, (80, 20));
        let expected = [
            "n2",
            "state         suspect",
            "changed       1m 1s ago",
            "address       127.0.0.1:1",
            "incarnation   7",
            "last seen     1s",
            "round trip    0.2 ms",
            "datagrams     -",
            "streams       failing, 0s ago: refused",
            "metadata      role=db",
            "History, the latest first",
            "  2026-11-24T12:00:01.123Z       2s ago  suspected     n2 by n3 (rumor)",
            "      the agent n3 knows by which ways it was probed",
            "  2026-11-24T12:00:00.123Z       3s ago  probe_failed  n2",
            "      pinged 700, 400 ms before, no answer",
            "",
        ];
        assert_eq!(shown[3..19], expected, "{shown:#?}");
        // It is forgotten meanwhile.
        state.see(info(11_000, 0), members(&[]));
        assert_eq!(screen(&mut state, (60, 20))[4], "state         forgotten");
    }

    #[test]
    fn names_that_steer_a_terminal_are_escaped_everywhere() {
        let mut state = State::new("unix:/a\x1b[2J".to_owned());
        let name = "\u{1b}[2J\u{202e}x\n";
        state.see(info(1, 0), members(&[(name, "al\rive")]));
        state.lose("\u{7}why".to_owned(), Instant::now());
        for (key, place) in [(Action::Accept, 5), (Action::Open, 4)] {
            state.act(key);
            let shown = screen(&mut state, (120, 20));
            assert!(shown.concat().chars().all(|char| !char.is_control() && char != '\u{202e}'));
            assert!(shown[place].starts_with(r"\u{1b}[2J\u{202e}x"), "{shown:#?}");
            assert!(shown[3].contains(r"unix:/a\u{1b}[2J") && shown[3].ends_with(r"\u{7}why"));
        }
    }

    #[test]
    fn an_agent_that_is_gone_is_said_with_since_when() {
        let mut state = four();
        let start = Instant::now().checked_sub(Duration::from_secs(75)).unwrap();
        state.lose("Connection refused".to_owned(), start);
        let said = "no answer from 127.0.0.1:7373 for 1m 15s, trying again: Connection refused";
        assert_eq!(screen(&mut state, (100, 10))[3], said);
        state.see(info(11_000, 0), members(&[]));
        assert!(!screen(&mut state, (100, 10)).concat().contains("no answer"));
    }

    #[test]
    fn the_filter_is_seen_while_it_is_typed_and_after() {
        let mut state = four();
        state.act(Action::Filter);
        for char in "dead".chars() {
            state.act(Action::Type(char));
        }
        let typing = screen(&mut state, (60, 10));
        assert_eq!(typing[9], "/dead_  Enter keeps it, Esc takes it away");
        assert!(typing[4].starts_with("n3 ") && typing[5].is_empty(), "{typing:#?}");
        state.act(Action::Accept);
        let kept = screen(&mut state, (60, 10));
        assert!(kept[9].starts_with("1 of 4 with dead  by name  "), "{kept:#?}");
    }
}
