//! Webhook events: the bodies of contract §5.4, and what the fault script does to them.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::State;
use super::deliveries::Delivery;
use super::entities::{Card, Cardholder, IdvStatus, Transaction};
use crate::clock::{Millis, rfc3339};
use crate::config::Naming;
use crate::faults::{Fault, Subject, merge};
use crate::ledger::DeliveryState;
use crate::variants;
use crate::views;

struct Event {
    name: &'static str,
    source_id: Uuid,
    card_id: Option<Uuid>,
    subject: Subject,
    data: Value,
}

impl State {
    pub(crate) fn take_fault(
        &mut self,
        subject: &Subject,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<(String, Fault)> {
        if self.faults.is_empty() {
            return None;
        }
        let taken = self.faults.take(&mut self.rng, subject, wanted);
        if taken.is_some() {
            self.touch_faults();
        }
        taken
    }

    /// What rules are held against; without rules nobody asks.
    pub(crate) fn subject_of_card(&self, card: &Card) -> Subject {
        if self.faults.is_empty() {
            return Subject::default();
        }
        let email = self
            .cardholder(card.cardholder_id)
            .map(|holder| holder.text("email").to_owned());
        Subject {
            metadata: card.metadata.clone().unwrap_or_default(),
            product_id: Some(card.product_id),
            email,
            ..Subject::default()
        }
    }

    /// Everything about a cardholder belongs to its newest card.
    pub(crate) fn subject_of_cardholder(&self, holder: &Cardholder) -> Subject {
        match self
            .index
            .cards_of(holder.id)
            .last()
            .and_then(|id| self.card(*id))
        {
            Some(card) => self.subject_of_card(card),
            None => Subject {
                email: Some(holder.text("email").to_owned()),
                ..Subject::default()
            },
        }
    }

    pub(super) fn emit_card_created(&mut self, card: &Card, at: Millis) {
        let mut data = views::webhook_card(self, card);
        data["card_available_balance"] = card.limit.normalize().to_string().into();
        self.emit_about_card("card.create.succeeded", card.order_id, card, data, at);
    }

    /// The contract has no sample of this body (§5.4); everything but the envelope is a guess.
    pub(super) fn emit_card_failed(
        &mut self,
        card: &Card,
        failure_code: Option<String>,
        at: Millis,
    ) {
        let mut data = views::webhook_card(self, card);
        if let Some(code) = failure_code {
            data["failure_code"] = code.into();
        }
        self.emit_about_card("card.create.failed", card.order_id, card, data, at);
    }

    /// A change of status that was carried out or, with the status as it was, one that failed; of that body the contract
    /// has no sample (§5.4).
    pub(super) fn emit_status_updated(
        &mut self,
        name: &'static str,
        card: &Card,
        order_id: Uuid,
        at: Millis,
    ) {
        let data = json!({
            "card_id": card.id,
            "card_number": views::masked(card),
            "available_balance": card.limit.normalize().to_string(),
            "currency": card.currency,
            "card_status": card.status,
            "update_reason": card.update_reason.as_deref().unwrap_or_default(),
            "update_time": rfc3339(at),
        });
        self.emit_about_card(name, order_id, card, data, at);
    }

    /// An update, a recharge or a withdrawal; the contract names the events only (§5.3).
    pub(super) fn emit_order_done(
        &mut self,
        name: &'static str,
        card: &Card,
        order_id: Uuid,
        at: Millis,
    ) {
        let mut data = views::webhook_card(self, card);
        data["card_available_balance"] =
            (card.limit - card.consumed).normalize().to_string().into();
        data["order_status"] = "success".into();
        self.emit_about_card(name, order_id, card, data, at);
    }

    pub(super) fn emit_transaction(
        &mut self,
        name: &'static str,
        card: &Card,
        transaction: &Transaction,
        at: Millis,
    ) {
        let data = views::transaction(card, transaction, at);
        self.emit_about_card(name, transaction.id, card, data, at);
    }

    pub(super) fn emit_kyc_changed(&mut self, holder: &Cardholder, reason: &str, at: Millis) {
        let mut data = views::webhook_cardholder(holder);
        data["idv_status"] = holder.idv.map_or_else(|| "".into(), |status| json!(status));
        data["idv_provider"] = holder.idv.map_or("", |_: IdvStatus| "SUMSUB").into();
        data["reason"] = reason.into();
        data["update_time"] = rfc3339(at).into();
        self.emit_about_cardholder("cardholder.kyc.status_changed", holder, data, at);
    }

    pub(super) fn emit_cardholder_updated(&mut self, holder: &Cardholder, at: Millis) {
        let mut data = views::webhook_cardholder(holder);
        data["update_time"] = rfc3339(at).into();
        self.emit_about_cardholder("cardholder.updated", holder, data, at);
    }

    fn emit_about_card(
        &mut self,
        name: &'static str,
        source_id: Uuid,
        card: &Card,
        data: Value,
        at: Millis,
    ) {
        let subject = self.subject_of_card(card);
        self.emit(
            Event {
                name,
                source_id,
                card_id: Some(card.id),
                subject,
                data,
            },
            at,
        );
    }

    fn emit_about_cardholder(
        &mut self,
        name: &'static str,
        holder: &Cardholder,
        data: Value,
        at: Millis,
    ) {
        let subject = self.subject_of_cardholder(holder);
        self.emit(
            Event {
                name,
                source_id: holder.id,
                card_id: None,
                subject,
                data,
            },
            at,
        );
    }

    fn emit(&mut self, mut event: Event, at: Millis) {
        event.subject.event = Some(event.name);
        let subject = &event.subject;
        let dropped = self
            .take_fault(subject, |fault| matches!(fault, Fault::WebhookDrop))
            .is_some();
        let copies = match self.take_fault(subject, |fault| {
            matches!(fault, Fault::WebhookDuplicate { .. })
        }) {
            Some((_, Fault::WebhookDuplicate { copies })) => copies.min(100),
            _ => 0,
        };
        let late =
            match self.take_fault(subject, |fault| matches!(fault, Fault::WebhookLate { .. })) {
                Some((_, Fault::WebhookLate { ms })) => i64::try_from(ms).unwrap_or(i64::MAX / 4),
                _ => 0,
            };
        let event_id = self.rng.uuid();
        let choice = self.choice(event_id);
        let naming = match choice.map(|choice| choice.one_in("naming", 2)) {
            None => self.config.webhook_naming,
            Some(true) => Naming::Swapped,
            Some(false) => Naming::Current,
        };
        let data = std::mem::take(&mut event.data);
        let mut envelope = envelope(&event, data, event_id, naming);
        if let Some(choice) = choice {
            variants::event(choice, naming, event.name, &mut envelope);
        }
        let mut body = Value::Object(envelope);
        if let Some((_, Fault::WebhookPatch { merge: patch })) = self
            .take_fault(&event.subject, |fault| {
                matches!(fault, Fault::WebhookPatch { .. })
            })
        {
            merge(&mut body, &patch);
        }
        // Its `Display` would write word by word.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let state = if dropped || !self.has_receiver {
            DeliveryState::Dropped
        } else {
            DeliveryState::Waiting
        };
        for _ in 0..=copies {
            let number = self.deliveries.next_number();
            self.put_delivery(Delivery {
                number,
                event_id,
                event_type: event.name.to_owned(),
                source_id: event.source_id,
                card_id: event.card_id,
                created_at: at,
                body: body.clone(),
                due_at: at + late,
                signed_at: None,
                state,
                attempts: Vec::new(),
            });
        }
    }
}

fn envelope(event: &Event, data: Value, event_id: Uuid, naming: Naming) -> Map<String, Value> {
    let (version, category, dotted) = match naming {
        Naming::Current => ("V1.6.0", "event_name", "event_type"),
        Naming::Swapped => ("V1.5.2", "event_type", "event_name"),
    };
    let mut envelope = Map::new();
    envelope.insert("version".into(), version.into());
    envelope.insert(category.into(), "ISSUING".into());
    envelope.insert(dotted.into(), event.name.into());
    envelope.insert("event_id".into(), json!(event_id));
    envelope.insert("source_id".into(), json!(event.source_id));
    envelope.insert("data".into(), data);
    envelope
}
