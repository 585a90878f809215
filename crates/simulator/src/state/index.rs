//! What must be found without a scan: uniqueness, ownership, links, quotas.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::entities::{Account, Cardholder, text};
use super::person::national_digits;

/// What is never free again, by the cardholder that had it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Taken {
    references: HashMap<String, Uuid>,
    links: HashMap<String, Uuid>,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    emails: HashMap<(Account, String), Uuid>,
    phones: HashMap<(Account, String), Uuid>,
    taken: Taken,
    cards_in: HashMap<Account, Vec<Uuid>>,
    cardholders_in: HashMap<Account, Vec<Uuid>>,
    cards_of: HashMap<Uuid, Vec<Uuid>>,
    issued: HashMap<(Account, Uuid), u32>,
}

impl Index {
    pub(crate) fn add_card(&mut self, card: Uuid, holder: Uuid, account: Account, product: Uuid) {
        self.cards_in.entry(account).or_default().push(card);
        self.cards_of.entry(holder).or_default().push(card);
        *self.issued.entry((account, product)).or_default() += 1;
    }

    pub(crate) fn list_cardholder(&mut self, holder: &Cardholder) {
        self.cardholders_in
            .entry(holder.account)
            .or_default()
            .push(holder.id);
    }

    pub(crate) fn add_cardholder(&mut self, holder: &Cardholder) {
        self.emails.insert(email(holder), holder.id);
        self.phones.insert(phone(holder), holder.id);
        if let Some(reference) = reference(holder) {
            self.taken
                .references
                .insert(reference.to_owned(), holder.id);
        }
        if let Some(link) = &holder.link {
            self.taken.links.insert(link.token.clone(), holder.id);
        }
    }

    /// Frees what an update gave up. Proof references are never free again.
    pub(crate) fn remove_stale(&mut self, before: &Cardholder, after: &Cardholder) {
        if email(before) != email(after) {
            self.emails.remove(&email(before));
        }
        if phone(before) != phone(after) {
            self.phones.remove(&phone(before));
        }
    }

    pub(crate) fn taken(&self) -> &Taken {
        &self.taken
    }

    pub(crate) fn restore(&mut self, taken: Taken) {
        self.taken.references.extend(taken.references);
        self.taken.links.extend(taken.links);
    }

    pub(crate) fn owner_of_email(&self, account: Account, address: &str) -> Option<Uuid> {
        self.emails.get(&(account, address.to_lowercase())).copied()
    }

    pub(crate) fn owner_of_phone(
        &self,
        account: Account,
        country: &str,
        number: &str,
    ) -> Option<Uuid> {
        self.phones
            .get(&(account, phone_key(country, number)))
            .copied()
    }

    pub(crate) fn owner_of_reference(&self, reference: &str) -> Option<Uuid> {
        self.taken.references.get(reference).copied()
    }

    /// Whose link this is or was: replaced links stay known.
    pub(crate) fn owner_of_link(&self, token: &str) -> Option<Uuid> {
        self.taken.links.get(token).copied()
    }

    pub(crate) fn cards_in(&self, account: Account) -> &[Uuid] {
        self.cards_in
            .get(&account)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(crate) fn cardholders_in(&self, account: Account) -> &[Uuid] {
        self.cardholders_in
            .get(&account)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(crate) fn cards_of(&self, holder: Uuid) -> &[Uuid] {
        self.cards_of
            .get(&holder)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(crate) fn issued(&self, account: Account, product: Uuid) -> u32 {
        self.issued
            .get(&(account, product))
            .copied()
            .unwrap_or_default()
    }
}

fn email(holder: &Cardholder) -> (Account, String) {
    (holder.account, holder.text("email").to_lowercase())
}

fn phone(holder: &Cardholder) -> (Account, String) {
    (
        holder.account,
        phone_key(holder.text("country_code"), holder.text("phone_number")),
    )
}

fn phone_key(country: &str, number: &str) -> String {
    format!("{country} {}", national_digits(country, number))
}

fn reference(holder: &Cardholder) -> Option<&str> {
    let proof = holder
        .person
        .get("kyc_verification")?
        .get("kyc_proof")
        .and_then(Value::as_object)?;
    Some(text(proof, "reference_id")).filter(|reference| !reference.is_empty())
}
