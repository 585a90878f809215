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

/// Found by this simulation: a message about a person several open orders are for was neither parked nor settled, and
/// the inbox turned in circles.
#[test]
fn one_person_of_several_orders_does_not_turn_the_inbox_in_circles() {
    let report = run(&with_orders(0xcf, 5), false);
    assert_eq!(report.violation, None);
}

/// False findings of this simulation once: orders behind the alarm of an empty pool, orders left paused because no process
/// was up when the world healed, and a verdict before a dead process was back.
#[test]
fn what_only_waits_is_no_finding() {
    for (seed, orders) in [(0xef4, 144), (0xf_88de, 1), (0xf_53ef, 6), (0xf_827d, 3)] {
        let report = run(&with_orders(seed, orders), false);
        assert_eq!(report.violation, None, "{seed:#x}");
    }
}

/// A seed with the number of orders it meant when something was found with it.
fn with_orders(seed: u64, orders: usize) -> Options {
    Options {
        orders,
        ..Options::of_seed(seed)
    }
}
