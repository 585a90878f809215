//! The inbox: repeats, forgeries, parking, settling.

use futures_util::FutureExt as _;
use issuance_domain::{MessageId, OrderId};
use sha2::{Digest as _, Sha256};

use super::Subject;
use super::fixture::{World, accepted, at, attention, card, message, requested, sealing, soon};
use crate::error::AppendError;
use crate::message::{Alias, Receipt, Standing};
use crate::store::Field;

async fn pending<S: Subject>(world: &World<S>) -> Vec<String> {
    let messages = world.store().pending_messages(100).await.unwrap();
    messages
        .iter()
        .map(|message| message.id.to_string())
        .collect()
}

async fn unsettled<S: Subject>(world: &World<S>) -> Vec<(String, Standing)> {
    let messages = world.store().unsettled_messages(100).await.unwrap();
    messages
        .into_iter()
        .map(|(message, standing)| (message.id.to_string(), standing))
        .collect()
}

async fn receive<S: Subject>(world: &World<S>, id: &str, aliases: Vec<Alias>) {
    assert_eq!(
        world
            .store()
            .receive(message(id, aliases), None)
            .await
            .unwrap(),
        Receipt::Stored
    );
}

async fn settle<S: Subject>(world: &World<S>, id: &str, standing: Standing) {
    world
        .store()
        .settle(&name(id), standing, at(1))
        .await
        .unwrap();
}

fn name(id: &str) -> MessageId {
    id.parse().unwrap()
}

fn settled(order: OrderId) -> Standing {
    Standing::Settled { order: Some(order) }
}

/// The same message twice is one message, before and after it is settled.
pub async fn a_message_is_stored_once<S: Subject>() {
    let world = World::<S>::start().await;
    let sealed = Some(sealing(Field::Body(name("m-1")), "what it said"));
    assert_eq!(
        world
            .store()
            .receive(message("m-1", vec![]), sealed)
            .await
            .unwrap(),
        Receipt::Stored
    );
    assert_eq!(
        world
            .store()
            .receive(message("m-1", vec![]), None)
            .await
            .unwrap(),
        Receipt::Repeat
    );
    let found = world.store().pending_messages(10).await.unwrap().remove(0);
    let expected = message("m-1", vec![]);
    assert_eq!(
        (found.id, found.event_type),
        (expected.id, expected.event_type)
    );
    let said: serde_json::Value = serde_json::from_str(found.content.get()).unwrap();
    assert_eq!(said, serde_json::json!({ "said": "m-1\n" }));
    let body = world
        .store()
        .open_sealed(world.id(), &Field::Body(name("m-1")))
        .await
        .unwrap();
    assert_eq!(body.unwrap().to_vec(), b"what it said");
    settle(&world, "m-1", Standing::Settled { order: None }).await;
    assert_eq!(
        world
            .store()
            .receive(message("m-1", vec![]), None)
            .await
            .unwrap(),
        Receipt::Repeat
    );
    assert!(pending(&world).await.is_empty());
}

/// Another body under a known id is kept out and reported.
pub async fn a_forged_message_is_kept_out<S: Subject>() {
    let world = World::<S>::start().await;
    receive(&world, "m-1", vec![]).await;
    let mut forged = message("m-1", vec![]);
    forged.body_digest = "another".into();
    assert_eq!(
        world.store().receive(forged, None).await.unwrap(),
        Receipt::Forged
    );
    let found = world.store().pending_messages(10).await.unwrap();
    assert_eq!((found.len(), &*found[0].body_digest), (1, "digest of m-1"));
}

/// Nobody can try a digest who has not the store's key, and one from before they were keyed accuses nobody.
pub async fn digests_of_bodies_are_keyed<S: Subject>() {
    let mut world = World::<S>::start().await;
    let digest = |world: &World<S>, body: &[u8]| world.store().digest(body);
    let said = digest(&world, b"a body");
    assert_eq!(said, digest(&world, b"a body"));
    assert_ne!(said, digest(&world, b"another"));
    let plain = hex::encode(Sha256::digest(b"a body"));
    assert!(!said.contains(&plain));
    for (id, digest, again) in [("m-old", &*plain, &*said), ("m-new", &*said, &*said)] {
        let mut first = message(id, vec![]);
        first.body_digest = digest.into();
        let receipt = world.store().receive(first.clone(), None).await.unwrap();
        assert_eq!(receipt, Receipt::Stored);
        world.subject.reopen().await;
        first.body_digest = again.into();
        let receipt = world.store().receive(first, None).await.unwrap();
        assert_eq!(receipt, Receipt::Repeat, "{id}");
    }
    assert_eq!(said, digest(&world, b"a body"));
    let mut forged = message("m-new", vec![]);
    forged.body_digest = digest(&world, b"another");
    let receipt = world.store().receive(forged, None).await.unwrap();
    assert_eq!(receipt, Receipt::Forged);
}

/// The oldest message is handled first.
pub async fn messages_are_pending_in_order<S: Subject>() {
    let world = World::<S>::start().await;
    for id in ["m-3", "m-1", "m-2"] {
        receive(&world, id, vec![]).await;
    }
    assert_eq!(pending(&world).await, ["m-3", "m-1", "m-2"]);
    let first = world.store().pending_messages(1).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(world.store().counts().await.unwrap().pending_messages, 3);
}

/// A settled message stays settled, and settling it again is no error.
pub async fn a_message_is_settled_once<S: Subject>() {
    let world = World::<S>::start().await;
    receive(&world, "m-1", vec![]).await;
    settle(&world, "m-1", Standing::Settled { order: None }).await;
    let head = world.store().head().await.unwrap();
    settle(&world, "m-1", Standing::Settled { order: None }).await;
    settle(&world, "m-1", Standing::Pending).await;
    settle(&world, "m-1", Standing::Parked).await;
    assert_eq!(
        world.store().head().await.unwrap(),
        head,
        "nothing more was recorded"
    );
    assert!(pending(&world).await.is_empty() && unsettled(&world).await.is_empty());
    assert!(
        world
            .store()
            .settle(&name("m-2"), Standing::Parked, at(1))
            .await
            .is_err(),
        "never received"
    );
}

/// Events and the mark of the message they answer are one.
pub async fn an_append_settles_its_message<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    receive(&world, "m-1", vec![]).await;
    let mut append = world.prepare(id, vec![accepted("card-1")], at(1)).await;
    append.settles = Some(name("m-1"));
    world.store().append(append).await.unwrap();
    assert!(pending(&world).await.is_empty());
    let mut again = world.prepare(id, vec![attention()], at(2)).await;
    again.settles = Some(name("m-1"));
    assert!(matches!(
        world.store().append(again).await,
        Err(AppendError::AlreadySettled)
    ));
    assert_eq!(world.version(id).await.0, 2);
    let counts = world.store().counts().await.unwrap();
    assert_eq!((counts.pending_messages, counts.parked_messages), (0, 0));
}

/// An append that is refused for its version leaves the message pending.
pub async fn a_refused_append_settles_nothing<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    receive(&world, "m-1", vec![]).await;
    let mut late = world.prepare(id, vec![accepted("card-1")], at(1)).await;
    late.settles = Some(name("m-1"));
    world.append(id, vec![attention()]).await.unwrap();
    assert!(matches!(
        world.store().append(late).await,
        Err(AppendError::Conflict { .. })
    ));
    assert_eq!(pending(&world).await, ["m-1"]);
    let mut retried = world.prepare(id, vec![accepted("card-1")], at(1)).await;
    retried.settles = Some(name("m-1"));
    world.store().append(retried).await.unwrap();
    assert!(pending(&world).await.is_empty());
}

/// A message that came before its order knew the name waits, and is handled when it does.
pub async fn a_parked_message_returns_when_its_order_learns_the_name<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    receive(&world, "m-1", vec![card("card-0"), card("card-1")]).await;
    receive(&world, "m-2", vec![card("card-2")]).await;
    settle(&world, "m-1", Standing::Parked).await;
    settle(&world, "m-2", Standing::Parked).await;
    assert!(pending(&world).await.is_empty());
    assert_eq!(
        unsettled(&world).await,
        [
            ("m-1".into(), Standing::Parked),
            ("m-2".into(), Standing::Parked)
        ]
    );
    assert_eq!(world.store().counts().await.unwrap().parked_messages, 2);
    receive(&world, "m-3", vec![]).await;
    let waiting = world.store();
    let waiting = waiting.wait_for_messages();
    world.append(id, vec![accepted("card-1")]).await.unwrap();
    soon(waiting).await;
    assert_eq!(pending(&world).await, ["m-1", "m-3"], "at its old age");
    assert_eq!(unsettled(&world).await, [("m-2".into(), Standing::Parked)]);
    settle(&world, "m-1", settled(id)).await;
    assert_eq!(pending(&world).await, ["m-3"]);
}

/// A name can be the order's own id.
pub async fn a_parked_message_returns_when_its_order_appears<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.id();
    receive(&world, "m-1", vec![Alias::Order(id)]).await;
    settle(&world, "m-1", Standing::Parked).await;
    assert!(pending(&world).await.is_empty());
    world.append(id, vec![requested("r-1")]).await.unwrap();
    assert_eq!(pending(&world).await, ["m-1"]);
}

/// A message whose order learned the name while it was looked at is not lost.
pub async fn a_message_is_not_parked_when_its_order_is_known<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    receive(&world, "m-1", vec![card("card-1")]).await;
    assert!(
        world
            .store()
            .find(&card("card-1"))
            .await
            .unwrap()
            .is_empty(),
        "so it will be parked"
    );
    world.append(id, vec![accepted("card-1")]).await.unwrap();
    settle(&world, "m-1", Standing::Parked).await;
    assert_eq!(pending(&world).await, ["m-1"]);
    receive(&world, "m-2", vec![Alias::Order(id)]).await;
    settle(&world, "m-2", Standing::Parked).await;
    assert_eq!(pending(&world).await, ["m-1", "m-2"]);
}

/// What cannot be handled leaves the queue and waits where a person sees it; a person can send it back.
pub async fn a_quarantined_message_waits_for_a_person<S: Subject>() {
    let world = World::<S>::start().await;
    receive(&world, "m-1", vec![card("card-1")]).await;
    let quarantined = Standing::Quarantined {
        why: "unreadable".into(),
    };
    settle(&world, "m-1", quarantined.clone()).await;
    assert!(pending(&world).await.is_empty());
    assert_eq!(unsettled(&world).await, [("m-1".into(), quarantined)]);
    assert_eq!(
        world.store().counts().await.unwrap().quarantined_messages,
        1
    );
    let id = world.place().await;
    world.append(id, vec![accepted("card-1")]).await.unwrap();
    assert!(pending(&world).await.is_empty(), "a name does not help it");
    settle(&world, "m-1", Standing::Pending).await;
    assert_eq!(pending(&world).await, ["m-1"]);
    assert_eq!(
        world.store().counts().await.unwrap().quarantined_messages,
        0
    );
}

/// What was sealed of a message is there for as long as somebody may look at it, and leaves the disk after that.
pub async fn what_a_settled_message_said_is_gone_and_stays_gone<S: Subject>() {
    let mut world = World::<S>::start().await;
    for id in ["m-1", "m-2"] {
        let sealed = Some(sealing(Field::Body(name(id)), "what it said"));
        let store = world.store();
        store.receive(message(id, vec![]), sealed).await.unwrap();
        let why = "it cannot be read".into();
        settle(&world, id, Standing::Quarantined { why }).await;
        assert!(said(&world, id).await);
    }
    settle(&world, "m-1", Standing::Settled { order: None }).await;
    assert!(!said(&world, "m-1").await);
    let compacted = world.store().compact(false).await.unwrap();
    assert_eq!((compacted.removed, compacted.skipped.len()), (1, 0));
    for _ in 0..2 {
        world.subject.reopen().await;
        assert!(!said(&world, "m-1").await && said(&world, "m-2").await);
    }
    // It is known all the same.
    let again = world.store().receive(message("m-1", vec![]), None).await;
    assert_eq!(again.unwrap(), Receipt::Repeat);
}

/// Whether the body of a message opens.
async fn said<S: Subject>(world: &World<S>, id: &str) -> bool {
    let body = Field::Body(name(id));
    let opened = world.store().open_sealed(world.id(), &body).await;
    opened.unwrap().is_some()
}

/// A wait for messages ends when there is one, also if it came before the wait.
pub async fn waiting_for_messages_is_never_late<S: Subject>() {
    let world = World::<S>::start().await;
    let store = world.store();
    let waiting = store.wait_for_messages();
    receive(&world, "m-1", vec![]).await;
    soon(waiting).await;
    soon(store.wait_for_messages()).await;
    settle(&world, "m-1", Standing::Settled { order: None }).await;
    assert!(store.wait_for_messages().now_or_never().is_none());
}
