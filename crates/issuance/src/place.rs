//! Placing an order: where the host's words come in, and the personal ones are parted from the rest.

use std::sync::Arc;

use issuance_domain::{
    CardRequest, Command, Order, OrderId, Placement, Problem, ProductId, Rejection,
};
use issuance_executor::ProductError;
use issuance_store::{Field, HandleError, HostReference, Request, Salt, SealedRequest, StoreError};
use zeroize::Zeroizing;

use crate::engine::Engine;

/// An order the host asked for.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The order.
    pub order: Arc<Order>,
    /// Whether this very call made it; else the host had asked for the same before.
    pub is_new: bool,
}

/// Why an order was not placed. Nothing changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PlaceError {
    /// The request does not fit the product.
    #[error("the request does not fit the product")]
    Unfit {
        /// Everything wrong with it.
        problems: Vec<Problem>,
    },
    /// The reference belongs to another order with other content.
    #[error(
        "the reference belongs to order {order}, which asks for something else; use a new reference"
    )]
    ReferenceTaken {
        /// Which.
        order: OrderId,
    },
    /// The provider has no such product.
    #[error("the provider has no product {0}")]
    UnknownProduct(ProductId),
    /// The provider's products are not known and cannot be read now.
    #[error("the provider's products cannot be read now; try again shortly")]
    ProductsUnavailable,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request cannot be written down.
    #[error("the request cannot be written down")]
    Unwritable,
}

impl Engine {
    /// Places an order. Durable when this returns; the same reference with the same content is the same order, for ever.
    ///
    /// # Errors
    /// Nothing changed.
    pub async fn place(&self, request: CardRequest) -> Result<Placed, PlaceError> {
        let (terms, personal) = request.split();
        let reference = HostReference {
            account: terms.account.clone(),
            reference: terms.reference.clone(),
        };
        let asked = SealedRequest {
            salt: self.new_salt(),
            personal,
        };
        if let Some(order) = self.store().find_reference(&reference).await? {
            return self.same_or_taken(order, &terms, &asked).await;
        }
        let product = match self.provider().product(&terms.product_id).await {
            Ok(product) => product,
            Err(ProductError::Unknown(id)) => return Err(PlaceError::UnknownProduct(id)),
            Err(ProductError::Unavailable) => return Err(PlaceError::ProductsUnavailable),
        };
        let id = self.new_order_id();
        let placement = Placement {
            terms: terms.clone(),
            personal: asked.personal.clone(),
            personal_digest: asked
                .personal_digest()
                .map_err(|_| PlaceError::Unwritable)?,
            product,
        };
        let request = Request {
            sealed: vec![asked.seal().map_err(|_| PlaceError::Unwritable)?],
            ..Request::new(id, Command::Place(Box::new(placement)), self.clock().now())
        };
        match self.handler().handle(request).await {
            Ok(decision) => Ok(Placed {
                order: decision.order,
                is_new: true,
            }),
            Err(HandleError::ReferenceTaken { order }) => {
                self.same_or_taken(order, &terms, &asked).await
            }
            Err(HandleError::Rejected(Rejection::Unfit { problems })) => {
                Err(PlaceError::Unfit { problems })
            }
            Err(HandleError::Store(error)) => Err(error.into()),
            // A fresh random id meets no other order; should it, the host tries again.
            Err(
                HandleError::Rejected(_)
                | HandleError::AlreadySettled
                | HandleError::Contended { .. },
            ) => Err(PlaceError::Store(StoreError::Overloaded)),
        }
    }

    /// The same content is the same order; other content is refused. Once the personal part is erased only the terms can
    /// be compared.
    async fn same_or_taken(
        &self,
        id: OrderId,
        terms: &issuance_domain::Terms,
        asked: &SealedRequest,
    ) -> Result<Placed, PlaceError> {
        let taken = PlaceError::ReferenceTaken { order: id };
        let Some(order) = self.store().order(id).await? else {
            return Err(taken);
        };
        let sealed = self.store().open_sealed(id, &Field::Request).await?;
        let same_personal = match sealed.map(|plaintext| SealedRequest::open(&plaintext)) {
            None => true,
            Some(Ok(known)) => known.personal == asked.personal,
            Some(Err(_)) => false,
        };
        if order.terms == *terms && same_personal {
            Ok(Placed {
                order,
                is_new: false,
            })
        } else {
            Err(taken)
        }
    }

    fn new_salt(&self) -> Salt {
        let mut bytes = Zeroizing::new([0; 32]);
        self.clock().fill_random(&mut *bytes);
        Salt::new(*bytes)
    }

    /// A UUID v7 of the engine's own clock, so that ids sort by age.
    fn new_order_id(&self) -> OrderId {
        let mut random = [0; 10];
        self.clock().fill_random(&mut random);
        let millis = u64::try_from(self.clock().now().millis()).unwrap_or_default();
        OrderId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}
