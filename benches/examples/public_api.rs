//! Prints what a library crate makes public, a line for each item and in their order, from the JSON
//! that rustdoc writes of it: `.ci/public-api` compares the lines with the committed ones.
//!
//! Left out is what nobody chose: implementations for all `T`, and of the traits that the compiler gives
//! all but `Send` and `Sync`, on which programs with threads depend.

use std::{env, process::ExitCode};

use public_api::Builder;

const GIVEN: [&str; 5] = [
    "core::marker::Freeze ",
    "core::marker::StructuralPartialEq ",
    "core::marker::Unpin ",
    "core::marker::UnsafeUnpin ",
    "core::panic::unwind_safe::",
];

fn main() -> ExitCode {
    let Some(file) = env::args_os().nth(1) else {
        eprintln!("usage: public_api FILE, where FILE is rustdoc's JSON");
        return ExitCode::from(2);
    };
    let surface = Builder::from_rustdoc_json(&file).omit_blanket_impls(true).build();
    match surface {
        Ok(surface) => {
            let lines = surface.items().map(ToString::to_string);
            for line in lines.filter(|line| !GIVEN.iter().any(|name| line.contains(name))) {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}
