//! Corrections: who holds a wrong view of itself, or is held for something that it may not be, is told.

use super::Engine;
use super::message::{Dest, MemberIdx, Removal};
use super::output::{Output, Profile};

impl<P: Profile> Engine<P> {
    /// Tells a member what is held of it, for it to refute. At an address that may be a stranger's
    /// it has to be short, hence without who removed it.
    pub(super) fn correct<O: Output<P>>(
        &mut self,
        member: MemberIdx,
        to: Dest<P::Address>,
        out: &mut O,
    ) {
        if self.may_correct() {
            let rumor = self.rumor(member, 0);
            let short = matches!(to, Dest::Address(_)) && rumor.removed() != Removal::No;
            self.tell(if short { rumor.plain() } else { rumor }, to, out);
        }
    }

    /// Corrections are bounded per period: no peer's confusion makes this node talk without end.
    pub(super) fn may_correct(&mut self) -> bool {
        let may = self.take_correction();
        self.stats.corrections += u64::from(may);
        may
    }

    /// Takes one of those that a period has, be it to open a stream with.
    pub(super) fn take_correction(&mut self) -> bool {
        let may = self.corrections > 0;
        self.corrections = self.corrections.saturating_sub(1);
        may
    }
}
