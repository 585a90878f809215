//! The outward seam to the card provider, in our words.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::{
    Echo, Fact, IdempotencyKey, Order, Personal, Product, ProductId, ProviderIds, Purpose,
    SilenceCause,
    planted::{self, Bug},
};
use issuance_store::{Salt, SealedRequest, Sealing};
use zeroize::Zeroizing;

use crate::window::Window;

/// Whoever makes the cards.
#[async_trait]
pub trait Provider: Send + Sync + fmt::Debug + 'static {
    /// The exact bytes of one call. The same order and data give the same bytes, always.
    ///
    /// # Errors
    /// When the order lacks what the call needs.
    fn prepare(
        &self,
        order: &Order,
        purpose: Purpose,
        personal: &Personal,
    ) -> Result<Prepared, PrepareError>;

    /// Sends a prepared call once, unless the window has closed when its first byte could leave: then it is not sent.
    async fn submit(
        &self,
        order: &Order,
        prepared: &Prepared,
        key: IdempotencyKey,
        salt: &Salt,
        window: &Window,
    ) -> Outcome;

    /// Reads the provider's record of an order. Of one without names it searches the lists, and says that there is no
    /// card only after a complete search, which takes the sealed part: e-mail and phone lead to the person.
    async fn look_up(&self, order: &Order, sealed: Option<&SealedRequest>) -> Outcome;

    /// A product, as read within the last minutes.
    async fn product(&self, id: &ProductId) -> Result<Product, ProductError>;

    /// Makes ready for a call: what would cost one more call, such as a token, is fetched here and not between the
    /// record of a submission and its first byte.
    async fn warm_up(&self) -> Result<(), Silence>;
}

/// A call, ready to be sent as it is.
pub struct Prepared {
    /// What it is for.
    pub purpose: Purpose,
    /// Its exact body.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// An order that lacks what a call needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// No id for what the call is about.
    #[error("the order has no {0} to call about")]
    NoId(&'static str),
    /// A value the provider's form has no place for.
    #[error("`{0}` cannot be sent to the provider")]
    Unsendable(String),
}

/// What a call brought. Not a `Result`: silence cannot become failure by `?`.
#[derive(Debug)]
pub enum Outcome {
    /// The provider said something definite.
    Heard(Vec<Heard>),
    /// It did not.
    Silent(Silence),
}

/// One fact and what came with it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What was said.
    pub fact: Fact,
    /// The ids that came with it.
    pub ids: ProviderIds,
    /// What else it said of whose it is.
    pub echo: Echo,
    /// Personal data that came with it, such as a link's address.
    pub sealed: Vec<Sealing>,
}

/// No definite answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// What we know of it.
    pub cause: SilenceCause,
    retry_after: Option<Duration>,
    ours: bool,
}

impl Silence {
    /// A wish to wait is taken as at least this.
    pub const MIN_WAIT: Duration = Duration::from_secs(1);
    /// A wish to wait is taken as at most this, so that an absurd one cannot stop us (contract §1.6, F-032).
    pub const MAX_WAIT: Duration = Duration::from_secs(120);

    /// Without a wish for when to come back.
    #[must_use]
    pub fn new(cause: SilenceCause) -> Self {
        Self::wishing(cause, None)
    }

    /// With the provider's own wish for when to come back, if it had one. Believed within reason, here and nowhere else.
    #[must_use]
    pub fn wishing(cause: SilenceCause, wish: Option<Duration>) -> Self {
        Self {
            cause,
            retry_after: wish.map(|wish| {
                if planted::is(Bug::WaitUnbounded) {
                    return wish;
                }
                wish.clamp(Self::MIN_WAIT, Self::MAX_WAIT)
            }),
            ours: false,
        }
    }

    /// Our own limits kept the call back for so long: one order's lack of room, which says nothing of the provider.
    #[must_use]
    pub fn held_back(wait: Duration) -> Self {
        Self {
            cause: SilenceCause::NotSent,
            retry_after: Some(wait),
            ours: true,
        }
    }

    /// When to come back.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the provider was not even asked.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ours
    }
}

/// A product that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// The provider has none of this id.
    #[error("the provider has no product {0}")]
    Unknown(ProductId),
    /// The provider cannot be asked now, and nothing was read before.
    #[error("the provider's products cannot be read now; try again")]
    Unavailable,
}
