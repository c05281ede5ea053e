//! What fuzzers kept, and what made them stop once, holds with every compiler.

use std::fs;
use std::path::PathBuf;

use swim_fuzz::TARGETS;

#[test]
fn whatever_fuzzers_kept_holds() {
    for (name, target) in TARGETS {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
        let files = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{corpus:?}: {error}"));
        let mut inputs = 0;
        for file in files {
            let path = file.expect("a file").path();
            println!("{}", path.display());
            target(&fs::read(&path).expect("a readable file"));
            inputs += 1;
        }
        assert!(inputs > 0, "no corpus of {name}");
        target(&[]);
    }
}
