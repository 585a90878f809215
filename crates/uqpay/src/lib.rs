//! A client for UQPAY's card-issuing API.
//!
//! What lives here: the provider's calls, words, errors and webhooks, read tolerantly and written exactly, as the
//! provider's contract has them. What must not: our orders, sagas, retries, token sharing or clocks; this crate
//! depends on no crate of ours.
//!
//! - [`Client`] makes one call at a time and says what came of it as an [`Answer`]: silence is
//!   [`Answer::Unknown`], never an error that `?` could turn into failure. Nothing is retried in here.
//! - [`CreateCard::to_bytes`] and its like build the exact bytes of a request; keep them, or their digest, before
//!   the first send, and replay the same bytes under the same key.
//! - [`Refusal::class`] says what a refusal means and whether it settles the attempt.
//! - [`webhook`] verifies deliveries over their raw bytes, then reads them.
//!
//! ```no_run
//! use issuance_uqpay::{Answer, BaseUrl, Client, Config, CreateCard, KeyUse};
//!
//! # async fn example(request: CreateCard, api_key: secrecy::SecretString, now: jiff::Timestamp)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Config {
//!     base_url: BaseUrl::parse("https://api-sandbox.uqpaytech.com/api", false)?,
//!     client_id: "my-client".to_owned(),
//!     api_key,
//!     on_behalf_of: None,
//!     connect_timeout: Config::CONNECT_TIMEOUT,
//!     total_timeout: Config::TOTAL_TIMEOUT,
//!     max_answer: Config::MAX_ANSWER,
//! })?;
//! let token = client.mint_token(now).await?;
//! let (key, body) = (uuid::Uuid::new_v4(), request.to_bytes());
//! // Make `key` and the digest of `body` durable here: after the next line the card may exist.
//! match client.create_card(&token, key, &body).await {
//!     Answer::Ok(card) => println!("card {} is on its way", card.value.card_id),
//!     Answer::Refused(refusal) => match refusal.class().key_use() {
//!         KeyUse::New => println!("settled: {refusal}"),
//!         KeyUse::Same => println!("again later, same key: {refusal}"),
//!         KeyUse::Hold => println!("a person must look: {refusal}"),
//!     },
//!     Answer::Unknown(unknown) => println!("same key and bytes, or reconcile: {unknown}"),
//!     Answer::NotSent(not_sent) => println!("same key and bytes: {not_sent}"),
//! }
//! # Ok(())
//! # }
//! ```

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
pub use client::{
    Auth, BaseUrl, Client, ClientError, Config, InvalidBaseUrl, NoReply, Reply, Request, Token,
    Transport,
};
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
