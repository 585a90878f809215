//! The discipline of keys over log and provider together: a key names one intended effect, goes with one body, is recorded
//! before it is used, and is never used when it is old.

use issuance_domain::{
    CardholderId, Digest, Generation, IdempotencyKey, OrderId, Purpose, Timestamp,
};

use super::Checker;
use super::invariant::{Input, Invariant};
use super::order::Seen;
use super::provider::{Call, Request};
use super::violation::Evidence;

/// What is known of one key.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyUse {
    /// What it is for, by the log.
    pub(super) owner: Option<(OrderId, Purpose, Generation)>,
    /// The first request that carried it, and the hash of its body.
    first: Option<(u64, Timestamp, Box<str>)>,
}

impl Checker {
    pub(super) fn judge_start(
        &mut self,
        id: OrderId,
        purpose: Purpose,
        generation: Generation,
        key: IdempotencyKey,
        body: &Digest,
        seen: Seen,
    ) {
        let effect = (id, purpose, generation);
        let known = self.keys.entry(key).or_default();
        let owner = *known.owner.get_or_insert(effect);
        let tracked = self.orders.get(&id);
        let before = tracked.and_then(|tracked| tracked.sent(purpose, generation));
        let same_key = before.is_none_or(|before| before.key == key);
        let same_body = before.is_none_or(|before| before.body == *body);
        let one = owner == effect && same_key && same_body;
        let facts = || {
            let before = before.map(|before| Evidence::from(before.first));
            before.into_iter().chain([seen.into()]).collect()
        };
        self.verdicts.hold(Invariant::S7, Some(id), one, || {
            let what = if owner != effect {
                format!("its key {key} belongs to order {} as well", owner.0)
            } else if !same_key {
                format!(
                    "key {generation} to {} is another one than before",
                    purpose.name()
                )
            } else {
                format!("another body goes under key {key} than before")
            };
            (what, facts())
        });
        let young = before
            .is_none_or(|before| seen.at.since(before.first.at) < self.rules.policy.key_safe_age);
        self.verdicts.hold(Invariant::S9, Some(id), young, || {
            let what = format!("key {key} is sent again when it is too old");
            (what, facts())
        });
    }

    /// A call the provider received. In whatever order: the log is known up to here at least.
    pub(super) fn judge_request(&mut self, request: &Request) {
        self.verdicts.see(Input::Requests);
        self.provider
            .count(request, &self.rules, &mut self.verdicts);
        if request.is_read() {
            self.provider.reads.push(request.seen());
        }
        let Some(text) = &request.key else {
            return;
        };
        let evidence = Evidence::Request {
            number: request.number,
            at: request.at,
        };
        let Some(key) = parse(text) else {
            self.verdicts.hold(Invariant::S7, None, false, || {
                (format!("{text:?} is no key of ours"), vec![evidence])
            });
            return;
        };
        let known = self.keys.entry(key).or_default();
        let owner = known.owner;
        let order = owner.map(|(order, ..)| order);
        self.verdicts
            .hold(Invariant::S6, order, owner.is_some(), || {
                let what = format!("a call with key {key} arrived before the log named the key");
                (what, vec![evidence.clone()])
            });
        let first = known
            .first
            .get_or_insert_with(|| (request.number, request.at, request.body.clone()));
        let first_seen = Evidence::Request {
            number: first.0,
            at: first.1,
        };
        let fits = owner.is_none_or(|(_, purpose, _)| {
            (purpose == Purpose::CreateCard) == (request.call == Call::CreateCard)
        });
        self.verdicts.hold(
            Invariant::S7,
            order,
            first.2 == request.body && fits,
            || {
                let what = if fits {
                    format!("two bodies went under key {key}")
                } else {
                    format!("key {key} was used for another call than it names")
                };
                (what, vec![first_seen.clone(), evidence.clone()])
            },
        );
        let limit = self.rules.policy.key_safe_age + self.rules.key_age_slack;
        let young = request.at.since(first.1) < limit;
        self.verdicts.hold(Invariant::S9, order, young, || {
            let what = format!("key {key} arrived when the provider may have forgotten it");
            (what, vec![first_seen, evidence.clone()])
        });
        let Some((id, purpose, generation)) = owner else {
            return;
        };
        self.judge_moment(id, purpose, generation, request, evidence);
        if let Some(holder) = request
            .made_holder()
            .filter(|_| purpose == Purpose::CreateCard)
        {
            self.provider.add_holder(id, holder);
        }
    }

    /// Not before its record, not after the order's end. Only where the two clocks can be compared.
    fn judge_moment(
        &mut self,
        id: OrderId,
        purpose: Purpose,
        generation: Generation,
        request: &Request,
        evidence: Evidence,
    ) {
        let (Some(clocks), Some(tracked)) = (self.rules.clocks, self.orders.get(&id)) else {
            return;
        };
        let Some(sent) = tracked.sent(purpose, generation) else {
            return;
        };
        let recorded = sent.first.at <= request.at.after(clocks);
        self.verdicts.hold(Invariant::S6, Some(id), recorded, || {
            let what = "a call arrived before its record was made".to_owned();
            (what, vec![evidence.clone(), sent.first.into()])
        });
        // How long a call may take is the policy's.
        let judged = purpose == Purpose::CreateCard && !self.rules.any_policy;
        let Some(ended) = tracked.ended.filter(|_| judged) else {
            return;
        };
        // An event has its decision's time: an end that waited to be recorded may be older than a send before it.
        let last = (ended.at.max(sent.last))
            .after(self.rules.policy.call_deadline)
            .after(clocks);
        self.verdicts
            .hold(Invariant::S28, Some(id), request.at <= last, || {
                let what = "a create call arrived long after the order had ended".to_owned();
                (what, vec![ended.into(), evidence])
            });
    }

    /// Whose create call a key belongs to.
    pub(super) fn creator(&self, key: &str) -> Option<OrderId> {
        let (order, purpose, _) = self.keys.get(&parse(key)?)?.owner?;
        (purpose == Purpose::CreateCard).then_some(order)
    }
}

/// A key as we write it: a lower-case UUID.
fn parse(text: &str) -> Option<IdempotencyKey> {
    let key = IdempotencyKey(text.parse().ok()?);
    (key.to_string() == text).then_some(key)
}

impl Request {
    /// The person a create call made.
    fn made_holder(&self) -> Option<&CardholderId> {
        self.cardholder.as_ref().filter(|_| self.effect)
    }
}
