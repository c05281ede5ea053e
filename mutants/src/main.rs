//! Weaves mutants into a source file, so that one build has them all and a variable of the
//! environment picks one: `a + b` becomes `(if crate::mutant(7) { a - b } else { a + b })`.
//!
//! `swim-mutants FILE < MUTANTS > WOVEN`, where MUTANTS is a part of what
//! `cargo mutants --list --json` prints, each with an `id`. WOVEN is JSON: the text, where in it each mutant
//! stands, and the ids of those that cannot be woven (in constants, or beside a `let`).

mod weave;

use std::collections::HashMap;
use std::io;

use serde::Deserialize;

/// A place in a file: line and column, both from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

#[derive(Debug, Deserialize)]
struct Span {
    start: Place,
}

/// What is read of one mutant.
#[derive(Debug, Deserialize)]
struct Mutant {
    id: u32,
    genre: Genre,
    replacement: String,
    span: Span,
}

/// What is changed; cargo-mutants' words, and constants, which it leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
    Constant,
}

/// Mutants by what they change.
type Wanted = HashMap<(Genre, Place), Vec<(u32, String)>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: swim-mutants FILE < MUTANTS")?;
    let source = std::fs::read_to_string(&file)?;
    let mutants: Vec<Mutant> = serde_json::from_reader(io::stdin())?;
    let mut wanted = Wanted::new();
    for mutant in mutants {
        let key = (mutant.genre, mutant.span.start);
        wanted.entry(key).or_default().push((mutant.id, mutant.replacement));
    }
    let parsed = syn::parse_file(&source).map_err(|error| format!("{file}: {error}"))?;
    serde_json::to_writer(io::stdout(), &weave::weave(&source, &parsed, wanted))?;
    Ok(())
}
