//! What is new in the log.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use issuance_audit::Outside;
use issuance_domain::{
    EventBody, ExpiryCause, FailureKind, OrderId, Purpose, Scan, SilenceCause, State, Timestamp,
};
use issuance_store::{Kept, Recorded, SimulatedStore, Store};

use super::History;
use super::calls::{Key, is_wanted};
use super::provider::Made;
use crate::coverage::Coverage;
use crate::rows;

impl History {
    /// Takes what is new in the log.
    pub(crate) fn follow_log(
        &mut self,
        store: &SimulatedStore,
        kept: &[Kept],
        now: i64,
        coverage: &mut Coverage,
    ) {
        let mut touched = BTreeSet::new();
        for kept in kept {
            let (record, settles) = match kept {
                Kept::Event(record, settles) => (record, settles),
                Kept::Received(message) => {
                    self.checker.message(message);
                    self.put_aside(store, message);
                    continue;
                }
                Kept::Settled(id, standing) => {
                    self.checker.settled(id, standing);
                    self.watch.stands(id, standing);
                    continue;
                }
            };
            let state = self
                .checker
                .order(record.order)
                .map_or("first", |order| order.state.name());
            coverage.cell(state, &record.event.body);
            self.note(record, now, coverage);
            self.positions.push(record.position);
            self.checker.record(record);
            if let Some(message) = settles {
                self.checker.settles(message, record);
            }
            touched.insert(record.order);
        }
        self.checker.settle();
        for id in touched {
            let (Some(Ok(Some(order))), Some(Ok(rows))) = (
                store.order(id).now_or_never(),
                store.tasks(id).now_or_never(),
            ) else {
                continue;
            };
            let tasks: Vec<_> = rows.iter().map(|row| row.id).collect();
            self.checker.projection(&order, &tasks);
            self.watch.owes(id, &tasks);
            let broken = rows::found(store, &order);
            self.take(broken);
            self.orders.insert(id);
            for (key, known) in &mut self.keys {
                if known.order == id {
                    let wanted = is_wanted(&order, known.purpose, key);
                    known.unwanted = (!wanted).then(|| known.unwanted.unwrap_or(now));
                }
            }
        }
        self.look();
    }

    pub(super) fn note(&mut self, record: &Recorded, now: i64, coverage: &mut Coverage) {
        let order = self.checker.order(record.order);
        let broken = self.evidence.judge(
            record.order,
            order,
            &record.event,
            self.link_life,
            self.clocks_differ,
        );
        self.take(broken);
        match &record.event.body {
            EventBody::SubmissionStarted { purpose, key, .. } => {
                let known = self.keys.entry(key.to_string()).or_insert(Key {
                    order: record.order,
                    purpose: *purpose,
                    started: now,
                    last: now,
                    left: false,
                    by: BTreeMap::new(),
                    away: BTreeSet::new(),
                    unwanted: None,
                });
                known.last = now;
                known.left = false;
            }
            EventBody::SubmissionUnanswered {
                purpose,
                attempt,
                cause: SilenceCause::NotSent,
                ..
            } => {
                let order = self.checker.order(record.order);
                let submission = order.and_then(|order| order.submission(*purpose));
                let key = submission.map(|submission| submission.key.to_string());
                if key.is_some_and(|key| {
                    self.keys
                        .get(&key)
                        .is_some_and(|known| known.away.contains(attempt))
                }) {
                    let what = "a call that left is recorded as not sent".to_owned();
                    self.violate("S30", Some(record.order), what);
                }
            }
            EventBody::SubmissionRefused { refusal, .. } => coverage.code(&refusal.code),
            EventBody::AttentionRaised { reason } => coverage.attention(reason.name()),
            EventBody::KeyExpired {
                because: Some(because @ (ExpiryCause::BodyChanged | ExpiryCause::DataMissing)),
                ..
            } => {
                let what = format!("its call could not be made as it was: {because:?}");
                self.violate("S7", Some(record.order), what);
            }
            EventBody::AbsenceObserved {
                scan, counts: true, ..
            } => self.judge_scan(record.order, scan, false),
            EventBody::AbsenceProved { second, .. } => {
                self.judge_search(record.order, second.began);
                self.judge_scan(record.order, second, true);
            }
            EventBody::IdvLinkExpired { .. } => self.judge_expiry(record.order, now),
            EventBody::OrderFailed { failure, .. } if failure.kind == FailureKind::IdvExpired => {
                self.judge_expiry(record.order, now);
            }
            _ => {}
        }
        self.search(Some(record.order), || format!("{:?}", record.event.body));
    }

    /// Nothing came of a call that makes the person, too, only if the person was looked for.
    pub(super) fn judge_search(&mut self, id: OrderId, began: Timestamp) {
        let makes_person = self.checker.order(id).is_some_and(|order| {
            let create = order.submission(Purpose::CreateCard);
            order.terms.cardholder_id.is_none()
                && create.is_some_and(|create| create.cardholder.is_none())
        });
        let last = self.watch.people_read();
        let unread = last.is_none_or(|last| last + 1_000 < began.millis());
        if makes_person && unread && !self.clocks_wrong {
            let what = "absence is proved, and nobody looked for the person".to_owned();
            self.violate("S8", Some(id), what);
        }
    }

    /// A search that counts has met every card there was when it began. The last one has met the people, too; the first
    /// may have begun while its key could still be sent.
    pub(super) fn judge_scan(&mut self, id: OrderId, scan: &Scan, with_people: bool) {
        let Some(order) = self.checker.order(id).filter(|_| !self.clocks_wrong) else {
            return;
        };
        let create = order.submission(Purpose::CreateCard);
        let is_one_step = order.terms.cardholder_id.is_none()
            && create.is_some_and(|create| create.cardholder.is_none());
        let account = order.terms.account.as_ref().map(ToString::to_string);
        let is_there = |made: &&Made| {
            made.at + 1_000 < scan.began.millis()
                && made.account.map(|account| account.to_string()) == account
        };
        let cards = self.made.iter().filter(is_there);
        let rows = if is_one_step {
            let people = cards.clone().filter(|_| with_people);
            let people: BTreeSet<_> = people.map(|made| made.holder).collect();
            cards.count() + people.len()
        } else {
            let person = order.terms.cardholder_id.as_ref();
            let holder = person.map(ToString::to_string);
            cards
                .filter(|made| Some(made.holder.to_string()) == holder)
                .count()
        };
        if (scan.rows as usize) < rows {
            let what = format!(
                "a search of {} rows counts, and there were {rows}",
                scan.rows
            );
            self.violate("S8", Some(id), what);
        }
    }

    /// A link's end is acted on: by true time it must be over. A process that started with a wrong clock cannot know.
    pub(super) fn judge_expiry(&mut self, id: OrderId, now: i64) {
        let Some(State::IdvPending { idv }) = self.checker.order(id).map(|order| &order.state)
        else {
            return;
        };
        let link = idv.link.as_ref().map(|link| link.expires_at.millis());
        if let Some(ends) = link.filter(|ends| now + self.clocks_differ < *ends && !self.restarted)
        {
            let what = format!("a link expired {} s before its end", (ends - now) / 1_000);
            self.violate("S24", Some(id), what);
        }
    }

    /// A process opened the log.
    pub(crate) fn started(&mut self, store: &SimulatedStore, now: i64) {
        self.watch.reopened();
        if let Some(Ok(head)) = store.head().now_or_never() {
            let at = Timestamp::from_millis(now);
            self.checker.outside(&Outside::Started { head, at });
            self.look();
        }
    }
}
