//! What changes something at the provider: our order → their call, their answer → a fact.

use issuance_domain::{
    CardStatus, CardholderStatus, Creation, Echo, Fact, IdempotencyKey, Order, ProviderIds,
    SilenceCause,
    planted::{self, Bug},
};
use issuance_executor::{Heard, Outcome, Silence, Window};
use issuance_store::Salt;
use issuance_uqpay as uqpay;
use uqpay::{Answer, Auth, Body};

use super::{May, UqpayProvider, account, card_of, cardholder_of};
use crate::words;

impl UqpayProvider {
    pub(super) async fn create_card(
        &self,
        order: &Order,
        body: &Body,
        key: IdempotencyKey,
        salt: &Salt,
        window: &Window,
    ) -> Outcome {
        let account = account(order).filter(|_| !planted::is(Bug::AccountLost));
        let answer = authorized!(
            self,
            "create_card",
            May::Send(window),
            account.as_ref(),
            |auth| { self.client.create_card(auth, key.0, body) }
        );
        self.outcome(answer, |created| {
            let (link, sealed) = self.link(
                created.idv_verification_url.as_ref(),
                created.idv_url_expires_at,
                Some(salt),
            );
            let fact = Fact::Created(Creation {
                card: created
                    .card_status
                    .as_ref()
                    .map_or(CardStatus::Pending, words::card_status),
                order: created.order_status.as_ref().map(words::card_order_status),
                cardholder: created
                    .cardholder_status
                    .as_ref()
                    .map(words::cardholder_status),
                verification: created
                    .verification_status
                    .as_ref()
                    .map(words::verification),
                link,
            });
            let ids = words::ids(
                Some(&created.card_id),
                created.card_order_id.as_ref(),
                created.cardholder_id.as_ref(),
            );
            let echo = words::echo(
                &created.metadata,
                created.card_product_id.as_ref(),
                created.card_currency.as_deref(),
            );
            Heard {
                fact,
                ids,
                echo,
                sealed,
            }
        })
    }

    pub(super) async fn renew_link(
        &self,
        order: &Order,
        body: &Body,
        key: IdempotencyKey,
        salt: &Salt,
        window: &Window,
    ) -> Outcome {
        let account = account(order);
        let Some(id) = cardholder_of(order) else {
            return Outcome::Silent(Silence::new(SilenceCause::NotSent));
        };
        let answer = authorized!(
            self,
            "renew_idv_link",
            May::Send(window),
            account.as_ref(),
            |auth| { self.client.update_cardholder(auth, &id, key.0, body) }
        );
        self.outcome(answer, |reply| {
            let (link, sealed) = self.link(
                reply.idv_verification_url.as_ref(),
                reply.idv_url_expires_at,
                Some(salt),
            );
            let status = reply
                .cardholder_status
                .as_ref()
                .map_or(CardholderStatus::Incomplete, words::cardholder_status);
            let ids = words::ids(None, None, Some(&reply.cardholder_id));
            Heard {
                fact: Fact::Cardholder { status, link },
                ids,
                echo: Echo::default(),
                sealed,
            }
        })
    }

    pub(super) async fn cancel_card(
        &self,
        order: &Order,
        body: &Body,
        key: IdempotencyKey,
        window: &Window,
    ) -> Outcome {
        let account = account(order);
        let Some(id) = card_of(order) else {
            return Outcome::Silent(Silence::new(SilenceCause::NotSent));
        };
        let answer = authorized!(
            self,
            "cancel_card",
            May::Send(window),
            account.as_ref(),
            |auth| { self.client.update_card_status(auth, &id, key.0, body) }
        );
        self.outcome(answer, |_| Heard {
            fact: Fact::CancelTaken,
            ids: ProviderIds::default(),
            echo: Echo::default(),
            sealed: Vec::new(),
        })
    }

    /// The answer to a submission in our words.
    fn outcome<T>(
        &self,
        answer: Result<Answer<T>, Silence>,
        hear: impl FnOnce(T) -> Heard,
    ) -> Outcome {
        let now = self.clock.now();
        match answer {
            Ok(Answer::Ok(received)) => Outcome::Heard(vec![hear(received.value)]),
            Ok(Answer::Refused(refusal)) => words::refused(&refusal, now),
            Ok(Answer::Unknown(unknown)) => Outcome::Silent(words::unknown(&unknown, now)),
            Ok(Answer::NotSent(not_sent)) => Outcome::Silent(words::not_sent(&not_sent)),
            Err(silence) => Outcome::Silent(silence),
        }
    }
}
