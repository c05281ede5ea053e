//! The mark of bad paths: who loses most of what it sends or should hear says so of itself, and
//! counts for less until it is well.

mod common;

use std::collections::{BTreeSet, HashMap};

use common::Cluster;
use common::lone::{Lone, accusation, alive};
use common::{addr, id};
use swim_core::{EventKind, Mechanisms, Member, MemberState, MemberUpdate, Options};

fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

const N: usize = 16;
/// The node whose paths are bad.
const BAD: usize = 5;

/// A settled cluster in which a node loses four fifths of what it sends, or of what it should hear.
fn ailing(seed: u64, outwards: bool, mechanisms: Mechanisms) -> Cluster {
    let mut cluster = Cluster::converged(seed, N, with(mechanisms));
    cluster.run(20.0);
    let (loss_out, loss_in) = if outwards { (0.8, 0.0) } else { (0.0, 0.8) };
    cluster.lose(BAD, loss_out, loss_in);
    cluster
}

fn is_marked(cluster: &Cluster, at: usize, of: usize) -> bool {
    cluster.node(at).member(&id(of)).is_some_and(Member::is_degraded)
}

fn marked_everywhere(cluster: &Cluster) -> bool {
    cluster.running().iter().all(|&at| is_marked(cluster, at, BAD))
}

fn degradations(cluster: &Cluster, of: impl Fn(usize) -> bool) -> u64 {
    let nodes = cluster.running().into_iter().filter(|&node| of(node));
    nodes.map(|node| cluster.node(node).stats().degradations).sum()
}

/// The course of an ailment: the node itself finds out, nobody else says so of itself, and the mark
/// goes some time after all is well. Whether all others knew within a minute.
fn ailment(seed: u64, outwards: bool) -> bool {
    let mut cluster = ailing(seed, outwards, Mechanisms::all());
    let took = cluster.run_until(60, marked_everywhere);
    let everywhere = marked_everywhere(&cluster);
    assert!(is_marked(&cluster, BAD, BAD), "seed {seed}");
    cluster.run(90.0 - took);
    cluster.lose(BAD, 0.0, 0.0);
    cluster.run(60.0);
    assert!(is_marked(&cluster, BAD, BAD), "seed {seed}: who comes and goes stays marked");
    let unmarked =
        |cluster: &Cluster| cluster.running().iter().all(|&at| !is_marked(cluster, at, BAD));
    let took = cluster.run_until(150, unmarked);
    assert!(unmarked(&cluster), "seed {seed}: {took} s");
    assert_eq!(degradations(&cluster, |node| node != BAD), 0, "seed {seed}");
    cluster.run_until(60, |cluster| cluster.agree(N));
    assert!(cluster.agree(N), "seed {seed}");
    everywhere
}

#[test]
fn who_hears_little_is_marked_by_all_within_a_minute_and_unmarked_when_it_is_well() {
    assert!((0..4).all(|seed| ailment(seed, false)));
}

#[test]
fn who_is_hardly_heard_is_marked_as_well_though_its_word_may_get_lost() {
    // All sendings of its mark are lost in one of six cases.
    let known = (0..6).filter(|&seed| ailment(seed, true)).count();
    assert!(known >= 3, "{known} of 6 within a minute");
}

#[test]
fn without_the_mechanism_nobody_is_marked() {
    let mut cluster = ailing(0, true, Mechanisms { degraded: false, ..Mechanisms::all() });
    cluster.run(90.0);
    assert_eq!(degradations(&cluster, |_| true), 0);
    assert!(cluster.running().iter().all(|&at| !is_marked(&cluster, at, BAD)));
}

#[test]
fn neither_loss_of_a_fifth_nor_deaths_of_others_make_anybody_say_so() {
    for (loss, deaths) in [(0.2, 0), (0.0, 4)] {
        let mut cluster = Cluster::converged(4, 24, Options::default());
        cluster.run(20.0);
        cluster.loss = loss;
        (24 - deaths..24).for_each(|node| cluster.crash(node));
        cluster.run(120.0);
        assert_eq!(degradations(&cluster, |_| true), 0, "{loss}, {deaths} deaths");
    }
}

/// Whether a node says so that has had so many probes of which it heard nothing at all.
fn says_so_after_silence(probes: u64) -> bool {
    let mut lone = Lone::settled(6, Options::default());
    (1..=6).for_each(|member| lone.silence(member));
    lone.run_until(|lone| lone.protocol.stats().probes_failed == probes);
    assert!(!lone.protocol.local_member().is_degraded(), "nobody hears it now");
    lone.answers(1..=6, 1);
    lone.run(30.0);
    lone.protocol.local_member().is_degraded()
}

#[test]
fn two_probes_without_any_answer_are_enough_once_somebody_is_heard_again() {
    assert!(!says_so_after_silence(1));
    assert!(says_so_after_silence(2));
}

fn metadata_everywhere(cluster: &Cluster, key: &str) -> BTreeSet<Option<String>> {
    let value = |&at: &usize| {
        let metadata = cluster.node(at).get_metadata(&id(BAD));
        metadata.and_then(|map| map.get(key)).cloned()
    };
    cluster.running().iter().map(value).collect()
}

#[test]
fn metadata_survives_mark_and_unmark() {
    let mut cluster = ailing(6, false, Mechanisms::all());
    let set = |cluster: &mut Cluster, key: &str, value: &str| {
        cluster.act(BAD, |protocol| protocol.update_metadata(key.into(), value.into()));
    };
    set(&mut cluster, "rack", "7");
    set(&mut cluster, "role", "db");
    set(&mut cluster, "zone", "a");
    cluster.run_until(90, marked_everywhere);
    set(&mut cluster, "zone", "b");
    cluster.act(BAD, |protocol| protocol.remove_metadata("role"));
    set(&mut cluster, "disk", "ssd");
    cluster.lose(BAD, 0.0, 0.0);
    cluster.run(60.0);
    assert!(marked_everywhere(&cluster), "changes of one's own keep the mark");
    let only = |value: Option<&str>| BTreeSet::from([value.map(str::to_owned)]);
    for _ in 0..2 {
        assert_eq!(metadata_everywhere(&cluster, "rack"), only(Some("7")));
        assert_eq!(metadata_everywhere(&cluster, "zone"), only(Some("b")));
        assert_eq!(metadata_everywhere(&cluster, "disk"), only(Some("ssd")));
        assert_eq!(metadata_everywhere(&cluster, "role"), only(None));
        cluster.run(120.0);
    }
    assert_eq!(metadata_everywhere(&cluster, Member::DEGRADED), only(None));
}

/// Says of itself that its paths are bad.
fn degraded(node: usize) -> MemberUpdate {
    let metadata = HashMap::from([(Member::DEGRADED.to_owned(), "1".to_owned())]);
    MemberUpdate { incarnation: 1, metadata: Some(metadata), ..alive(node) }
}

/// Whom node 0 asks to ping for it, in probes of a member that does not answer, when some of eight
/// are degraded.
fn relays(marked: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(1, marked.into_iter().map(degraded).collect());
    lone.nacks(1..=8);
    lone.silence(8);
    lone.run(20.0);
    lone.requests_for(8).into_iter().map(|(_, to)| to).collect()
}

#[test]
fn degraded_members_are_not_asked_as_relays_while_there_are_others() {
    assert!(relays([]).len() >= 3);
    assert_eq!(relays([1, 2, 3, 4]), BTreeSet::from([5, 6, 7]));
    let filled_up = relays([1, 2, 3, 4, 6, 7]);
    assert!(filled_up.contains(&5) && filled_up.len() >= 3, "the well first: {filled_up:?}");
    assert!(relays(1..=7).len() >= 3, "better than none");
}

/// When a suspicion with four accusers ends, in seconds, some of whom say that their paths are bad.
fn condemned(marked: impl IntoIterator<Item = usize>) -> f64 {
    // Nobody looks and nobody vouches: what counts is what was heard.
    let mechanisms =
        Mechanisms { quiet: false, verify: false, first_hand: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(30, with(mechanisms));
    lone.gossip(1, marked.into_iter().map(degraded).collect());
    lone.chatter(2, 20);
    let start = lone.clock.micros();
    for message in accusation(30, &[1, 2, 3, 4]) {
        lone.hear(1, message);
    }
    assert_eq!(lone.state(30), Some(MemberState::Suspect));
    lone.run(20.0);
    (lone.happened(30, EventKind::Died)[0] - start) as f64 / 1e6
}

#[test]
fn accusers_that_are_degraded_do_not_count() {
    let (sound, two, none) = (condemned([]), condemned([3, 4]), condemned([1, 2, 3, 4]));
    assert!(two > 1.2 * sound, "{two} s, {sound} s when all are well");
    assert!(none > 1.2 * two, "{none} s, {two} s when two are well");
}

#[test]
fn a_mark_tells_nothing_of_the_state() {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(1, vec![degraded(3)]);
    assert_eq!(lone.state(3), Some(MemberState::Alive));
    assert!(lone.protocol.member(&id(3)).unwrap().is_degraded());
    assert_eq!(lone.protocol.member(&id(3)).unwrap().address, addr(3));
    lone.run(20.0);
    assert!(lone.pings_of(3).len() > 1, "it is probed like all others");
}
