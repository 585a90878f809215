//! Webhooks: stored before they are acknowledged, taken only when they are genuine, applied once, and never left lying.

use std::collections::HashMap;

use issuance_domain::{MessageId, OrderId, Source, Terms, Timestamp};
use issuance_store::{Alias, HostReference, Message, REPEATS_KNOWN_FOR, Recorded, Standing};

use super::Checker;
use super::invariant::{Input, Invariant};
use super::order::{Seen, Tracked};
use super::verdicts::Verdicts;
use super::violation::Evidence;

/// What is known of one message.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivered {
    stored: Option<Timestamp>,
    aliases: Vec<Alias>,
    /// It is about a card: its person alone says nothing of whose it is.
    of_card: bool,
    standing: Option<Standing>,
    /// The first event that came of it, and whose.
    applied: Option<(OrderId, Seen)>,
    /// The first event of the append that settled it.
    settled: Option<Seen>,
    genuine: bool,
    forged: Option<Timestamp>,
    acknowledged: Option<Timestamp>,
}

impl Checker {
    /// A message of the inbox, as it was stored.
    pub fn message(&mut self, message: &Message) {
        self.verdicts.see(Input::Inbox);
        let known = self.messages.entry(message.id.clone()).or_default();
        let earlier = known.stored.replace(message.received_at);
        if let Some(earlier) = earlier.filter(|earlier| *earlier != message.received_at) {
            let since = message.received_at.since(earlier);
            let forgotten = since >= REPEATS_KNOWN_FOR;
            let id = &message.id;
            self.verdicts.hold(Invariant::S14, None, forgotten, || {
                let what = format!("message {id} was stored twice, {}s apart", since.as_secs());
                (what, vec![Evidence::Message { id: id.clone() }])
            });
            // Taken for new, it is judged as new.
            if forgotten {
                (known.applied, known.settled, known.standing) = (None, None, None);
            }
        }
        known.aliases.clone_from(&message.aliases);
        known.of_card = message.event_type.starts_with("card.");
        known.standing.get_or_insert(Standing::Pending);
    }

    /// What became of a message that led to no events.
    pub fn settled(&mut self, id: &MessageId, standing: &Standing) {
        self.verdicts.see(Input::Inbox);
        self.messages.entry(id.clone()).or_default().standing = Some(standing.clone());
    }

    /// A message that led to events, settled in the same append, whose first event this is.
    pub fn settles(&mut self, id: &MessageId, first: &Recorded) {
        self.verdicts.see(Input::Inbox);
        let (order, seen) = (first.order, Seen::of(first));
        let known = self.messages.entry(id.clone()).or_default();
        known.standing = Some(Standing::Settled { order: Some(order) });
        let first = *known.settled.get_or_insert(seen);
        let once = first.position == seen.position;
        self.verdicts.hold(Invariant::S14, Some(order), once, || {
            let what = format!("message {id} was settled by two appends");
            (what, vec![first.into(), seen.into()])
        });
    }

    /// All messages were shown, even if there was none.
    pub fn messages_are_known(&mut self) {
        self.verdicts.see(Input::Inbox);
    }

    pub(super) fn judge_source(
        &mut self,
        id: OrderId,
        source: &Source,
        seen: Seen,
        is_noted: bool,
    ) {
        let Source::Webhook { event_id, .. } = source else {
            return;
        };
        if !self.messages.contains_key(event_id) {
            self.messages.insert(event_id.clone(), Delivered::default());
        }
        let Some(known) = self.messages.get_mut(event_id) else {
            return;
        };
        known.standing = Some(Standing::Settled { order: Some(id) });
        if known.stored.is_some() && known.applied.is_none() {
            self.applying.push((event_id.clone(), id, seen, is_noted));
        }
        let (order, first) = *known.applied.get_or_insert((id, seen));
        // What one append holds has one time.
        let once = order == id && first.at == seen.at;
        self.verdicts.hold(Invariant::S14, Some(id), once, || {
            let what = format!("message {event_id} was applied twice, first to order {order}");
            (what, vec![first.into(), seen.into()])
        });
    }

    pub(super) fn judge_delivery(
        &mut self,
        id: Option<&MessageId>,
        genuine: bool,
        taken: bool,
        at: Timestamp,
    ) {
        let mut facts = vec![Evidence::Outside { at }];
        facts.extend(id.cloned().map(|id| Evidence::Message { id }));
        self.verdicts
            .hold(Invariant::S5, None, genuine || !taken, || {
                let what = "a webhook was acknowledged that the provider did not send".to_owned();
                (what, facts)
            });
        let Some(id) = id else {
            return;
        };
        let known = self.messages.entry(id.clone()).or_default();
        known.genuine |= genuine;
        if !genuine {
            known.forged.get_or_insert(at);
        }
        if genuine && taken {
            known.acknowledged.get_or_insert(at);
        }
    }

    /// One reference, one order.
    pub(super) fn judge_reference(&mut self, id: OrderId, terms: &Terms, seen: Seen) {
        let reference = HostReference {
            account: terms.account.clone(),
            reference: terms.reference.clone(),
        };
        let first = *self.references.entry(reference).or_insert(id);
        self.verdicts
            .hold(Invariant::S15, Some(id), first == id, || {
                let what = format!("reference {} is order {first}'s", terms.reference);
                (what, vec![seen.into()])
            });
    }

    /// What only shows once all was seen.
    pub(super) fn judge_messages(&self, at_rest: bool, verdicts: &mut Verdicts) {
        let inbox = verdicts.has_seen(Input::Inbox);
        for (id, known) in &self.messages {
            let message = || Evidence::Message { id: id.clone() };
            if let Some(at) = known.acknowledged.filter(|_| inbox) {
                verdicts.hold(Invariant::S4, None, known.stored.is_some(), || {
                    let what =
                        format!("message {id} was acknowledged, and the inbox does not have it");
                    (what, vec![Evidence::Outside { at }, message()])
                });
            }
            if let Some(at) = known.forged.filter(|_| !known.genuine) {
                let order = known.applied.map(|(order, _)| order);
                verdicts.hold(Invariant::S5, order, known.applied.is_none(), || {
                    let what =
                        format!("message {id} changed an order, and the provider never sent it");
                    let applied = known.applied.map(|(_, seen)| seen.into());
                    let facts = [Some(Evidence::Outside { at }), Some(message()), applied];
                    (what, facts.into_iter().flatten().collect())
                });
            }
            if at_rest && known.stored.is_some() {
                let lies = match &known.standing {
                    Some(Standing::Pending) | None => true,
                    Some(Standing::Parked) => self.knows_one_of(&known.aliases),
                    Some(Standing::Settled { .. } | Standing::Quarantined { .. }) => false,
                };
                verdicts.hold(Invariant::L3, None, !lies, || {
                    let what = format!("message {id} was left lying, and its order is known");
                    (what, vec![message()])
                });
            }
        }
    }

    fn knows_one_of(&self, aliases: &[Alias]) -> bool {
        aliases.iter().any(|alias| {
            let mut orders = self
                .orders
                .values()
                .filter_map(|tracked| tracked.order.as_ref());
            match alias {
                Alias::Order(id) => self.orders.contains_key(id),
                Alias::Card(card) => orders.any(|order| order.ids.card.as_ref() == Some(card)),
                Alias::CardOrder(known) => {
                    orders.any(|order| order.ids.card_order.as_ref() == Some(known))
                }
                // Several orders can share a person.
                Alias::Cardholder(_) => false,
            }
        })
    }
}

/// What led to events is settled with them, and is about that order: a card is known by its own names and our mark,
/// never by its person, and what bears another order's mark is noted at most.
pub(super) fn judge_applied(
    applying: &[(MessageId, OrderId, Seen, bool)],
    messages: &HashMap<MessageId, Delivered>,
    orders: &HashMap<OrderId, Tracked>,
    verdicts: &mut Verdicts,
) {
    for (message, id, seen, is_noted) in applying {
        let Some(known) = messages.get(message) else {
            continue;
        };
        let facts = || {
            vec![
                Evidence::Message {
                    id: message.clone(),
                },
                (*seen).into(),
            ]
        };
        let settled = known.settled.is_some_and(|settled| settled.at == seen.at);
        verdicts.hold(Invariant::S14, Some(*id), settled, || {
            let what = format!("message {message} led to events that do not settle it");
            (what, facts())
        });
        let Some(order) = orders.get(id).and_then(|tracked| tracked.order.as_ref()) else {
            continue;
        };
        let names = |alias: &Alias| {
            let alone = known.of_card && matches!(alias, Alias::Cardholder(_));
            !alone && alias.names(order)
        };
        let strange = |alias: &Alias| matches!(alias, Alias::Order(other) if other != id);
        let named = known.aliases.iter().any(names);
        let another = known.aliases.iter().any(strange);
        verdicts.hold(
            Invariant::S18,
            Some(*id),
            named && (*is_noted || !another),
            || {
                let what = format!("message {message} changed it, and is not about it");
                (what, facts())
            },
        );
    }
}
