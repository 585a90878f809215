//! Long queues against the provider's own count (contract §1.6): all of the budget, and never more.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::world::World;

const ORDERS: u32 = 5_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn minutes(world: &World) -> Vec<u32> {
    world
        .provider
        .minutes
        .lock()
        .unwrap()
        .values()
        .copied()
        .collect()
}

#[tokio::test]
async fn five_thousand_waiting_orders_use_the_budget_and_never_trip_the_limit() {
    // Minutes that begin with ours, and minutes that begin elsewhere.
    for skew in [0, 20_123, 59_000] {
        let world = World::new(200, 200, skew, Duration::ZERO);
        world.place(ORDERS).await;
        world.run(ORDERS, HOUR).await.unwrap();
        assert_eq!(
            world.provider.cards.load(Ordering::Relaxed),
            ORDERS,
            "{skew}"
        );
        assert_eq!(world.provider.too_many.load(Ordering::Relaxed), 0, "{skew}");
        let counts = minutes(&world);
        // All but the first and the last, which are not whole, and the one that waits for the first burst.
        assert!(counts.len() <= 27, "{skew}: {counts:?}");
        assert!(
            counts[2..counts.len() - 1]
                .iter()
                .all(|count| *count >= 190),
            "{skew}: {counts:?}"
        );
    }
}

#[tokio::test]
async fn f_045_an_outage_of_hours_ends_without_a_storm() {
    let world = World::new(200, 200, 20_123, 3 * HOUR);
    world.place(ORDERS).await;
    world.run(ORDERS, 5 * HOUR).await.unwrap();
    assert_eq!(world.provider.cards.load(Ordering::Relaxed), ORDERS);
    assert_eq!(world.provider.too_many.load(Ordering::Relaxed), 0);
    let counts = minutes(&world);
    assert!(counts.iter().all(|count| *count <= 200), "{counts:?}");
    // First sends may use all of it, later ones four fifths.
    assert!(
        counts[60..180].iter().all(|count| *count <= 165),
        "{counts:?}"
    );
    assert!(
        counts.len() <= 3 * 60 + 40,
        "healed in {} minutes",
        counts.len() - 180
    );
}

#[tokio::test]
async fn a_provider_with_a_smaller_limit_is_asked_again_in_its_next_minute() {
    let world = World::new(200, 120, 0, Duration::ZERO);
    world.place(600).await;
    world.run(600, HOUR).await.unwrap();
    assert_eq!(world.provider.cards.load(Ordering::Relaxed), 600);
    let too_many = world.provider.too_many.load(Ordering::Relaxed);
    assert!(too_many <= 64 * 8, "{too_many}");
}
