//! Compiles `swim.proto`, without a `protoc` to install.
//!
//! Two files come of it: `fields.rs`, the numbers of all fields, which the codec is written with,
//! and `swim.v1.rs`, prost's types, which the tests hold the codec against (`src/lib.rs` says why
//! the codec itself does without them).

use std::error::Error;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_types::DescriptorProto;

fn main() -> Result<(), Box<dyn Error>> {
    // A link in the repository, a folder once packaged; a file where git knows no links.
    let root = if Path::new("proto").is_dir() { "proto" } else { "../proto" };
    let schema = Path::new(root).join("swim/v1/swim.proto");
    println!("cargo::rerun-if-changed={}", schema.display());

    let files = protox::compile([schema], [root])?;
    let mut fields = String::new();
    for message in files.file.iter().flat_map(|file| &file.message_type) {
        write_numbers(&mut fields, message)?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("fields.rs"), fields)?;
    // Ordered maps, so that what the tests compare with has one encoding.
    prost_build::Config::new().btree_map(["."]).compile_fds(files)?;
    Ok(())
}

/// Writes `pub(crate) mod message { pub(crate) const FIELD: u32 = number; }`.
fn write_numbers(out: &mut String, message: &DescriptorProto) -> fmt::Result {
    writeln!(out, "pub(crate) mod {} {{", snake_case(message.name()))?;
    for field in &message.field {
        let name = field.name().to_uppercase();
        writeln!(out, "    pub(crate) const {name}: u32 = {};", field.number())?;
    }
    for nested in &message.nested_type {
        write_numbers(out, nested)?;
    }
    writeln!(out, "}}")
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
