//! Keyed calls, as the wire shows them.

use std::collections::{BTreeMap, BTreeSet};

use issuance_domain::{METADATA_ORDER_KEY, Order, OrderId, Phase, Policy, Purpose};
use issuance_simulator::CardEntry;

use super::History;
use crate::tasks::Life;

/// One key as the log has it.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) order: OrderId,
    pub(super) purpose: Purpose,
    /// True times of its first record and of its newest.
    pub(super) started: i64,
    pub(super) last: i64,
    /// It has left since its newest record.
    pub(super) left: bool,
    /// Which attempt each process recorded last.
    pub(super) by: BTreeMap<Life, u32>,
    /// Attempts that have left, and no answer said that they were not let in.
    pub(super) away: BTreeSet<u32>,
    /// Since when the log says that it is not to be sent: paused, answered, or over.
    pub(super) unwanted: Option<i64>,
}

impl History {
    /// A keyed call leaves on behalf of this account: its order's.
    pub(crate) fn on_behalf(&mut self, key: &str, account: Option<&str>) {
        let Some(id) = self.keys.get(key).map(|known| known.order) else {
            return;
        };
        let is_its_own = self.order(id).is_none_or(|order| {
            let its_own = order.terms.account.as_ref();
            its_own.map(issuance_domain::Account::as_str) == account
        });
        if !is_its_own {
            let what = format!("its call leaves on behalf of {account:?}");
            self.violate("S16", Some(id), what);
        }
    }

    /// A cancel leaves for this card: its mark is of the order that sends it.
    pub(crate) fn cancels(&mut self, key: &str, card: &CardEntry) {
        let mark = card.metadata.get(METADATA_ORDER_KEY);
        let mark = mark.and_then(serde_json::Value::as_str);
        let of = self.keys.get(key).map(|known| known.order);
        if of.is_some_and(|order| mark.is_some_and(|mark| mark != order.to_string())) {
            let what = format!("it cancels card {} of another order", card.card_id);
            self.violate("X5", of, what);
        }
    }

    /// A keyed call is about to leave: only here is known what was durable then, and how old the key was.
    pub(crate) fn leaves(
        &mut self,
        life: Life,
        up_since: i64,
        key: &str,
        now: i64,
        policy: &Policy,
    ) {
        let Some(known) = self.keys.get_mut(key) else {
            let what = format!("a call left with key {key}, which no log knows");
            return self.violate("S6", None, what);
        };
        let (order, age, waited) = (known.order, now - known.started, now - known.last);
        let is_create = known.purpose == Purpose::CreateCard;
        let is_first = !std::mem::replace(&mut known.left, true);
        // What changes while a token is fetched, before the same call goes once more for its token, or while its process
        // stands still between its last look at the order and the wire, is not seen.
        let unwanted = known.unwanted.filter(|since| {
            let looked = *since < now && *since >= up_since;
            is_first && looked && self.watch.had_token(life, *since)
        });
        if let Some(since) = unwanted {
            let what = format!(
                "a call left {} ms after its order was paused, answered or over",
                now - since
            );
            self.violate("S28", Some(order), what);
        }
        let window = i64::try_from(policy.call_deadline.as_millis() / 2).unwrap_or(i64::MAX);
        // The steady clock keeps it, whatever becomes of the other.
        if waited > window {
            let what = format!("a call left {waited} ms after its record, {window} may be");
            self.violate("S6", Some(order), what);
        }
        let safe = i64::try_from(policy.key_safe_age.as_millis()).unwrap_or(i64::MAX);
        if is_create && !self.clocks_wrong && age > safe {
            let what = format!("a call left with a key of {age} ms, safe are {safe}");
            self.violate("S9", Some(order), what);
        }
    }

    /// A keyed call is on its way; or its answer says that it was not let in.
    pub(crate) fn is_away(&mut self, life: Life, key: &str, away: bool) {
        let Some(known) = self.keys.get_mut(key) else {
            return;
        };
        let Some(attempt) = known.by.get(&life).copied() else {
            return;
        };
        if away {
            known.away.insert(attempt);
        } else {
            known.away.remove(&attempt);
        }
    }

    /// A process has recorded that it sends.
    pub(crate) fn records(&mut self, life: Life, key: &str, attempt: u32) {
        if let Some(known) = self.keys.get_mut(key) {
            known.by.insert(life, attempt);
        }
    }
}

/// Whether a call under this key is under way, by the log.
pub(super) fn is_wanted(order: &Order, purpose: Purpose, key: &str) -> bool {
    let flies = order.submission(purpose).is_some_and(|submission| {
        matches!(submission.phase, Phase::InFlight { .. }) && submission.key.to_string() == key
    });
    flies && !order.paused
}
