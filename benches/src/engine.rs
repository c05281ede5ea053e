//! Set-ups of the state machine, [`Engine`], by index.

use swim_core::{
    Accusers, Change, Config, Dest, Engine, MemberIdx, MemberState, Message, Options, Outgoing,
    Output, Removal, Rumor, Source, Time, Timer, Timers, Update,
};

/// An output that counts what leaves and remembers whom the engine pinged.
#[derive(Debug, Default)]
pub struct Counting {
    /// Messages sent.
    pub sent: u64,
    /// The last ping.
    pub ping: Option<(MemberIdx, u64)>,
}

impl Output<()> for Counting {
    fn send(&mut self, _: &[()], to: Dest<MemberIdx>, message: Outgoing<'_>) {
        std::hint::black_box(&message);
        self.sent += 1;
        if let (Dest::Member(member), Message::Ping { seq }) = (to, message) {
            self.ping = Some((member, seq));
        }
    }

    fn changed(&mut self, _: &mut [()], change: Change, _: Option<()>) {
        std::hint::black_box(change);
    }
}

/// What is claimed of a member.
pub fn claim(member: usize, incarnation: u64) -> Update<()> {
    let rumor = Rumor {
        member: MemberIdx(member as u32),
        state: MemberState::Alive,
        incarnation,
        age: Some(0),
        with_profile: true,
        accusers: Accusers::default(),
        removal: Removal::No,
    };
    Update { rumor, profile: Some(()) }
}

/// A member as the sender of a message.
pub fn source(member: usize) -> Source<MemberIdx> {
    let member = MemberIdx(member as u32);
    Source { member: Some(member), address: member }
}

/// An engine that knows nobody.
pub fn alone() -> Engine<()> {
    let options = Options { timers: Timers::Named, ..Options::default() };
    Engine::new(Config::from(options), MemberIdx(0), (), 7)
}

/// Joins through member 1, which answers with members 1 to `n`.
pub fn join(engine: &mut Engine<()>, view: &mut [Update<()>]) {
    let mut out = Counting::default();
    engine.join(Time::ZERO, &[MemberIdx(1)], &mut out);
    engine.handle_message(Time::ZERO, source(1), Message::Sync(view), &mut out);
}

/// The view of members 1 to `n`.
pub fn view(n: usize) -> Vec<Update<()>> {
    (1..=n).map(|member| claim(member, 0)).collect()
}

/// An engine that knows members 1 to `n` and has nothing left to tell.
pub fn knowing(n: usize) -> Engine<()> {
    let mut engine = alone();
    join(&mut engine, &mut view(n));
    assert_eq!((engine.alive_count(), engine.queue_len()), (n + 1, 0));
    engine
}

/// Gossips until nothing waits.
pub fn drain(engine: &mut Engine<()>) {
    let mut out = Counting::default();
    while engine.queue_len() > 0 {
        engine.handle_timer(Time::ZERO, Timer::Gossip, &mut out);
    }
}
