//! Corrections: who holds a wrong view of itself, or is held for something that it may not be, is told.

use super::Engine;
use super::message::{Dest, MemberIdx};
use super::output::{Output, Profile};

impl<P: Profile> Engine<P> {
    /// Tells a member what is held of it, for it to refute.
    pub(super) fn correct<O: Output<P>>(
        &mut self,
        member: MemberIdx,
        to: Dest<P::Address>,
        out: &mut O,
    ) {
        if self.may_correct() {
            self.tell(self.rumor(member, 0), to, out);
        }
    }

    /// Corrections are bounded per period: no peer's confusion makes this node talk without end.
    pub(super) fn may_correct(&mut self) -> bool {
        let may = self.corrections > 0;
        if may {
            self.corrections -= 1;
            self.stats.corrections += 1;
        }
        may
    }
}
