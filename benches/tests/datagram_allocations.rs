//! What a datagram may allocate, from its bytes to the bytes of the answer.
//!
//! The budgets are what it takes today: lower them when it takes less.
#![forbid(unsafe_code)]

mod operations;

use allocation_counter::measure;
use operations::{FRESH_PACKETS, Operation, datagram_fresh, datagram_known, decode, encode};

const MEMBERS: usize = 1_000;

/// Checks what an operation allocates each time, after it was done some times already.
fn check(what: &str, mut operation: Operation, budget: u64) {
    const TIMES: u64 = FRESH_PACKETS as u64 / 2;
    let mut repeat = || (0..TIMES).for_each(|_| operation());
    repeat();
    let info = measure(repeat);
    let each = info.count_total as f64 / TIMES as f64;
    println!("{what}: {each} allocations, {} bytes", info.bytes_total / TIMES);
    assert!(each <= budget as f64, "{what} allocates {each} times, its budget is {budget}");
}

#[test]
fn encoding_allocates_nothing() {
    check("encode a ping", encode(0), 0);
    check("encode a ping with 8 updates", encode(8), 0);
}

/// Names, and the list of updates.
#[test]
fn decoding_allocates_what_it_delivers() {
    check("decode a ping", decode(0), 1);
    check("decode a ping with 8 updates", decode(8), 1 + 1 + 8);
}

#[test]
fn a_datagram_keeps_to_its_budget() {
    check("ping", datagram_known(0, MEMBERS), 3);
    check("ping with 8 known updates", datagram_known(8, MEMBERS), 13);
    check("ping with 8 fresh updates", datagram_fresh(MEMBERS), 24);
}
