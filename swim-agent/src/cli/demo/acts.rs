//! The acts: each does something to the cluster and waits for what SWIM promises then.

use std::time::{Duration, Instant};

use swim_core::{EventKind, MemberState};

use super::cluster::Cluster;
use super::stage::Stage;
use crate::cli::failure::Failure;
use crate::cli::output::{self, style};

/// Generous: what takes longer than this on a loaded machine is broken.
const LIMIT: Duration = Duration::from_secs(60);

/// A promise that was kept.
pub(super) struct Kept {
    pub(super) promise: &'static str,
    pub(super) took: Duration,
    pub(super) details: String,
}

/// The agents start and find each other.
pub(super) async fn start(stage: &mut Stage, nodes: usize) -> Result<Kept, Failure> {
    headline(stage, 1, "start", "node-1, and the others join through it")?;
    let start = Instant::now();
    for number in 1..=nodes {
        stage.cluster.add(&format!("node-{number}")).await?;
    }
    let took = stage.until(start, LIMIT, |cluster| missing(cluster, nodes)).await?;
    done(stage, took, &format!("every agent sees all {nodes}"))?;
    let promise = "agents find each other";
    Ok(Kept { promise, took, details: format!("{nodes} agents see {nodes}") })
}

/// Who does not see `nodes` alive yet.
fn missing(cluster: &Cluster, nodes: usize) -> Option<String> {
    let lacking = cluster.lacking(|members| members.count(MemberState::Alive) == nodes);
    lacking.map(|who| format!("{who} does not see all {nodes} agents alive"))
}

/// One agent ends without a goodbye, and every other finds out.
pub(super) async fn crash(stage: &mut Stage) -> Result<Kept, Failure> {
    stage.pause().await?;
    stage.victim = stage.cluster.nodes.len() - 2;
    let victim = stage.victim;
    let name = stage.cluster.nodes[victim].name.clone();
    headline(stage, 2, "crash", &format!("{name}: its sockets are closed, without a goodbye"))?;
    let crashed = Instant::now();
    stage.cluster.crash(victim).await;
    let took = stage
        .until(crashed, LIMIT, |cluster| {
            let lacking = cluster.lacking(|members| {
                members.get(&name).is_some_and(|member| member.state == MemberState::Dead)
            });
            lacking.map(|who| format!("{who} does not hold {name} dead"))
        })
        .await?;
    let survivors = stage.cluster.running().count();
    let table = detection(stage, crashed, &name);
    stage.say(&indented(&table))?;
    done(stage, took, &format!("all {survivors} survivors hold {name} dead"))?;
    let first = stage.seen.iter().find(|sighting| {
        sighting.event.kind == EventKind::Suspected && sighting.event.name == name
    });
    let details = first.map_or_else(String::new, |sighting| {
        format!("first suspected after {}", seconds(sighting.at - crashed))
    });
    Ok(Kept { promise: "a crash is noticed by every survivor", took, details })
}

/// When each survivor suspected the victim and held it dead, and on whose word.
fn detection(stage: &Stage, crashed: Instant, victim: &str) -> String {
    let when = |observer: &str, kind: EventKind| {
        let found = stage.seen.iter().find(|sighting| {
            sighting.observer == observer
                && sighting.event.name == victim
                && sighting.event.kind == kind
                && sighting.at >= crashed
        });
        found.map_or(["-".to_owned(), String::new()], |sighting| {
            let by = match sighting.event.by.as_deref() {
                Some(by) if by == observer => "itself",
                Some(by) => by,
                None => "",
            };
            [seconds(sighting.at - crashed), format!("{by} ({})", sighting.event.reason.as_str())]
        })
    };
    let rows = stage.cluster.running().map(|handle| {
        let [suspected, accuser] = when(handle.name(), EventKind::Suspected);
        let [died, by] = when(handle.name(), EventKind::Died);
        [handle.name().to_owned(), suspected, accuser, died, by]
    });
    output::table(["SURVIVOR", "SUSPECTED", "BY", "DEAD", "BY"], rows.collect())
}

/// The crashed agent starts again under its name, on another port.
pub(super) async fn restart(stage: &mut Stage) -> Result<Kept, Failure> {
    stage.pause().await?;
    let victim = stage.victim;
    let name = stage.cluster.nodes[victim].name.clone();
    let start = Instant::now();
    let address = stage.cluster.revive(victim).await?;
    headline(stage, 3, "restart", &format!("{name} is back, now at {address}"))?;
    let nodes = stage.cluster.nodes.len();
    let took = stage
        .until(start, LIMIT, |cluster| {
            let lacking = cluster.lacking(|members| {
                members.get(&name).is_some_and(|member| {
                    member.state == MemberState::Alive && member.address == address
                })
            });
            let lacking = lacking.map(|who| format!("{who} does not take {name} back"));
            lacking.or_else(|| missing(cluster, nodes))
        })
        .await?;
    done(stage, took, &format!("all {nodes} agents know its new address"))?;
    let details = format!("{name} at {address}");
    Ok(Kept { promise: "a restarted agent takes its name back", took, details })
}

/// One agent says goodbye, and nobody takes it for dead.
pub(super) async fn leave(stage: &mut Stage) -> Result<Kept, Failure> {
    stage.pause().await?;
    let leaver = stage.cluster.nodes.len() - 1;
    let name = stage.cluster.nodes[leaver].name.clone();
    headline(stage, 4, "leave", &format!("{name} says goodbye"))?;
    let start = Instant::now();
    if let Some(handle) = stage.cluster.dismiss(leaver) {
        tokio::spawn(async move { handle.leave().await });
    }
    let took = stage
        .until(start, LIMIT, |cluster| {
            let lacking = cluster.lacking(|members| {
                members.get(&name).is_some_and(|member| member.state == MemberState::Left)
            });
            lacking.map(|who| format!("{who} has not seen {name} leave"))
        })
        .await?;
    let died = |event: &swim_agent::Event| event.kind == EventKind::Died && event.name == name;
    if let Some(wrong) = stage.seen.iter().find(|sighting| died(&sighting.event)) {
        return Err(Failure::Failed(format!("{} took {name} for dead", wrong.observer)));
    }
    let others = stage.cluster.running().count();
    done(stage, took, &format!("all {others} others saw it leave, none took it for dead"))?;
    let promise = "a goodbye is heard by everyone";
    Ok(Kept { promise, took, details: format!("{name} is held left, not dead") })
}

fn headline(stage: &mut Stage, act: u8, title: &str, text: &str) -> Result<(), Failure> {
    let bold = anstyle::Style::new().bold();
    stage.say(&format!("{act}  {bold}{title:<8}{bold:#} {text}"))
}

fn done(stage: &mut Stage, took: Duration, text: &str) -> Result<(), Failure> {
    let green = style("alive");
    stage.say(&format!("   {green}✓ {:<6}{green:#} {text}\n", seconds(took)))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("     {line}")).collect::<Vec<_>>().join("\n")
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
