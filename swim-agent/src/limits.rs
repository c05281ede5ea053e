//! How much one source may send.

/// How much one source may send before the rest is dropped: what a mad host costs the others, and what a
/// legal one never meets. 0 is no limit.
///
/// A source is an IP address, and of IPv6 the first 64 bits of it. A stranger is whoever sends from where no
/// member is known to live or to have lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Datagrams per second of one source of strangers, 500 unless set; twice as many at once. All strangers
    /// together may send twenty times that. What comes above is dropped before it is looked at. An honest stranger,
    /// such as a site behind one translated address, sends some ten a second: less than a hundred holds it up
    /// when there is much to say.
    pub stranger_datagrams: u32,
    /// Streams per second of one source of strangers, 20 unless set; five times as many at once. All
    /// strangers together may open twenty times that. Each can ask for all members. Less makes many that
    /// start at once behind one address wait for each other.
    pub stranger_streams: u32,
    /// Datagrams per second of one member, 10,000 unless set; twice as many at once. A member that tells 2,000
    /// events a second sends another one a few hundred. Datagrams are opened first where they are sealed, so
    /// that who has no key uses up nobody's share.
    pub member_datagrams: u32,
}

impl RateLimits {
    /// No limit on anything.
    pub const NONE: Self = Self { stranger_datagrams: 0, stranger_streams: 0, member_datagrams: 0 };
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { stranger_datagrams: 500, stranger_streams: 20, member_datagrams: 10_000 }
    }
}
