//! A few seeds in every test run; `simulation batch` has the many.

use issuance_simulation::{Options, run};

#[test]
fn a_calm_world_ends_with_cards() {
    for seed in 0..20 {
        let report = run(&Options::calm(seed), false);
        assert_eq!(report.violation, None, "{seed}");
        assert!(report.decided.is_empty(), "{seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..40 {
        let options = Options::of_seed(seed);
        let (first, second) = (run(&options, false), run(&options, false));
        assert_eq!(first.hash, second.hash, "{seed}");
        assert_eq!(first.decided, second.decided, "{seed}");
        assert_eq!(first.ends, second.ends, "{seed}");
    }
}
