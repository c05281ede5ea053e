//! Who is let in: networks, and what the embedding program says of newcomers.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use swim_core::MemberState;
use swim_transport::Transport;
use swim_wire::Codec;

use crate::builder::AgentBuilder;
use crate::error::SpawnError;

/// Some addresses, as people write them: `10.0.0.0/8`, `fd00::/8`, or one address.
///
/// IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.1`) are IPv4 addresses, in networks too;
/// so `::/0` is all of IPv6 and nothing of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet(IpNet);

impl Subnet {
    /// Whether the address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Subnet {
    type Err = String;

    /// # Errors
    /// What is expected instead, in words.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected NETWORK/BITS or an IP address, such as 10.0.0.0/8 or fd00::1";
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| expected.to_owned())?,
        };
        if net.addr() != net.network() {
            return Err(format!(
                "it has bits beyond its first {}: write {}",
                net.prefix_len(),
                net.trunc()
            ));
        }
        Ok(Self(canonical(net)))
    }
}

/// A network of IPv4 addresses that are written as IPv6 is one of IPv4.
fn canonical(net: IpNet) -> IpNet {
    let mapped = |bits: u8| match net.network().to_canonical() {
        IpAddr::V4(address) => Ipv4Net::new(address, bits).ok().map(IpNet::from),
        IpAddr::V6(_) => None,
    };
    match net {
        IpNet::V4(_) => net,
        IpNet::V6(_) => net.prefix_len().checked_sub(96).and_then(mapped).unwrap_or(net),
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The networks whose addresses are heard, sent to and held; none stands for all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed(Arc<[Subnet]>);

impl Allowed {
    /// Whether an address is heard and sent to. O(networks).
    pub(crate) fn has(&self, address: &SocketAddr) -> bool {
        self.is_all() || self.0.iter().any(|net| net.contains(address.ip()))
    }

    /// Whether there is no limit.
    pub(crate) fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn networks(&self) -> &[Subnet] {
        &self.0
    }

    /// Of what a name stands for, the addresses that are allowed.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub(crate) fn of(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        let (held, outside): (Vec<_>, Vec<_>) = found.into_iter().partition(|at| self.has(at));
        match outside.first() {
            Some(first) if held.is_empty() => Err(format!("{first} is {}", self.outside())),
            _ => Ok(held),
        }
    }

    /// Whether an address that was given is allowed.
    ///
    /// # Errors
    /// What cannot be done with it, and why.
    pub(crate) fn check(&self, what: &'static str, address: SocketAddr) -> Result<(), SpawnError> {
        match self.has(&address) {
            true => Ok(()),
            false => Err(SpawnError::Outside { what, address, outside: self.outside() }),
        }
    }

    /// What is said of an address that is not allowed.
    pub(crate) fn outside(&self) -> String {
        let all: Vec<_> = self.0.iter().map(Subnet::to_string).collect();
        format!(
            "outside of the networks that this agent allows, {} (allow, --allow)",
            all.join(", ")
        )
    }
}

impl FromIterator<Subnet> for Allowed {
    fn from_iter<I: IntoIterator<Item = Subnet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// Somebody who would be a member from now on, or a member that would change its address or what it
/// says of itself: as [`AgentBuilder::admit`] is asked.
///
/// All of it is what somebody claims. What is sealed was at least written by a holder of a key.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Newcomer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it would live.
    pub address: SocketAddr,
    /// What it would say of itself. Keys that begin with `swim.` are the protocol's.
    pub metadata: &'a HashMap<String, String>,
    /// What this agent holds of it; `None` of somebody unknown.
    pub held: Option<Held<'a>>,
    /// Where the packet came from that says so: the newcomer itself, or anybody who has heard of it.
    pub told_from: SocketAddr,
}

/// What is held of a member that would change.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Held<'a> {
    /// Where it lives, or lived.
    pub address: SocketAddr,
    /// What it says of itself.
    pub metadata: &'a HashMap<String, String>,
    /// How it stands.
    pub state: MemberState,
}

/// All members that one packet would add, as [`AgentBuilder::admit_merge`]
/// is asked: another cluster, some of it, or a single newcomer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Merge<'a> {
    /// Who they are; at least one.
    pub newcomers: &'a [Newcomer<'a>],
    /// Where the packet came from.
    pub told_from: SocketAddr,
}

/// Says yes to a newcomer, or why not.
pub(crate) type Admit = Box<dyn FnMut(&Newcomer<'_>) -> Result<(), String> + Send>;
/// Says yes to all of a packet, or why not.
pub(crate) type AdmitMerge = Box<dyn FnMut(&Merge<'_>) -> Result<(), String> + Send>;

/// Who may come in, as the agent was set up.
pub(crate) struct Rules {
    pub(crate) allowed: Allowed,
    /// Most members that are held, dead and removed ones included.
    pub(crate) max_members: usize,
    pub(crate) admit: Option<Admit>,
    pub(crate) admit_merge: Option<AdmitMerge>,
}

impl Rules {
    /// Most members unless set. At the 600 bytes that an agent takes for each, 40 MiB; and each has 256
    /// bytes in the longest packet that goes by stream, so that a whole view is told in one.
    pub(crate) const MAX_MEMBERS: usize = 65_536;

    /// Whether there is room for the agent, and its seeds that are addresses are allowed.
    pub(crate) fn check(&self, seeds: &[String]) -> Result<(), SpawnError> {
        if self.max_members == 0 {
            return Err(SpawnError::NoRoom { max_members: 0 });
        }
        let mut addresses = seeds.iter().filter_map(|seed| seed.parse().ok());
        addresses.try_for_each(|seed| self.allowed.check("join through", seed))
    }
}

impl Default for Rules {
    fn default() -> Self {
        let (allowed, max_members) = (Allowed::default(), Self::MAX_MEMBERS);
        Self { allowed, max_members, admit: None, admit_merge: None }
    }
}

/// Who is let in.
impl<T: Transport, C: Codec> AgentBuilder<T, C> {
    /// Hears, sends to and holds members at addresses in these networks only; in all unless set. What
    /// comes from elsewhere is dropped before it is decoded, and what others say of members elsewhere
    /// is not believed. Give all agents of a cluster the same: one that is not heard suspects those
    /// that do not hear it.
    pub fn allow(mut self, networks: impl IntoIterator<Item = Subnet>) -> Self {
        let held = self.rules.allowed.networks().to_vec();
        self.rules.allowed = held.into_iter().chain(networks).collect();
        self
    }

    /// Holds at most so many members, this agent and dead ones that are not forgotten so far included;
    /// 65,536 unless set, which is 40 MiB. Beyond that nobody unknown is taken in, and all who are known
    /// live on as before.
    pub fn max_members(mut self, most: usize) -> Self {
        self.rules.max_members = most;
        self
    }

    /// Asks about each newcomer, and about each member that would change its address or metadata,
    /// before it is believed. An error refuses it, and says why in words, which the log shows escaped, so
    /// that a name in them steers nothing. Nothing is held of it that was not held before, and what was
    /// held stays. A member whose change is refused is not heard of
    /// itself any more, so that it is held dead when somebody suspects it.
    ///
    /// Whatever brings the news, it is asked about, and again each time: keep it cheap. It is called in
    /// the agent's own task, which does nothing else until it returns; do not wait in it, above all
    /// not for the agent's [`Handle`](crate::Handle). One that panics refuses, and the agent goes on.
    /// A refusal holds for this agent alone: others have to be given the same rule. Who was refused and is
    /// let in by now comes in with its next news, or within some ten minutes.
    ///
    /// ```
    /// # use swim_agent::Agent;
    /// let builder = Agent::builder().admit(|newcomer| match newcomer.metadata.get("role") {
    ///     Some(role) if role == "db" => Ok(()),
    ///     role => Err(format!("{} has the role {role:?}", newcomer.name)),
    /// });
    /// ```
    pub fn admit(
        mut self,
        ask: impl FnMut(&Newcomer<'_>) -> Result<(), String> + Send + 'static,
    ) -> Self {
        self.rules.admit = Some(Box::new(ask));
        self
    }

    /// Asks about all unknown members that one packet would add, after each of them was
    /// [admitted](Self::admit): the view of a cluster that this agent joins or that joins it, what
    /// two agents find missing when they compare, or a few that gossip tells of. An error keeps all
    /// of them out. Otherwise as `admit`.
    ///
    /// Those who are kept out may be told of again in other company. So judge who they are: a rule
    /// about how many come at a time only has them come more slowly.
    ///
    /// ```
    /// # use swim_agent::Agent;
    /// let builder = Agent::builder().admit_merge(|merge| {
    ///     let strange = |site: Option<&String>| site.is_some_and(|site| site != "berlin");
    ///     let mut sites = merge.newcomers.iter().map(|newcomer| newcomer.metadata.get("site"));
    ///     match sites.any(strange) {
    ///         true => Err(format!("{} told of another site", merge.told_from)),
    ///         false => Ok(()),
    ///     }
    /// });
    /// ```
    pub fn admit_merge(
        mut self,
        ask: impl FnMut(&Merge<'_>) -> Result<(), String> + Send + 'static,
    ) -> Self {
        self.rules.admit_merge = Some(Box::new(ask));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_its_addresses_whichever_way_they_are_written() {
        for net in ["10.1.0.0/16", "::ffff:10.1.0.0/112"] {
            assert_eq!(subnet(net).to_string(), "10.1.0.0/16");
            assert!(subnet(net).contains(ip("10.1.255.1")));
            assert!(subnet(net).contains(ip("::ffff:10.1.2.3")));
            assert!(!subnet(net).contains(ip("10.2.0.1")) && !subnet(net).contains(ip("fd00::1")));
        }
        assert!(subnet("fd00::/8").contains(ip("fdff::1")));
        assert!(!subnet("::/0").contains(ip("::ffff:10.1.2.3")), "that is IPv4");
        assert!(!subnet("0.0.0.0/0").contains(ip("fd00::1")));
        assert_eq!(subnet("fd00::1").to_string(), "fd00::1/128");
        assert!(
            subnet("10.0.0.7").contains(ip("10.0.0.7"))
                && !subnet("10.0.0.7").contains(ip("10.0.0.6"))
        );
    }

    #[test]
    fn what_is_no_network_is_refused_in_words() {
        let error = "10.0.0.5/8".parse::<Subnet>().unwrap_err();
        assert_eq!(error, "it has bits beyond its first 8: write 10.0.0.0/8");
        for wrong in ["", "10.0.0.0/33", "10.0.0", "host/8", "10.0.0.1:7946", "fd00::/129", "/8"] {
            let error = wrong.parse::<Subnet>().unwrap_err();
            assert!(error.starts_with("expected NETWORK/BITS"), "{wrong}: {error}");
        }
    }

    #[test]
    fn of_a_name_the_allowed_addresses_are_left() {
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 7946);
        let allowed = Allowed::from_iter([subnet("10.0.0.0/8"), subnet("fd00::/8")]);
        let both = vec![at("10.0.0.1"), at("192.0.2.1")];
        assert_eq!(allowed.of(both.clone()), Ok(vec![at("10.0.0.1")]));
        let error = allowed.of(both[1..].to_vec()).unwrap_err();
        assert_eq!(
            error,
            "192.0.2.1:7946 is outside of the networks that this agent allows, 10.0.0.0/8, \
             fd00::/8 (allow, --allow)"
        );
        assert_eq!(allowed.of(Vec::new()), Ok(Vec::new()));
        assert_eq!(Allowed::default().of(both.clone()), Ok(both));
    }
}
