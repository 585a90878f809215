//! References, aliases, lists, counts and sealed data.

use issuance_domain::{OrderId, Policy, Version};

use super::Subject;
use super::fixture::{
    World, accepted, activated, at, attention, ids, learned, noticed, requested, requested_of,
    sealing,
};
use crate::error::AppendError;
use crate::message::{Alias, HostReference};
use crate::query::{AttentionFilter, Query};
use crate::store::Field;

/// A second order by the same reference is refused, with the first one's id.
pub async fn a_reference_names_one_order<S: Subject>() {
    let world = World::<S>::start().await;
    let (first, second) = (world.id(), world.id());
    world.append(first, vec![requested("r-1")]).await.unwrap();
    let refused = world.append(second, vec![requested("r-1")]).await;
    assert!(
        matches!(refused, Err(AppendError::ReferenceTaken { order }) if order == first),
        "{refused:?}"
    );
    let reference = HostReference {
        account: None,
        reference: "r-1".parse().unwrap(),
    };
    assert_eq!(
        world.store().find_reference(&reference).await.unwrap(),
        Some(first)
    );
    let reference = HostReference {
        account: None,
        reference: "r-2".parse().unwrap(),
    };
    assert_eq!(
        world.store().find_reference(&reference).await.unwrap(),
        None
    );
}

/// References are unique within an account, not beyond.
pub async fn a_reference_is_free_in_another_account<S: Subject>() {
    let world = World::<S>::start().await;
    let (main, sub) = (world.id(), world.id());
    world.append(main, vec![requested("r-1")]).await.unwrap();
    world
        .append(sub, vec![requested_of("r-1", Some("acct-1"), "product-1")])
        .await
        .unwrap();
    let reference = HostReference {
        account: Some("acct-1".parse().unwrap()),
        reference: "r-1".parse().unwrap(),
    };
    assert_eq!(
        world.store().find_reference(&reference).await.unwrap(),
        Some(sub)
    );
}

/// An order is found by its own id and by every name it learned.
pub async fn aliases_find_orders<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.place().await;
    let card = Alias::Card("card-1".parse().unwrap());
    assert!(world.store().find(&card).await.unwrap().is_empty());
    world.append(id, vec![accepted("card-1")]).await.unwrap();
    assert_eq!(world.store().find(&card).await.unwrap(), [id]);
    assert_eq!(world.store().find(&Alias::Order(id)).await.unwrap(), [id]);
    assert!(
        world
            .store()
            .find(&Alias::Order(world.id()))
            .await
            .unwrap()
            .is_empty()
    );
    // Neither a prefix nor another kind of name.
    assert!(
        world
            .store()
            .find(&Alias::Card("card-".parse().unwrap()))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        world
            .store()
            .find(&Alias::CardOrder("card-1".parse().unwrap()))
            .await
            .unwrap()
            .is_empty()
    );
}

/// Several orders can belong to one person.
pub async fn a_cardholder_can_be_shared<S: Subject>() {
    let world = World::<S>::start().await;
    let mut orders = Vec::new();
    for number in 0..3 {
        let id = world.place().await;
        world
            .append(id, vec![accepted(&format!("card-{number}"))])
            .await
            .unwrap();
        world
            .append(id, vec![learned(ids(None, Some("holder-1")))])
            .await
            .unwrap();
        orders.push(id);
    }
    let mut found = world
        .store()
        .find(&Alias::Cardholder("holder-1".parse().unwrap()))
        .await
        .unwrap();
    found.sort_unstable();
    assert_eq!(found, orders);
}

async fn walk<S: Subject>(world: &World<S>, query: &Query) -> Vec<OrderId> {
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let page = world.store().list(&query).await.unwrap();
        assert!(page.orders.len() <= query.limit);
        found.extend(page.orders.iter().map(|order| order.id));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return found,
        }
    }
}

/// Pages follow each other without gap or overlap, the newest order first.
pub async fn lists_are_newest_first_and_paged<S: Subject>() {
    let world = World::<S>::start().await;
    let mut orders = Vec::new();
    for _ in 0..13 {
        orders.push(world.place().await);
    }
    orders.reverse();
    for limit in [1, 3, 12, 13, 14, 100] {
        assert_eq!(
            walk(
                &world,
                &Query {
                    limit,
                    ..Query::default()
                }
            )
            .await,
            orders,
            "by {limit}"
        );
    }
    let whole = world
        .store()
        .list(&Query {
            limit: 13,
            ..Query::default()
        })
        .await
        .unwrap();
    assert_eq!(whole.next, None, "nothing is left");
}

/// Every filter takes what matches and nothing else.
pub async fn lists_filter<S: Subject>() {
    let world = World::<S>::start().await;
    let ours = [world.id(), world.id(), world.id(), world.id()];
    world.append(ours[0], vec![requested("r-0")]).await.unwrap();
    world
        .append(ours[1], vec![requested("r-1"), accepted("card-1")])
        .await
        .unwrap();
    world
        .append(
            ours[2],
            vec![
                requested_of("r-2", Some("acct-1"), "product-1"),
                attention(),
            ],
        )
        .await
        .unwrap();
    world
        .append(
            ours[3],
            vec![
                requested_of("r-3", None, "product-2"),
                accepted("c"),
                activated("c"),
            ],
        )
        .await
        .unwrap();
    let query = || Query {
        limit: 10,
        ..Query::default()
    };
    let state = |name: &str| Query {
        state: Some(name.into()),
        ..query()
    };
    assert_eq!(walk(&world, &state("requested")).await, [ours[2], ours[0]]);
    assert_eq!(walk(&world, &state("accepted")).await, [ours[1]]);
    assert_eq!(walk(&world, &state("active")).await, [ours[3]]);
    assert!(walk(&world, &state("failed")).await.is_empty());
    let noted = |filter| Query {
        attention: Some(filter),
        ..query()
    };
    assert_eq!(walk(&world, &noted(AttentionFilter::Any)).await, [ours[2]]);
    assert_eq!(
        walk(
            &world,
            &noted(AttentionFilter::Reason("outcome_unknown".into()))
        )
        .await,
        [ours[2]]
    );
    assert!(
        walk(&world, &noted(AttentionFilter::Reason("capacity".into())))
            .await
            .is_empty()
    );
    let account = Query {
        account: Some("acct-1".parse().unwrap()),
        ..query()
    };
    assert_eq!(walk(&world, &account).await, [ours[2]]);
    let product = Query {
        product: Some("product-2".parse().unwrap()),
        ..query()
    };
    assert_eq!(walk(&world, &product).await, [ours[3]]);
    // Progress answers the attention, and the order leaves the list.
    world
        .append(ours[2], vec![accepted("card-2"), activated("card-2")])
        .await
        .unwrap();
    assert!(walk(&world, &noted(AttentionFilter::Any)).await.is_empty());
    assert_eq!(walk(&world, &state("active")).await, [ours[3], ours[2]]);
}

/// Counts say how many orders stand where, after every append.
pub async fn counts_follow<S: Subject>() {
    let world = World::<S>::start().await;
    let (first, second) = (world.place().await, world.place().await);
    world.append(first, vec![attention()]).await.unwrap();
    let counts = world.store().counts().await.unwrap();
    assert_eq!(counts.states.get("requested"), Some(&2));
    assert_eq!(counts.attention.get("outcome_unknown"), Some(&1));
    let mut tasks = 0;
    for id in [first, second] {
        tasks += world.store().tasks(id).await.unwrap().len() as u64;
    }
    assert_eq!(counts.tasks, tasks);
    for id in [first, second] {
        let card = format!("card-{id}");
        world
            .append(id, vec![accepted(&card), activated(&card)])
            .await
            .unwrap();
        let version = world.version(id).await;
        world.append(id, vec![noticed(version)]).await.unwrap();
    }
    let counts = world.store().counts().await.unwrap();
    assert_eq!(
        counts.states.into_iter().collect::<Vec<_>>(),
        [("active".to_owned(), 2)]
    );
    assert!(counts.attention.is_empty());
    assert_eq!(counts.tasks, 0);
}

/// What was sealed with an append opens again, and only under its order and field.
pub async fn sealed_data_comes_back<S: Subject>() {
    let world = World::<S>::start().await;
    let id = world.id();
    let mut append = world.prepare(id, vec![requested("r-1")], at(0)).await;
    append.sealed = vec![
        sealing(Field::Request, "of the request"),
        sealing(Field::IdvLink("abc".into()), "of the link"),
        sealing(
            Field::Body("m-1".parse().unwrap()),
            &"large ".repeat(100_000),
        ),
    ];
    world.store().append(append).await.unwrap();
    let open = async |id, field| {
        let opened = world.store().open_sealed(id, &field).await.unwrap();
        opened.map(|plaintext| String::from_utf8(plaintext.to_vec()).unwrap())
    };
    assert_eq!(
        open(id, Field::Request).await.as_deref(),
        Some("of the request")
    );
    assert_eq!(
        open(id, Field::IdvLink("abc".into())).await.as_deref(),
        Some("of the link")
    );
    assert_eq!(
        open(id, Field::Body("m-1".parse().unwrap()))
            .await
            .map(|text| text.len()),
        Some(600_000)
    );
    assert_eq!(open(id, Field::IdvLink("def".into())).await, None);
    assert_eq!(open(world.id(), Field::Request).await, None);
    let _: Policy = world.policy.clone();
}

/// Nothing of a refused append stays.
pub async fn sealed_data_of_a_refused_append_does_not<S: Subject>() {
    let world = World::<S>::start().await;
    let (first, second) = (world.id(), world.id());
    world.append(first, vec![requested("r-1")]).await.unwrap();
    let mut append = world.prepare(second, vec![requested("r-1")], at(0)).await;
    append.sealed = vec![sealing(Field::Request, "of the request")];
    assert!(matches!(
        world.store().append(append).await,
        Err(AppendError::ReferenceTaken { .. })
    ));
    assert!(
        world
            .store()
            .open_sealed(second, &Field::Request)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(world.version(second).await, Version::NONE);
}
