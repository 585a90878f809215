//! Reconciliation: on demand and by schedule, one at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use issuance_adapter::{Reconciler, Reconciliation};
use issuance_executor::Clock;
use issuance_store::StoreError;

use crate::engine::Engine;
use crate::error::EngineError;

#[derive(Debug)]
pub(crate) struct Reconciling {
    reconciler: Option<Reconciler>,
    every: Duration,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Arc<Reconciliation>>>,
    turn: tokio::sync::Mutex<()>,
}

impl Reconciling {
    pub(crate) fn new(
        reconciler: Option<Reconciler>,
        every: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            reconciler,
            every,
            clock,
            last: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    async fn run(&self) -> Result<Option<Arc<Reconciliation>>, StoreError> {
        let Some(reconciler) = &self.reconciler else {
            return Ok(None);
        };
        let _turn = self.turn.lock().await;
        let report = Arc::new(reconciler.run().await?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        Ok(Some(report))
    }
}

impl Engine {
    /// Holds our open and recent orders against the provider's lists, and lets them learn what they do not know. None
    /// when the provider has no lists. One runs at a time; a second waits for the first.
    ///
    /// # Errors
    /// When the store could not.
    pub async fn reconcile(&self) -> Result<Option<Arc<Reconciliation>>, EngineError> {
        Ok(self.parts.reconciliation.run().await?)
    }

    /// Begins a reconciliation and does not wait for it; nothing when one runs. Whether it was begun.
    #[must_use]
    pub fn start_reconciliation(&self) -> bool {
        if self.parts.reconciliation.reconciler.is_none() || self.reconciliation_runs() {
            return false;
        }
        let engine = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = engine.reconcile() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "reconciliation ended early");
                    }
                }
                () = engine.stop.cancelled() => {}
            }
        });
        true
    }

    /// Whether one is under way.
    #[must_use]
    pub fn reconciliation_runs(&self) -> bool {
        self.parts.reconciliation.turn.try_lock().is_err()
    }

    /// What the last one found; none since the process began.
    #[must_use]
    pub fn last_reconciliation(&self) -> Option<Arc<Reconciliation>> {
        self.parts
            .reconciliation
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) async fn reconcile_by_schedule(&self) -> Result<(), StoreError> {
        let Reconciling {
            every,
            clock,
            reconciler,
            ..
        } = &self.parts.reconciliation;
        if every.is_zero() || reconciler.is_none() {
            self.stop.cancelled().await;
            return Ok(());
        }
        loop {
            // Not all processes of one start at the same moment again.
            let wait = every.mul_f64(0.9 + 0.1 * clock.jitter());
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = clock.sleep(wait) => {}
            }
            let ended = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                ended = self.parts.reconciliation.run() => ended,
            };
            match ended {
                Ok(_) => {}
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "reconciliation ended early")
                }
                Err(error) => return Err(error),
            }
        }
    }
}
