//! Limits of our own: what they keep back, and what the next life of the process knows of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use issuance_domain::SilenceCause;
use issuance_executor::{Budget, Clock as _, Pool, Silence, Urgency, recall};
use issuance_store::{Kind, Store as _};

use crate::world::World;

#[tokio::test]
async fn one_order_without_room_closes_nothing_for_the_others() {
    let world = World::new(200, 200, 0, Duration::ZERO);
    world.place(20).await;
    let wait = Duration::from_secs(30);
    *world.provider.cold.lock().unwrap() = Some(Silence::held_back(wait));
    assert_eq!(world.worker.step().await.unwrap(), 20);
    let now = world.clock.now();
    assert_eq!(world.breaker.why_open(), None);
    assert_eq!(world.budget.usage(now).closed_until, None);
    assert_eq!(world.budget.available(now, Urgency::Submission), Ok(200));
    let due = world.store.next_due(Kind::Submissions).await.unwrap();
    assert_eq!(due, Some(now.after(wait)));

    // The same from the provider's own mouth is for all.
    let said = Silence::wishing(SilenceCause::RateLimited, Some(wait));
    *world.provider.cold.lock().unwrap() = Some(said);
    world.clock.forward(wait);
    world.worker.step().await.unwrap();
    let now = world.clock.now();
    assert_eq!(world.budget.usage(now).closed_until, Some(now.after(wait)));
}

/// Found by simulation: behind a pool that stayed empty nobody ever learned what had become of the call.
#[tokio::test]
async fn an_empty_pool_holds_back_no_call_that_may_have_arrived() {
    let silent = Duration::from_secs(1);
    let world = World::new(200, 200, 0, silent);
    world.place(1).await;
    assert_eq!(world.worker.step().await.unwrap(), 1);
    let pool = Pool {
        account: None,
        product: "product-1".parse().unwrap(),
    };
    world
        .pools
        .refused(&pool, "insufficient_sub_bin", world.clock.now(), 0.0);
    world.clock.forward(Duration::from_secs(3));
    for _ in 0..12 {
        world
            .pools
            .refused(&pool, "insufficient_sub_bin", world.clock.now(), 0.0);
    }
    let far = world.pools.open()[0].until.since(world.clock.now());
    assert!(far > Duration::from_secs(200), "{far:?}");
    world.run(1, Duration::from_secs(120)).await.unwrap();
    assert_eq!(world.provider.cards.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_next_life_counts_the_sends_of_the_last() {
    let world = World::new(200, 200, 0, Duration::ZERO);
    world.place(300).await;
    while world.provider.cards.load(Ordering::Relaxed) < 60 {
        world.worker.step().await.unwrap();
    }
    let sent = world.provider.cards.load(Ordering::Relaxed);
    let now = world.clock.now();
    let spent = async |after: Duration| {
        let next = Budget::new(200);
        recall(world.store.as_ref(), &next, now.after(after))
            .await
            .unwrap();
        assert!(
            next.available(now.after(after), Urgency::Submission)
                .is_err()
        );
        next.usage(now.after(after)).spent
    };
    // Three fifths may have been reads, ten may have been mints.
    assert_eq!(spent(Duration::ZERO).await, (130 + sent).min(200));
    assert_eq!(spent(Duration::from_secs(120)).await, 130);

    let empty = World::new(200, 200, 0, Duration::ZERO);
    let next = Budget::new(200);
    recall(empty.store.as_ref(), &next, now).await.unwrap();
    assert_eq!(next.available(now, Urgency::Submission), Ok(200));
}
