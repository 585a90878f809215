//! The cancelling of a card.

use crate::attention::Discrepancy;
use crate::event::By;
use crate::fact::CardStatus;
use crate::order::{Compensation, Order};
use crate::time::Timestamp;

impl Order {
    pub(super) fn compensation_started(&mut self, by: &By, at: Timestamp) -> Option<()> {
        let version = self.version;
        self.compensation = Some(Compensation {
            by: by.clone(),
            since: at,
            submission: None,
            done: false,
            ended: None,
        });
        if self.state.is_terminal() {
            self.owe_cancel(version, at);
        }
        Some(())
    }

    pub(super) fn compensation_completed(
        &mut self,
        status: Option<&CardStatus>,
        at: Timestamp,
    ) -> Option<()> {
        let version = self.version;
        let running = self.compensation.as_mut()?;
        running.done = true;
        running.ended = status.cloned();
        running.submission = None;
        self.discrepancies
            .retain(|open| !matches!(open, Discrepancy::LateSuccess { .. }));
        self.settle_attention(at);
        self.look_up = self.look_up.take().filter(|_| self.late_looks.is_some());
        self.owe_notice(version, at);
        Some(())
    }
}
