//! Two agents of one name: all that see it say where both live.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Agent, text, until};

#[test]
fn both_addresses_are_told_by_both_and_by_the_others() {
    let a = Agent::start("a", &[]);
    let b = Agent::join("b", &a);
    let twin = |seed: &Agent| {
        let seed = seed.gossip.to_string();
        Agent::start("web", &["--join", &seed, "--meta", "role=db", "--meta", "zone=a"])
    };
    let first = twin(&a);
    b.until_states("a:alive b:alive web:alive");
    let second = twin(&b);
    for agent in [&a, &b, &first, &second] {
        until(&format!("{} at {} warns of both", agent.name, agent.gossip), || {
            let log = agent.process.stderr();
            let mut warnings = log.lines().filter(|line| line.contains(" WARN "));
            warnings.any(|line| {
                [first.gossip, second.gossip].iter().all(|at| line.contains(&at.to_string()))
            })
        });
    }
    until("the others count it", || {
        [&a, &b].iter().all(|agent| agent.json(&["info"])["counters"]["conflicts"] != 0)
    });
    let detail = a.json(&["info", "web"]);
    let conflict = detail["history"].as_array().unwrap().iter().find(|it| it["type"] == "conflict");
    let conflict = conflict.unwrap_or_else(|| panic!("no conflict in {detail}"));
    let mut places = [text(&conflict["address"]), text(&conflict["old_address"])];
    let mut expected = [first.gossip.to_string(), second.gossip.to_string()];
    places.sort();
    expected.sort();
    assert_eq!(places, expected);
    let words = a.ok(&["info", "web"]);
    assert!(
        words.contains("conflict")
            && words.contains(&format!("one at {}", conflict["address"].as_str().unwrap())),
        "{words}"
    );
    let info = a.json(&["info"]);
    assert!(info["accusations"].as_array().unwrap().iter().any(|it| it["type"] == "conflict"));
}
