//! Operators: they look, choose and act, rightly or wrongly, within what is allowed.

use std::sync::Arc;

use issuance::Engine;
use issuance::store::Query;
use issuance_domain::{OperatorAct, OperatorAction, OrderId, Version};
use issuance_store::{AttentionFilter, Decision};

use crate::env::{Env, Sim, yield_once};
use crate::faults::Family;
use crate::host::{answered, node};
use crate::rng::Rng;

/// An operator looks at what stands on the list, or anywhere, and does one thing that is allowed.
pub(crate) fn operate(sim: &Sim, details: u64, engines: &[Option<Engine>]) {
    let mut env = sim.lock();
    let number = env.rng.next();
    let Some((life, engine)) = node(&env, number, engines) else {
        return;
    };
    let mut rng = Rng::new(details);
    let twice = env.draw(Family::DoubleClick).is_some();
    let attention = rng.chance(0.7).then_some(AttentionFilter::Any);
    let sim = sim.clone();
    let work = async move {
        let query = Query {
            attention,
            limit: 100,
            ..Query::default()
        };
        let Ok(page) = engine.list(&query).await else {
            return;
        };
        let nth = usize::try_from(rng.below(page.orders.len() as u64)).unwrap_or(0);
        let Some(order) = page.orders.get(nth) else {
            return;
        };
        // What they saw may be old when they act.
        for _ in 0..rng.below(3) {
            yield_once().await;
        }
        let actions = engine.allowed_actions(order);
        let nth = usize::try_from(rng.below(actions.len() as u64)).unwrap_or(0);
        // What takes two people would come of chance alone too seldom.
        let renews = |action: &&OperatorAction| {
            matches!(
                action,
                OperatorAction::Resubmit | OperatorAction::ApproveResubmit
            )
        };
        let rare = actions.iter().find(renews).filter(|_| rng.chance(0.6));
        let Some(action) = rare.or(actions.get(nth)).copied() else {
            return;
        };
        let expected = rng.chance(0.7).then_some(order.version);
        {
            let mut env = sim.lock();
            env.coverage.operator(action.name());
            let now = env.now;
            let id = order.id;
            env.trace.line(now, || {
                format!("an operator does {} to {id}", action.name())
            });
        }
        let by = actor(action, rng.chance(0.3));
        let first = act(&sim, &engine, order.id, by, action, expected);
        if twice {
            futures_util::join!(first, act(&sim, &engine, order.id, by, action, expected));
        } else {
            first.await;
        }
        if action == OperatorAction::Resubmit && rng.chance(0.9) {
            let approve = OperatorAction::ApproveResubmit;
            // The other may not be at their desk, and what was proved grows old.
            if rng.chance(0.4) {
                sim.sleep(rng.millis(60_000.0, 7_200_000.0)).await;
            }
            if let Ok(Some(now)) = engine.order(order.id).await {
                let by = actor(approve, rng.chance(0.5));
                // Whoever says not what they saw is to be refused.
                if rng.chance(0.1) {
                    act(&sim, &engine, order.id, by, approve, None).await;
                }
                act(&sim, &engine, order.id, by, approve, Some(now.version)).await;
            }
        }
    };
    env.spawned.push((life, Box::pin(work)));
}

/// An operator does something at a time that was given.
pub(crate) fn operate_at(
    sim: &Sim,
    order: OrderId,
    action: OperatorAction,
    engines: &[Option<Engine>],
) {
    let mut env = sim.lock();
    let number = env.rng.next();
    let Some((life, engine)) = node(&env, number, engines) else {
        return;
    };
    env.coverage.operator(action.name());
    let now = env.now;
    env.trace.line(now, || {
        format!("an operator does {} to {order}", action.name())
    });
    let sim = sim.clone();
    let work = async move {
        act(&sim, &engine, order, actor(action, false), action, None).await;
    };
    env.spawned.push((life, Box::pin(work)));
}

/// Two people agree to a new key, unless one of them tries alone.
fn actor(action: OperatorAction, alone: bool) -> &'static str {
    match action {
        OperatorAction::ApproveResubmit if !alone => "another",
        _ => "somebody",
    }
}

async fn act(
    sim: &Sim,
    engine: &Engine,
    order: OrderId,
    actor: &str,
    action: OperatorAction,
    expected: Option<Version>,
) {
    // Some are in a hurry, and are to be told that a reason is needed.
    let reason = if sim.lock().draw(Family::NoReason).is_some() {
        " "
    } else {
        "to see what happens"
    };
    let act = OperatorAct {
        actor: actor.into(),
        reason: reason.into(),
        action,
    };
    // A business no is an answer.
    let outcome = engine.operate(order, act, expected).await;
    let mut env = sim.lock();
    env.follow();
    if let Ok(decision) = &outcome {
        judge_act(&mut env, action, expected, decision);
    }
    let now = env.now;
    env.history.operated(order, outcome.is_ok(), now);
    answered(&mut env, order, &outcome);
}

/// What was decided was decided on what the operator saw; and who agrees to a new key has to say what that was.
fn judge_act(
    env: &mut Env,
    action: OperatorAction,
    expected: Option<Version>,
    decision: &Decision,
) {
    // Requested and done are two decisions.
    if action == OperatorAction::ErasePersonalData {
        return;
    }
    let order = &decision.order;
    let before = order.version.0.saturating_sub(decision.events.len() as u64);
    let what = match expected {
        Some(seen) if seen.0 != before => {
            format!(
                "{} on version {before}, and version {seen} was seen",
                action.name()
            )
        }
        None if action == OperatorAction::ApproveResubmit => {
            "a new key was approved by whoever said not what they saw".to_owned()
        }
        Some(_) | None => return,
    };
    env.history.violate("S25", Some(order.id), what);
}

/// Once the world has healed, what was paused goes on. Whether anything was.
pub(crate) fn resume_all(sim: &Sim, engines: &[Option<Engine>]) -> bool {
    let mut env = sim.lock();
    let Some((life, engine)) = node(&env, 0, engines) else {
        return false;
    };
    let history = &env.history;
    let paused: Vec<OrderId> = history
        .orders
        .iter()
        .copied()
        .filter(|id| history.order(*id).is_some_and(|order| order.paused))
        .collect();
    if paused.is_empty() {
        return false;
    }
    let (sim, engine) = (sim.clone(), Arc::new(engine));
    let work = async move {
        for order in paused {
            let resume = OperatorAction::Resume;
            act(&sim, &engine, order, actor(resume, false), resume, None).await;
        }
    };
    env.spawned.push((life, Box::pin(work)));
    true
}
