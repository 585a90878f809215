//! The idempotency store: one key, one request, one answer, for 24 hours (contract §6.4).

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entities::Account;
use crate::clock::Millis;

const LIFETIME: Millis = 24 * 3600 * 1000;

/// What a request must repeat to be the same request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) path: String,
    pub(crate) account: Account,
    pub(crate) body_sha256: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredAnswer {
    pub(crate) key: String,
    pub(crate) identity: Identity,
    pub(crate) first_at: Millis,
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) code: Option<String>,
    pub(crate) card_id: Option<Uuid>,
    pub(crate) cardholder_id: Option<Uuid>,
}

pub(crate) enum Lookup<'a> {
    Unknown,
    Running,
    Mismatch,
    Answered(&'a StoredAnswer),
}

#[derive(Debug, Default)]
pub(crate) struct IdempotencyStore {
    answers: HashMap<String, StoredAnswer>,
    by_age: VecDeque<(Millis, String)>,
    /// Lost by a crash, as it should be: what was running is running no more.
    running: HashSet<String>,
}

impl IdempotencyStore {
    pub(crate) fn look_up(&mut self, key: &str, identity: &Identity, now: Millis) -> Lookup<'_> {
        self.forget_old(now);
        if self.running.contains(key) {
            return Lookup::Running;
        }
        match self.answers.get(key) {
            None => Lookup::Unknown,
            Some(answer) if answer.identity == *identity => Lookup::Answered(answer),
            Some(_) => Lookup::Mismatch,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&StoredAnswer> {
        self.answers.get(key)
    }

    /// Every answer still kept, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &StoredAnswer> {
        self.by_age.iter().filter_map(|(first_at, key)| {
            self.get(key).filter(|answer| answer.first_at == *first_at)
        })
    }

    pub(crate) fn start(&mut self, key: &str) {
        self.running.insert(key.to_owned());
    }

    pub(crate) fn stop(&mut self, key: &str) {
        self.running.remove(key);
    }

    pub(crate) fn keep(&mut self, answer: StoredAnswer) {
        self.by_age.push_back((answer.first_at, answer.key.clone()));
        self.answers.insert(answer.key.clone(), answer);
    }

    pub(crate) fn forget_old(&mut self, now: Millis) {
        while let Some((first_at, key)) = self.by_age.pop_front_if(|(at, _)| *at + LIFETIME <= now)
        {
            if self
                .answers
                .get(&key)
                .is_some_and(|answer| answer.first_at == first_at)
            {
                self.answers.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(body: &str) -> Identity {
        Identity {
            path: "/p".into(),
            account: None,
            body_sha256: body.into(),
        }
    }

    fn store() -> IdempotencyStore {
        let mut store = IdempotencyStore::default();
        store.keep(StoredAnswer {
            key: "k".into(),
            identity: identity("a"),
            first_at: 1000,
            status: 200,
            body: "{}".into(),
            code: None,
            card_id: None,
            cardholder_id: None,
        });
        store
    }

    #[test]
    fn the_same_request_is_answered_and_another_is_refused() {
        let mut store = store();
        assert!(matches!(
            store.look_up("k", &identity("a"), 2000),
            Lookup::Answered(_)
        ));
        assert!(matches!(
            store.look_up("k", &identity("b"), 2000),
            Lookup::Mismatch
        ));
        assert!(matches!(
            store.look_up("other", &identity("a"), 2000),
            Lookup::Unknown
        ));
    }

    #[test]
    fn a_key_protects_for_24_hours_and_not_longer() {
        let mut store = store();
        assert!(matches!(
            store.look_up("k", &identity("a"), 1000 + LIFETIME - 1),
            Lookup::Answered(_)
        ));
        assert!(matches!(
            store.look_up("k", &identity("a"), 1000 + LIFETIME),
            Lookup::Unknown
        ));
    }

    #[test]
    fn a_running_key_is_running_until_it_stops() {
        let mut store = IdempotencyStore::default();
        store.start("k");
        assert!(matches!(
            store.look_up("k", &identity("a"), 0),
            Lookup::Running
        ));
        store.stop("k");
        assert!(matches!(
            store.look_up("k", &identity("a"), 0),
            Lookup::Unknown
        ));
    }
}
