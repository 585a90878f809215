//! What became of our calls: keys, silence, refusals, proof.

use crate::absence::{Absence, Scan};
use crate::attention::Attention;
use crate::fact::{ProviderIds, Refusal};
use crate::ids::{CardholderId, Digest};
use crate::key::{Generation, Purpose};
use crate::order::{ExpiryCause, LookUp, Order, Phase, SilenceCause, State, Submission, Watch};
use crate::planted::{self, Bug};
use crate::time::Timestamp;

impl Order {
    pub(super) fn submission_started(
        &mut self,
        purpose: Purpose,
        generation: Generation,
        attempt: u32,
        body_digest: &Digest,
        at: Timestamp,
    ) -> Option<()> {
        let submission = self.submission_mut(purpose, generation)?;
        submission.attempts = attempt;
        submission.first_started_at.get_or_insert(at);
        submission.last_started_at = Some(at);
        submission.body_digest = Some(body_digest.clone());
        // A call in flight that is started again was lost with its process; it may have arrived.
        submission.maybe_sent |= matches!(submission.phase, Phase::InFlight { .. });
        submission.phase = Phase::InFlight { since: at };
        Some(())
    }

    pub(super) fn submission_unanswered(
        &mut self,
        purpose: Purpose,
        generation: Generation,
        cause: &SilenceCause,
        retry_at: Timestamp,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        let submission = self.submission_mut(purpose, generation)?;
        submission.maybe_sent |= cause.maybe_sent();
        submission.phase = Phase::Owed { due: retry_at };
        let mismatched = matches!(cause, SilenceCause::Mismatched { .. });
        submission.mismatched |= mismatched && !planted::is(Bug::MixUpForgotten);
        let hopeless = submission.count_error(cause) || mismatched;
        if hopeless && purpose == Purpose::CreateCard && self.look_up.is_none() {
            self.look_up = Some(LookUp {
                cause: version,
                at,
                at_once: true,
            });
        }
        Some(())
    }

    pub(super) fn submission_refused(
        &mut self,
        purpose: Purpose,
        generation: Generation,
        refusal: &Refusal,
    ) -> Option<()> {
        self.submission_mut(purpose, generation)?.phase = Phase::Refused {
            refusal: refusal.clone(),
        };
        Some(())
    }

    pub(super) fn submission_answered(
        &mut self,
        purpose: Purpose,
        generation: Generation,
    ) -> Option<()> {
        self.submission_mut(purpose, generation)?.phase = Phase::Done;
        Some(())
    }

    pub(super) fn key_expired(
        &mut self,
        purpose: Purpose,
        generation: Generation,
        because: Option<ExpiryCause>,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        let submission = self.submission_mut(purpose, generation)?;
        // A call in flight that is given up may have arrived.
        submission.maybe_sent |= matches!(submission.phase, Phase::InFlight { .. });
        submission.phase = Phase::Expired { because };
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: true,
        });
        Some(())
    }

    pub(super) fn absence_observed(
        &mut self,
        generation: Generation,
        scan: &Scan,
        counts: bool,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        let submission = self.submission_mut(Purpose::CreateCard, generation)?;
        if counts {
            submission.absence = Some(Absence::Seen { scan: scan.clone() });
        }
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: false,
        });
        Some(())
    }

    pub(super) fn absence_proved(
        &mut self,
        generation: Generation,
        first: &Scan,
        second: &Scan,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        let submission = self.submission_mut(Purpose::CreateCard, generation)?;
        submission.absence = Some(Absence::Proved {
            first: first.clone(),
            second: second.clone(),
        });
        self.look_up = Some(LookUp {
            cause: version,
            at,
            at_once: false,
        });
        Some(())
    }

    pub(super) fn leftover_found(&mut self, cardholder: &CardholderId) -> Option<()> {
        let State::Requested { .. } = self.state else {
            return None;
        };
        self.ids.learn(&ProviderIds {
            cardholder: Some(cardholder.clone()),
            ..ProviderIds::default()
        });
        Some(())
    }

    pub(super) fn resubmission_owed(
        &mut self,
        purpose: Purpose,
        generation: Generation,
        due: Timestamp,
        cardholder: Option<&CardholderId>,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        let spent = Generation(generation.0.checked_sub(1)?);
        let id = self.id;
        let submission = self.submission_mut(purpose, spent)?;
        *submission = Submission {
            cardholder: cardholder.cloned(),
            ..Submission::new(id, purpose, generation, version, due)
        };
        self.count_renewal(purpose, generation.0);
        if purpose == Purpose::CreateCard {
            self.look_up = None;
            self.watch = Watch {
                cause: version,
                since: at,
            };
        }
        // Sent at once, it answers what a person was called for; a wait keeps its reason on the list.
        if due <= at {
            self.attention = self.attention.take().filter(Attention::outlives_progress);
        }
        Some(())
    }
}
