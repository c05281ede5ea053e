//! What the keys of `swim top` mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// Out of what was gone into last; out of the table, quit.
    Back,
    Step(Step),
    Sort,
    Reverse,
    /// The marked member; from there, the table.
    Open,
    Events,
    Help,
    /// From now on keys are the filter's.
    Filter,
    Type(char),
    Erase,
    Clear,
    /// Keys are keys again.
    Accept,
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// The keys, as the help tells them.
pub(super) const HELP: &[(&str, &str)] = &[
    ("up down k j", "one member up or down"),
    ("PgUp PgDn Home End", "a page, or all the way"),
    ("Enter", "all of the marked member, and back"),
    ("/", "filter by words: name, address, state, key=value"),
    ("s S", "sort by something else, turn the order"),
    ("e", "events, and back"),
    ("Esc", "back; out of the table, quit"),
    ("q Ctrl-C", "quit"),
    ("?", "this, and back"),
];

/// What a key means; `typing` says that it may be a letter of the filter.
pub(super) fn action(key: KeyEvent, typing: bool) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('u') if typing => Some(Action::Clear),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Esc => Action::Back,
        KeyCode::Up => Action::Step(Step::Up),
        KeyCode::Down => Action::Step(Step::Down),
        KeyCode::PageUp => Action::Step(Step::PageUp),
        KeyCode::PageDown => Action::Step(Step::PageDown),
        KeyCode::Home => Action::Step(Step::Home),
        KeyCode::End => Action::Step(Step::End),
        KeyCode::Enter if typing => Action::Accept,
        KeyCode::Enter => Action::Open,
        KeyCode::Backspace if typing => Action::Erase,
        KeyCode::Char(char) if typing && !char.is_control() => Action::Type(char),
        KeyCode::Char(char) if !typing => return letter(char),
        _ => return None,
    })
}

fn letter(char: char) -> Option<Action> {
    Some(match char {
        'q' => Action::Quit,
        'k' => Action::Step(Step::Up),
        'j' => Action::Step(Step::Down),
        'g' => Action::Step(Step::Home),
        'G' => Action::Step(Step::End),
        's' => Action::Sort,
        'S' => Action::Reverse,
        'e' => Action::Events,
        '?' => Action::Help,
        '/' => Action::Filter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::{Action, Step, action};

    #[test]
    fn letters_are_commands_or_the_filters() {
        let key = |char| KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE);
        assert_eq!(action(key('q'), false), Some(Action::Quit));
        assert_eq!(action(key('q'), true), Some(Action::Type('q')));
        assert_eq!(action(key('j'), false), Some(Action::Step(Step::Down)));
        assert_eq!(action(key('x'), false), None);
        assert_eq!(action(key('\u{7}'), true), None);
        assert_eq!(action(key('\u{f6}'), true), Some(Action::Type('\u{f6}')));
    }

    #[test]
    fn control_c_always_quits() {
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!([false, true].map(|typing| action(key, typing)), [Some(Action::Quit); 2]);
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        let done = [Action::Open, Action::Accept].map(Some);
        assert_eq!([false, true].map(|typing| action(enter, typing)), done);
    }
}
