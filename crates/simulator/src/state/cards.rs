//! Create card: one step or two, and every branch of the answer (contract §2.2).

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::cardholders::Verification;
use super::entities::{
    Card, CardOrder, CardStatus, Cardholder, CardholderStatus, OrderStatus, OrderType, TimerAction,
};
use super::person::{self, Kyc};
use super::tokens::millis;
use super::{Caller, State};
use crate::catalogue::{self, Product, ProductStatus};
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::{Fault, Subject};
use crate::requests::{CreateCard, SpendingControl};

/// A card that was accepted, with what its answer needs.
pub(crate) struct Created {
    pub(crate) card: Card,
    pub(crate) order: CardOrder,
    pub(crate) cardholder: Cardholder,
    pub(crate) verification: Verification,
    pub(crate) one_step: bool,
    /// Deliveries that must be tried before the answer leaves.
    pub(crate) early: Vec<u64>,
}

/// The card part of a request after its checks.
struct Plan {
    product: &'static Product,
    currency: String,
    limit: Decimal,
    spending_limit: Option<Decimal>,
}

impl State {
    pub(crate) fn create_card(
        &mut self,
        caller: &Caller,
        request: &CreateCard,
        now: Millis,
    ) -> Result<Created, Refusal> {
        let plan = plan(request)?;
        let subject = request.subject();
        let (holder, verification, one_step) =
            match (&request.cardholder_id, &request.cardholder_required_fields) {
                (None, None) => return Err(errors::cardholder_missing_info()),
                (None, Some(person)) => self.new_holder(caller, &plan, person, &subject, now)?,
                (Some(id), supplement) => {
                    self.known_holder(caller, &plan, id, supplement.as_ref(), &subject, now)?
                }
            };
        self.check_funds(caller, &plan)?;
        self.put_cardholder(holder.clone());
        if one_step
            && let Some((_, Fault::OrphanCardholder(answer))) = self.take_fault(&subject, |fault| {
                matches!(fault, Fault::OrphanCardholder(_))
            })
        {
            return Err(errors::scripted(&answer));
        }
        self.charge(caller, &plan);
        let (card, order) = self.place_card(caller, request, plan, holder.id, now);
        self.expect_person(&holder, &subject, now);
        let mut created = Created {
            card,
            order,
            cardholder: holder,
            verification,
            one_step,
            early: Vec::new(),
        };
        self.begin_processing(&mut created, &subject, now);
        Ok(created)
    }

    fn new_holder(
        &mut self,
        caller: &Caller,
        plan: &Plan,
        person: &Map<String, Value>,
        subject: &Subject,
        now: Millis,
    ) -> Result<(Cardholder, Verification, bool), Refusal> {
        let missing = person::missing(plan.product, person);
        if !missing.is_empty() {
            return Err(errors::incomplete_fields(missing));
        }
        let kyc = person::check(person)?;
        person::check_region(plan.product, person)?;
        self.check_unique(caller.account, person, None)?;
        self.check_proof(&kyc, None)?;
        let verification = Verification::of(&kyc, plan.product.kyc_level);
        Ok((
            self.make_cardholder(caller.account, person, &verification, subject, now),
            verification,
            true,
        ))
    }

    fn known_holder(
        &mut self,
        caller: &Caller,
        plan: &Plan,
        id: &str,
        supplement: Option<&Map<String, Value>>,
        subject: &Subject,
        now: Millis,
    ) -> Result<(Cardholder, Verification, bool), Refusal> {
        let mut holder = Uuid::parse_str(id)
            .ok()
            .and_then(|id| self.cardholder(id))
            .filter(|holder| holder.account == caller.account)
            .cloned()
            .ok_or_else(errors::cardholder_not_found)?;
        let mut kyc = Kyc::None;
        if let Some(supplement) = supplement {
            let mut person = holder.person.clone();
            person.extend(supplement.clone());
            kyc = person::check(&person)?;
            self.check_unique(caller.account, &person, Some(holder.id))?;
            if !supplement.contains_key("kyc_verification") {
                kyc = Kyc::None;
            }
            self.check_proof(&kyc, Some(holder.id))?;
            holder.person = person::without_documents(person);
        }
        let missing = person::missing(plan.product, &holder.person);
        if !missing.is_empty() || holder.status == CardholderStatus::Failed {
            return Err(errors::kyc_insufficient(missing));
        }
        person::check_region(plan.product, &holder.person)?;
        let verification = match kyc {
            Kyc::None => Verification::standing(&holder),
            kyc => {
                let verification = Verification::of(&kyc, plan.product.kyc_level);
                self.start_verification(&mut holder, &verification, subject, now);
                verification
            }
        };
        Ok((holder, verification, false))
    }

    fn check_funds(&self, caller: &Caller, plan: &Plan) -> Result<(), Refusal> {
        if self.index.issued(caller.account, plan.product.id) >= plan.product.quota {
            return Err(errors::quota_used_up());
        }
        if plan.product.pool_empty {
            return Err(errors::empty_pool());
        }
        if plan.product.is_prepaid() && self.balance(caller.account, &plan.currency) < plan.limit {
            return Err(errors::insufficient_balance());
        }
        Ok(())
    }

    /// Loads a prepaid card from the issuing balance.
    fn charge(&mut self, caller: &Caller, plan: &Plan) {
        if plan.product.is_prepaid() {
            let balance = self.balance(caller.account, &plan.currency);
            self.put_balance(caller.account, &plan.currency, balance - plan.limit);
        }
    }

    fn place_card(
        &mut self,
        caller: &Caller,
        request: &CreateCard,
        plan: Plan,
        holder: Uuid,
        now: Millis,
    ) -> (Card, CardOrder) {
        let order = CardOrder {
            id: self.rng.uuid(),
            card_id: self.rng.uuid(),
            kind: OrderType::CreateCard,
            status: OrderStatus::Processing,
            created_at: now,
            updated_at: now,
            completed_at: None,
            failure_code: None,
        };
        let mut card = Card {
            id: order.card_id,
            order_id: order.id,
            cardholder_id: holder,
            product_id: plan.product.id,
            account: caller.account,
            currency: plan.currency,
            limit: plan.limit,
            status: CardStatus::Pending,
            last_four: self.rng.four_digits(),
            metadata: request.metadata.clone(),
            name_on_card: request.name_on_card.clone(),
            spending_limit: plan.spending_limit,
            risk_controls: request.risk_controls.clone().map(Value::Object),
            usage_type: request.usage_type.clone(),
            update_reason: None,
            consumed: Decimal::ZERO,
            created_at: now,
            idempotency_key: caller.idempotency_key.clone(),
            history: Vec::new(),
        };
        card.turn(CardStatus::Pending, now);
        self.put_order(order.clone());
        self.put_card(card.clone());
        (card, order)
    }

    /// A verified cardholder's card is worked on at once; the others wait for their person.
    fn begin_processing(&mut self, created: &mut Created, subject: &Subject, now: Millis) {
        if created.cardholder.status != CardholderStatus::Success {
            return;
        }
        let card_id = created.card.id;
        let prompt = |fault: &Fault| matches!(fault, Fault::ActiveAtOnce | Fault::WebhookEarly);
        // In the sandbox the answer can tell of the end already (contract §8 no. 4).
        let at_once = self
            .choice(card_id)
            .is_some_and(|choice| choice.one_in("at once", 8));
        let fault = match self.take_fault(subject, prompt) {
            None if at_once => Some(Fault::ActiveAtOnce),
            taken => taken.map(|(_, fault)| fault),
        };
        match fault {
            Some(Fault::ActiveAtOnce) => {
                self.finish_card(card_id, now);
                created.card = self
                    .card(card_id)
                    .cloned()
                    .unwrap_or_else(|| created.card.clone());
                created.order = self
                    .order(created.order.id)
                    .cloned()
                    .unwrap_or_else(|| created.order.clone());
            }
            Some(Fault::WebhookEarly) => {
                // The answer still tells of the time before: PENDING.
                let before = self.deliveries.last_number();
                self.finish_card(card_id, now);
                created.early = (before + 1..=self.deliveries.last_number()).collect();
            }
            _ => self.schedule(
                now + millis(self.config.processing_delay),
                TimerAction::FinishCard(card_id),
            ),
        }
    }
}

/// Checks of the card part, which need no state.
fn plan(request: &CreateCard) -> Result<Plan, Refusal> {
    let product = request
        .card_product_id
        .as_deref()
        .and_then(|id| Uuid::parse_str(id).ok())
        .and_then(catalogue::product)
        .ok_or_else(|| errors::invalid("card_product_id is not a product of this account"))?;
    if product.status == ProductStatus::Disabled {
        return Err(errors::product_disabled());
    }
    let currency = request.card_currency.as_deref().unwrap_or_default();
    if !product.currencies.contains(&currency) {
        return Err(errors::invalid(
            "card_currency is not offered by the product",
        ));
    }
    let limit = request.card_limit.map(|limit| limit.0);
    let cent = Decimal::new(1, 2);
    if limit.is_some_and(|limit| limit < Decimal::ZERO || limit.normalize().scale() > 2) {
        return Err(errors::invalid(
            "card_limit must not be negative and has at most two decimals",
        ));
    }
    if product.needs_limit() && limit.is_none_or(|limit| limit < cent) {
        return Err(errors::invalid(
            "card_limit of at least 0.01 is required for this BIN",
        ));
    }
    check_name(request.name_on_card.as_deref())?;
    if let Some(metadata) = &request.metadata {
        check_metadata(metadata)?;
    }
    match (
        request.usage_type.as_deref(),
        request.auto_cancel_trigger.as_deref(),
    ) {
        (None | Some("NORMAL"), _) | (Some("ONE_TIME"), Some("ON_AUTH" | "ON_CAPTURE")) => {}
        _ => {
            return Err(errors::invalid(
                "usage_type and auto_cancel_trigger do not fit",
            ));
        }
    }
    if request
        .card_art_id
        .as_ref()
        .is_some_and(|art| !art.is_empty())
    {
        return Err(errors::art_not_configured());
    }
    if let Some(risk) = &request.risk_controls {
        check_risk(risk, product)?;
    }
    Ok(Plan {
        product,
        currency: currency.to_owned(),
        limit: limit.unwrap_or_default(),
        spending_limit: spending_limit(request.spending_controls.as_deref())?,
    })
}

pub(super) fn check_name(name: Option<&str>) -> Result<(), Refusal> {
    match name {
        Some(name) if name.chars().count() > 26 => {
            Err(errors::invalid("name_on_card has at most 26 characters"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Refusal> {
    let size = serde_json::to_string(metadata).unwrap_or_default().len();
    match size {
        0..=3200 => Ok(()),
        _ => Err(errors::invalid("metadata has at most 3200 bytes")),
    }
}

pub(super) fn spending_limit(
    controls: Option<&[SpendingControl]>,
) -> Result<Option<Decimal>, Refusal> {
    let mut limit = None;
    for control in controls.unwrap_or_default() {
        if control.interval != "PER_TRANSACTION" || control.amount.0 <= Decimal::ZERO {
            return Err(errors::invalid(
                "spending_controls take a positive amount PER_TRANSACTION",
            ));
        }
        limit = Some(control.amount.0);
    }
    Ok(limit)
}

pub(super) fn check_risk(risk: &Map<String, Value>, product: &Product) -> Result<(), Refusal> {
    if risk.contains_key("allowed_mcc") && risk.contains_key("blocked_mcc") {
        return Err(errors::invalid(
            "allowed_mcc and blocked_mcc exclude each other",
        ));
    }
    for name in ["enable_3ds", "allow_3ds_transactions"] {
        if risk
            .get(name)
            .is_some_and(|value| !matches!(value.as_str(), Some("Y" | "N")))
        {
            return Err(errors::invalid(format!("{name} must be Y or N")));
        }
    }
    if risk.contains_key("enable_3ds") && product.scheme != "VISA" {
        return Err(errors::invalid("enable_3ds is for Visa BINs only"));
    }
    Ok(())
}
