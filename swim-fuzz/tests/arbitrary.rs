//! A little of what fuzzers do, with any compiler.

use proptest::prelude::*;
use swim_fuzz::TARGETS;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..1_500)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }
}
