#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swim_fuzz::agent(bytes));
