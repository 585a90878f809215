//! A provider of a few lines. What it answers hangs on the order's reference: `idv-…` sends the person to a link,
//! `capacity-…` is refused for lack of cards, everything else becomes a card.

use async_trait::async_trait;
use issuance::domain::{
    CardOrderStatus, CardStatus, CardholderStatus, Creation, Fact, IdempotencyKey, Link, Order,
    Personal, Product, ProductId, ProviderIds, Purpose, Refusal, RefusalClass, Verification,
};
use issuance::store::{Field, Salt, SealedRequest, Sealing};
use issuance::{Clock, Provider, SystemClock};
use issuance_executor::{Heard, Outcome, PrepareError, Prepared, ProductError, Silence, Window};

/// Where the person is sent. Nothing but one route may ever show it.
pub(crate) const LINK: &str = "https://idv.example.test/s3cret-l1nk";

#[derive(Debug)]
pub(crate) struct SmallProvider;

fn ids(order: &Order) -> ProviderIds {
    let name = |kind: &str| format!("{kind}-{}", order.id);
    ProviderIds {
        card: Some(name("card").parse().unwrap()),
        card_order: Some(name("card-order").parse().unwrap()),
        cardholder: Some(name("person").parse().unwrap()),
    }
}

fn heard(order: &Order, fact: Fact) -> Heard {
    Heard {
        fact,
        ids: ids(order),
        echo: Default::default(),
        sealed: Vec::new(),
    }
}

#[async_trait]
impl Provider for SmallProvider {
    fn prepare(
        &self,
        order: &Order,
        purpose: Purpose,
        _personal: &Personal,
    ) -> Result<Prepared, PrepareError> {
        Ok(Prepared {
            purpose,
            body: order.id.to_string().into_bytes().into(),
        })
    }

    async fn submit(
        &self,
        order: &Order,
        _prepared: &Prepared,
        _key: IdempotencyKey,
        salt: &Salt,
        _window: &Window,
    ) -> Outcome {
        let reference = order.terms.reference.as_str();
        if reference.starts_with("capacity-") {
            let refusal = Refusal {
                class: RefusalClass::Capacity,
                code: "insufficient_sub_bin".into(),
                http_status: 400,
                missing_fields: Vec::new(),
            };
            let fact = Fact::Refused(refusal);
            return Outcome::Heard(vec![Heard {
                fact,
                ids: ProviderIds::default(),
                echo: Default::default(),
                sealed: Vec::new(),
            }]);
        }
        if reference.starts_with("idv-") {
            let digest = salt.digest(LINK.as_bytes());
            let expires_at = SystemClock
                .now()
                .after(std::time::Duration::from_secs(3600));
            let sealed = Sealing {
                field: Field::IdvLink(digest.to_string()),
                plaintext: LINK.as_bytes().to_vec().into(),
            };
            let creation = Creation {
                card: CardStatus::Pending,
                order: None,
                cardholder: Some(CardholderStatus::Incomplete),
                verification: Some(Verification::ActionRequired),
                link: Some(Link { digest, expires_at }),
            };
            let heard = heard(order, Fact::Created(creation));
            return Outcome::Heard(vec![Heard {
                sealed: vec![sealed],
                ..heard
            }]);
        }
        let creation = Creation {
            card: CardStatus::Active,
            order: Some(CardOrderStatus::Success),
            cardholder: Some(CardholderStatus::Success),
            verification: Some(Verification::Verified),
            link: None,
        };
        Outcome::Heard(vec![heard(order, Fact::Created(creation))])
    }

    async fn look_up(&self, order: &Order, _sealed: Option<&SealedRequest>) -> Outcome {
        let status = if order.terms.reference.as_str().starts_with("idv-") {
            CardStatus::Pending
        } else {
            CardStatus::Active
        };
        Outcome::Heard(vec![heard(order, Fact::Card(status))])
    }

    async fn product(&self, id: &ProductId) -> Result<Product, ProductError> {
        match id.as_str() {
            "product-1" => Ok(Product {
                id: id.clone(),
                bin: "40963608".into(),
                enabled: true,
                is_virtual: true,
                currencies: vec!["USD".parse().unwrap()],
                prepaid: false,
                required: Vec::new(),
            }),
            "unreachable" => Err(ProductError::Unavailable),
            _ => Err(ProductError::Unknown(id.clone())),
        }
    }

    async fn warm_up(&self) -> Result<(), Silence> {
        Ok(())
    }
}
