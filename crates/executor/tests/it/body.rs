//! The body is compared with what was sent under its key before every send.

use std::sync::atomic::Ordering;
use std::time::Duration;

use issuance_domain::AttentionReason;
use issuance_store::Store as _;

use crate::world::World;

#[tokio::test]
async fn another_body_is_never_sent_under_the_same_key() {
    let world = World::new(200, 200, 0, Duration::from_secs(3_600));
    let id = world.place_one().await;
    // Silence: the same body under the same key, again and again.
    world.run(1, Duration::from_secs(30)).await.unwrap();
    let sent = world.provider.calls();
    assert!(sent > 1, "{sent}");
    // As an upgrade that encodes otherwise would.
    world.provider.encoding.store(1, Ordering::Relaxed);
    world.run(1, Duration::from_secs(3_000)).await.unwrap();
    assert_eq!(world.provider.calls(), sent);
    let order = world.store.order(id).await.unwrap().unwrap();
    let called = order.attention.as_ref().map(|called| &called.reason);
    assert_eq!(called, Some(&AttentionReason::BodyChanged));
    assert!(!order.state.is_terminal(), "unknown is not failed");
}
