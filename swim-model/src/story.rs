//! A counterexample in words.

use swim_core::MemberIdx;

use crate::cluster::{Action, Cluster, Flight};

/// What an action does in a state, and how the views stand there.
pub(crate) fn step(cluster: &Cluster, action: Option<Action>) -> String {
    let flight = |at: usize| cluster.flights().nth(at).map_or_else(String::new, |it| packet(it));
    let action = match action {
        Some(Action::Wake(node, seed)) => format!("node {node} wakes up, drawing from {seed}"),
        Some(Action::Deliver(at)) => format!("arrives: {}", flight(at)),
        Some(Action::Duplicate(at)) => format!("arrives, and will again: {}", flight(at)),
        Some(Action::Lose(at)) => format!("is lost: {}", flight(at)),
        Some(Action::Crash(node)) => format!("node {node} crashes"),
        None => format!("the end: {:?}", cluster.end),
    };
    format!("{}  {action}", views(cluster))
}

fn packet(flight: &Flight) -> String {
    let rumor = |rumor: &swim_core::Rumor| {
        format!(" {}:{:?}@{}", rumor.member.0, rumor.state, rumor.incarnation as u32)
    };
    let rumors: String = flight.letter.rumors.iter().map(rumor).collect();
    format!("{} to {} {:?}{rumors}", flight.from.0, flight.to.0, flight.letter.items)
}

/// A letter for each state that each node holds, with the incarnation: `A0` is Alive at the first.
fn views(cluster: &Cluster) -> String {
    let members = || (0..).map(MemberIdx).take(cluster.machines().count());
    let row = |machine: &crate::Machine| -> String {
        let held = |member| match machine.held(member) {
            Some((state, incarnation)) => {
                format!("{}{}", &format!("{state:?}")[..1], incarnation as u32)
            }
            None => "--".to_owned(),
        };
        let row: Vec<_> = members().map(held).collect();
        let mark = if cluster.is_up(machine.me) { ' ' } else { '!' };
        format!("[{mark}{}]", row.join(" "))
    };
    cluster.machines().map(row).collect()
}
