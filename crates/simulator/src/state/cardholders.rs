//! Cardholders: created alone or with a card, verified in one of the contract's ways, updated.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::entities::{
    Account, Cardholder, CardholderStatus, IdvLink, IdvStatus, TimerAction, text,
};
use super::person::{self, Kyc};
use super::tokens::millis;
use super::{Caller, State};
use crate::catalogue::KycLevel;
use crate::clock::Millis;
use crate::errors::{self, Refusal};
use crate::faults::{Fault, Subject};

/// How far a person's verification is when the answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Nothing is owed.
    Verified,
    /// A proof of another provider was accepted.
    Proven,
    /// A STANDARD review runs.
    UnderReview,
    /// The person must visit the link.
    Redirected,
}

impl Verification {
    pub(super) fn of(kyc: &Kyc, level: KycLevel) -> Self {
        match (kyc, level) {
            (Kyc::Redirect, _) => Self::Redirected,
            (Kyc::ThirdParty { .. }, _) => Self::Proven,
            (Kyc::None, KycLevel::Standard) => Self::UnderReview,
            (Kyc::None, KycLevel::Simplified | KycLevel::Enhanced) => Self::Verified,
        }
    }

    /// Where a cardholder stands that nobody verifies anew.
    pub(super) fn standing(holder: &Cardholder) -> Self {
        match holder.status {
            CardholderStatus::Success | CardholderStatus::Failed => Self::Verified,
            CardholderStatus::Pending => Self::UnderReview,
            CardholderStatus::Incomplete => Self::Redirected,
        }
    }
}

impl State {
    pub(crate) fn create_cardholder(
        &mut self,
        caller: &Caller,
        person: &Map<String, Value>,
        now: Millis,
    ) -> Result<Cardholder, Refusal> {
        let missing = person::missing_basics(person);
        if !missing.is_empty() {
            return Err(errors::incomplete_fields(missing));
        }
        let kyc = person::check(person)?;
        self.check_unique(caller.account, person, None)?;
        self.check_proof(&kyc, None)?;
        let subject = Subject {
            email: Some(text(person, "email").to_owned()),
            ..Subject::default()
        };
        let verification = Verification::of(&kyc, KycLevel::Simplified);
        let holder = self.make_cardholder(caller.account, person, &verification, &subject, now);
        self.put_cardholder(holder.clone());
        self.expect_person(&holder, &subject, now);
        Ok(holder)
    }

    /// Changes what may be changed; `SUMSUB_REDIRECT` gives a person who is not verified a fresh link.
    pub(crate) fn update_cardholder(
        &mut self,
        caller: &Caller,
        id: Uuid,
        changes: &Map<String, Value>,
        now: Millis,
    ) -> Result<Cardholder, Refusal> {
        let mut holder = self
            .cardholder(id)
            .filter(|holder| holder.account == caller.account)
            .cloned()
            .ok_or_else(errors::cardholder_not_found)?;
        for name in ["first_name", "last_name"] {
            if changes
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|value| value != holder.text(name))
            {
                return Err(errors::invalid("names cannot be changed"));
            }
        }
        let mut person = holder.person.clone();
        person.extend(
            changes
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        let kyc = if changes.contains_key("kyc_verification") {
            person::check(&person)?
        } else {
            person::check(&person)?;
            Kyc::None
        };
        self.check_unique(caller.account, &person, Some(id))?;
        self.check_proof(&kyc, Some(id))?;
        holder.person = person::without_documents(person);
        holder.updated_at = now;
        let subject = self.subject_of_cardholder(&holder);
        let before = holder.status;
        if kyc != Kyc::None && before != CardholderStatus::Success {
            self.start_verification(
                &mut holder,
                &Verification::of(&kyc, KycLevel::Enhanced),
                &subject,
                now,
            );
        }
        self.put_cardholder(holder.clone());
        self.emit_cardholder_updated(&holder, now);
        self.expect_person(&holder, &subject, now);
        if holder.status == CardholderStatus::Success && before != CardholderStatus::Success {
            self.emit_kyc_changed(&holder, "", now);
            self.release_cards(id, now);
        }
        Ok(holder)
    }

    /// A cardholder that is not stored yet.
    pub(super) fn make_cardholder(
        &mut self,
        account: Account,
        person: &Map<String, Value>,
        verification: &Verification,
        subject: &Subject,
        now: Millis,
    ) -> Cardholder {
        let mut holder = Cardholder {
            id: self.rng.uuid(),
            account,
            person: person::without_documents(person.clone()),
            status: CardholderStatus::Success,
            idv: None,
            link: None,
            submitted: false,
            created_at: now,
            updated_at: now,
        };
        self.start_verification(&mut holder, verification, subject, now);
        holder
    }

    pub(super) fn start_verification(
        &mut self,
        holder: &mut Cardholder,
        verification: &Verification,
        subject: &Subject,
        now: Millis,
    ) {
        match verification {
            Verification::Verified | Verification::Proven => {
                holder.status = CardholderStatus::Success
            }
            Verification::UnderReview => {
                holder.status = CardholderStatus::Pending;
                self.schedule(
                    now + millis(self.config.review_delay),
                    TimerAction::EndReview(holder.id),
                );
            }
            Verification::Redirected => {
                let lifetime = match self
                    .take_fault(subject, |fault| matches!(fault, Fault::IdvLinkTtl { .. }))
                {
                    Some((_, Fault::IdvLinkTtl { seconds })) => {
                        i64::try_from(seconds).unwrap_or(0) * 1000
                    }
                    _ => millis(self.config.idv_link_lifetime),
                };
                holder.status = CardholderStatus::Incomplete;
                holder.idv = Some(IdvStatus::Pending);
                holder.submitted = false;
                holder.link = Some(IdvLink {
                    token: self.rng.uuid().simple().to_string(),
                    expires_at: now + lifetime,
                });
            }
        }
    }

    /// Lets the script's person act on a fresh link.
    pub(super) fn expect_person(&mut self, holder: &Cardholder, subject: &Subject, now: Millis) {
        if holder.status != CardholderStatus::Incomplete {
            return;
        }
        let Some(link) = &holder.link else { return };
        if let Some((_, Fault::IdvPerson { outcome, after_ms })) =
            self.take_fault(subject, |fault| matches!(fault, Fault::IdvPerson { .. }))
        {
            let due_at = now.saturating_add(i64::try_from(after_ms).unwrap_or(i64::MAX / 4));
            let token = link.token.clone();
            self.schedule(
                due_at,
                TimerAction::PersonActs {
                    cardholder: holder.id,
                    token,
                    outcome,
                },
            );
        }
    }

    pub(super) fn check_unique(
        &self,
        account: Account,
        person: &Map<String, Value>,
        own: Option<Uuid>,
    ) -> Result<(), Refusal> {
        let taken = |owner: Option<Uuid>| owner.is_some() && owner != own;
        if taken(self.index.owner_of_email(account, text(person, "email"))) {
            return Err(errors::email_duplicated());
        }
        if taken(self.index.owner_of_phone(
            account,
            text(person, "country_code"),
            text(person, "phone_number"),
        )) {
            return Err(errors::phone_duplicated());
        }
        Ok(())
    }

    /// A proof is unique over all accounts; a cardholder may repeat its own.
    pub(super) fn check_proof(&self, kyc: &Kyc, own: Option<Uuid>) -> Result<(), Refusal> {
        let Kyc::ThirdParty { reference } = kyc else {
            return Ok(());
        };
        let owner = self.index.owner_of_reference(reference);
        if owner.is_some() && owner != own {
            Err(errors::reference_duplicated())
        } else {
            Ok(())
        }
    }
}
