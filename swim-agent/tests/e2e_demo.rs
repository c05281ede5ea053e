//! The demo keeps its promises, and keeps the cluster when asked to.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Process, eventually, run, stderr, stdout, swim, until};
use rustix::process::Signal;

#[test]
fn every_promise_is_kept() {
    let output = run(&["demo", "--nodes", "4"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}\n{text}", stderr(&output));
    for expected in [
        "every agent sees all 4",
        "node-3: its sockets are closed",
        "all 3 survivors hold node-3 dead",
        "all 4 agents know its new address",
        "all 3 others saw it leave",
        "PROMISE KEPT",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "nothing steers what is no terminal");
}

#[test]
fn a_cluster_that_is_kept_takes_newcomers_and_leaves_on_ctrl_c() {
    let mut demo = Process::start(swim(&["demo", "--nodes", "3", "--keep"]));
    let offer = eventually("newcomers are invited", || {
        assert!(demo.is_running(), "{}", demo.stderr());
        let text = demo.stdout();
        text.lines().find(|line| line.contains("swim agent")).map(str::to_owned)
    });
    let text = demo.stdout();
    let members = text.lines().find(|line| line.contains("swim members")).unwrap();
    let members: Vec<_> = members.split_whitespace().skip(1).collect();
    let newcomer: Vec<_> = offer.split_whitespace().skip(1).collect();
    let _guest = Process::start(swim(&newcomer));
    until("the guest is known", || {
        stdout(&run(&members)).lines().any(|line| line.starts_with("guest "))
    });
    demo.signal(Signal::INT);
    assert_eq!(demo.wait().code(), Some(0));
}
