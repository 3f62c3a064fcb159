//! A short, deterministic run of the fuzzer. `cargo xtask fuzz` does long ones.

use onceway_fuzz::{Args, run};

#[test]
fn the_module_does_what_the_native_core_does_on_any_input() {
    let report =
        run(&Args { bodies: 20_000, seed: 1, first: 0, threads: 2 }).unwrap_or_else(|error| panic!("{error:#}"));
    println!("{report:?}");
    // Enough requests must get past the decoder.
    assert_eq!(report.bodies, 20_000);
    assert!(report.fingerprinted > 2_000 && report.split > 1_000 && report.undecodable > 1_000, "{report:?}");
}
