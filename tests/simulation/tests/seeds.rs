//! A few seeds in every test run; `simulation batch` has the many.

use issuance_simulation::{Family, Options, run};

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

#[test]
fn a_world_that_had_enough_heals() {
    let mut options = Options::calm(1);
    options.orders = 4;
    options.heal_after = 60 * 3_600_000;
    options.set(Family::ErrorBefore, 0.9);
    options.set(Family::Crash, 0.2);
    let report = run(&options, false);
    assert_eq!(report.violation, None);
    let faults = report.decided.len();
    assert!((150..200).contains(&faults), "{faults} faults");
}
