//! What can go wrong with the engine as a whole.

use issuance_store::StoreError;

/// The engine could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealed data is not what this engine wrote.
    #[error("sealed data of an order cannot be read")]
    Sealed,
}
