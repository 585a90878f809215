//! A client for UQPAY's card-issuing API.
//!
//! What lives here: the provider's calls, words, errors and webhooks, read tolerantly and written exactly, as the
//! provider's contract has them. What must not: our orders, sagas, retries, token sharing or clocks; this crate
//! depends on no crate of ours.

mod answer;
mod card;
mod cardholder;
mod client;
mod endpoint;
mod id;
mod page;
mod private;
mod product;
mod read;
mod request;
pub mod webhook;
mod word;

pub use answer::{
    Answer, CallError, Class, DuplicateField, Envelope, KeyUse, MissingFields, NotSent,
    NotSentCause, RawBody, Received, Refusal, RetryAfter, Unknown, UnknownCause,
};
pub use card::{
    Card, CardDetails, CardFilter, CardOrder, CreatedCard, RiskControlsView, SpendingControlView,
    StatusUpdate,
};
pub use cardholder::{Cardholder, CardholderReply};
pub use client::{Auth, BaseUrl, Client, ClientError, Config, InvalidBaseUrl, Token};
pub use endpoint::Endpoint;
pub use id::{AccountId, CardId, CardOrderId, CardholderId, EventId, InvalidId, ProductId};
pub use page::{InvalidPage, Page, PageRequest};
pub use private::Private;
pub use product::{FieldKind, Product, RequiredField, RequiredFields};
pub use request::{
    Address, Amount, Body, CardholderFields, CreateCard, CreateCardholder, Holder, Identity,
    InvalidAmount, KycVerification, MccRule, OneTime, RiskControls, SpendingControl,
    SupportingDocument, TargetStatus, UpdateCardStatus, UpdateCardholder,
};
pub use word::{
    AutoCancelTrigger, CardForm, CardStatus, CardholderStatus, Gender, IdentityType, IdvStatus,
    KycLevel, KycMethod, ModeType, OrderStatus, OrderType, ProductStatus, ProofProvider,
    SpendingInterval, UsageType, VerificationStatus,
};
