//! Runs a target on inputs of a fuzzer, with any compiler: `cargo run -p swim-fuzz --example replay --
//! TARGET FILE...`
#![forbid(unsafe_code)]

use std::fs;

use swim_fuzz::TARGETS;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == wanted) else {
        panic!("no target {wanted:?}");
    };
    for path in arguments {
        println!("{path}");
        target(&fs::read(&path).expect("a readable file"));
    }
}
