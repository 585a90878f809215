//! Tasks: claims, due times, tries.

use std::time::Duration;

use futures_util::FutureExt as _;
use issuance_domain::{
    Action, EventBody, Generation, IdempotencyKey, OrderId, Purpose, SilenceCause,
};

use super::Subject;
use super::fixture::{World, accepted, activated, at, noticed, soon};
use crate::store::Kind;

fn started(id: OrderId) -> EventBody {
    EventBody::SubmissionStarted {
        purpose: Purpose::CreateCard,
        generation: Generation(1),
        attempt: 1,
        key: IdempotencyKey::derive(id, Purpose::CreateCard, Generation(1)),
        body_digest: issuance_domain::Digest("00".into()),
    }
}

fn unanswered(retry_at: i64) -> EventBody {
    EventBody::SubmissionUnanswered {
        purpose: Purpose::CreateCard,
        generation: Generation(1),
        attempt: 1,
        cause: SilenceCause::TimedOut,
        retry_at: at(retry_at),
    }
}

/// A claimed task is nobody else's, and only its kind's workers get it.
pub async fn a_claim_is_exclusive<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    assert!(
        world
            .lease(Kind::Notices, at(0), at(60), 10)
            .await
            .is_empty()
    );
    assert!(
        world
            .lease(Kind::Readings, at(0), at(60), 10)
            .await
            .is_empty()
    );
    let leases = world.lease(Kind::Submissions, at(0), at(60), 10).await;
    assert_eq!(leases.len(), 1);
    assert_eq!(leases[0].task.id.order, id);
    assert_eq!((leases[0].tries, leases[0].until), (0, at(60)));
    assert!(
        world
            .lease(Kind::Submissions, at(59), at(99), 10)
            .await
            .is_empty()
    );
    let rows = world.store().tasks(id).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.leased_until).collect::<Vec<_>>(),
        [Some(at(60))]
    );
}

/// A claim whose time is over keeps nobody off.
pub async fn a_claim_ends_by_itself<S: Subject>() {
    let world = World::<S>::start().await;
    world.place().await;
    let first = world.lease(Kind::Submissions, at(0), at(60), 10).await;
    let second = world.lease(Kind::Submissions, at(60), at(120), 10).await;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].task.id, first[0].task.id);
    assert!(second[0].epoch > first[0].epoch);
}

/// Whoever claimed before can no longer give back what another claimed since.
pub async fn a_newer_claim_wins<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let first = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    let second = world
        .lease(Kind::Submissions, at(60), at(120), 1)
        .await
        .remove(0);
    world.store().release(&first, Some(at(5))).await.unwrap();
    let rows = world.store().tasks(id).await.unwrap();
    assert_eq!((rows[0].leased_until, rows[0].tries), (Some(at(120)), 0));
    world.store().release(&second, None).await.unwrap();
    assert_eq!(world.store().tasks(id).await.unwrap()[0].leased_until, None);
}

/// Put off, a task counts a try and is due then; given back, it is due when its order says.
pub async fn a_released_task_is_due_when_told<S: Subject>() {
    let world = World::<S>::start().await;
    world.place().await;
    let lease = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    world.store().release(&lease, None).await.unwrap();
    let lease = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    assert_eq!(lease.tries, 0);
    world.store().release(&lease, Some(at(100))).await.unwrap();
    assert!(
        world
            .lease(Kind::Submissions, at(99), at(200), 1)
            .await
            .is_empty()
    );
    let lease = world
        .lease(Kind::Submissions, at(100), at(200), 1)
        .await
        .remove(0);
    assert_eq!((lease.tries, lease.task.due), (1, at(100)));
    world.store().release(&lease, Some(at(150))).await.unwrap();
    assert_eq!(
        world
            .lease(Kind::Submissions, at(150), at(200), 1)
            .await
            .remove(0)
            .tries,
        2
    );
}

/// A clock that is set back can put a task off to before its order owes it. Who finds it not due gives it back, and must
/// not be given it again at once.
pub async fn a_task_given_back_waits_for_its_own_time<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    world.append(id, vec![started(id)]).await.unwrap();
    world.append(id, vec![unanswered(500)]).await.unwrap();
    let lease = world
        .lease(Kind::Submissions, at(500), at(600), 1)
        .await
        .remove(0);
    world.store().release(&lease, Some(at(10))).await.unwrap();
    let lease = world
        .lease(Kind::Submissions, at(10), at(60), 1)
        .await
        .remove(0);
    world.store().release(&lease, None).await.unwrap();
    let next = world.store().next_due(Kind::Submissions).await.unwrap();
    assert_eq!(next, Some(at(500)));
    let lease = world
        .lease(Kind::Submissions, at(500), at(600), 1)
        .await
        .remove(0);
    assert_eq!((lease.tries, lease.task.due), (1, at(500)));
}

/// An append that leaves a task owed as it was leaves its claim, tries and due time as well.
pub async fn the_same_task_keeps_its_claim<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let lease = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    world.store().release(&lease, Some(at(40))).await.unwrap();
    world
        .append(id, vec![super::fixture::attention()])
        .await
        .unwrap();
    let rows = world.store().tasks(id).await.unwrap();
    assert_eq!((rows[0].due, rows[0].tries), (at(40), 1));
    let lease = world
        .lease(Kind::Submissions, at(40), at(90), 1)
        .await
        .remove(0);
    world
        .append(id, vec![super::fixture::attention()])
        .await
        .unwrap();
    assert!(
        world
            .lease(Kind::Submissions, at(89), at(99), 1)
            .await
            .is_empty(),
        "still claimed"
    );
    world.store().release(&lease, None).await.unwrap();
    assert_eq!(
        world
            .lease(Kind::Submissions, at(89), at(99), 1)
            .await
            .len(),
        1
    );
}

/// When the order itself owes the same at another time, that time counts and tries begin anew; the claim stays.
pub async fn a_due_time_the_order_moved_replaces_the_rows<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let lease = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    world.store().release(&lease, Some(at(10))).await.unwrap();
    let lease = world
        .lease(Kind::Submissions, at(10), at(600), 1)
        .await
        .remove(0);
    world.append(id, vec![started(id)]).await.unwrap();
    world.append(id, vec![unanswered(500)]).await.unwrap();
    let rows = world.store().tasks(id).await.unwrap();
    let row = rows.iter().find(|row| row.id == lease.task.id).unwrap();
    assert_eq!(
        (row.due, row.tries, row.leased_until),
        (at(500), 0, Some(at(600)))
    );
    world.store().release(&lease, None).await.unwrap();
    assert!(
        world
            .lease(Kind::Submissions, at(499), at(700), 1)
            .await
            .is_empty()
    );
    assert_eq!(
        world.lease(Kind::Submissions, at(500), at(700), 1).await[0]
            .task
            .due,
        at(500)
    );
}

/// What the order no longer owes cannot be claimed or given back.
pub async fn what_is_no_longer_owed_is_gone<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let lease = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    world
        .append(id, vec![accepted("card-1"), activated("card-1")])
        .await
        .unwrap();
    world.store().release(&lease, Some(at(0))).await.unwrap();
    assert!(
        world
            .lease(Kind::Submissions, at(1_000_000), at(2_000_000), 1)
            .await
            .is_empty()
    );
    let notice = world.lease(Kind::Notices, at(0), at(60), 9).await;
    assert_eq!(
        notice
            .iter()
            .map(|lease| lease.task.id.action)
            .collect::<Vec<_>>(),
        [Action::NotifyHost]
    );
    let version = world.version(id).await;
    world.append(id, vec![noticed(version)]).await.unwrap();
    assert!(world.store().tasks(id).await.unwrap().is_empty());
}

/// The next due time is the first unclaimed task's, or the end of a claim if that comes first.
pub async fn the_next_due_task_is_known<S: Subject>() {
    let world = World::<S>::start().await;
    let next = async |kind| world.store().next_due(kind).await.unwrap();
    assert_eq!(next(Kind::Submissions).await, None);
    let (first, second) = (world.place().await, world.id());
    let append = world
        .prepare(second, vec![super::fixture::requested("later")], at(30))
        .await;
    world.store().append(append).await.unwrap();
    assert_eq!(next(Kind::Submissions).await, Some(at(0)));
    let lease = world.lease(Kind::Submissions, at(0), at(60), 9).await;
    assert_eq!(
        lease
            .iter()
            .map(|lease| lease.task.id.order)
            .collect::<Vec<_>>(),
        [first]
    );
    assert_eq!(next(Kind::Submissions).await, Some(at(30)));
    assert_eq!(
        world
            .lease(Kind::Submissions, at(30), at(90), 9)
            .await
            .len(),
        1
    );
    assert_eq!(
        next(Kind::Submissions).await,
        Some(at(60)),
        "then the first claim ends"
    );
    world.append(first, vec![accepted("card-1")]).await.unwrap();
    let order = world.store().order(first).await.unwrap().unwrap();
    let look_up = world
        .owed(&order)
        .into_iter()
        .find(|task| task.id.action == Action::LookUp)
        .unwrap();
    assert_eq!(next(Kind::Readings).await, Some(look_up.due));
    assert_eq!(
        look_up.due,
        at(0)
            .after(world.policy.look_up_first)
            .max(at(0).after(Duration::ZERO))
    );
}

/// A wait for tasks counts from when it was asked for, and ends when something may be due earlier.
pub async fn waiting_for_tasks_is_never_late<S: Subject>() {
    let world = World::<S>::start().await;
    let store = world.store();
    let waiting = store.wait_for_tasks();
    world.place().await;
    soon(waiting).await;
    assert!(store.wait_for_tasks().now_or_never().is_none());
    let lease = world
        .lease(Kind::Submissions, at(0), at(60), 1)
        .await
        .remove(0);
    let waiting = store.wait_for_tasks();
    store.release(&lease, None).await.unwrap();
    soon(waiting).await;
}
