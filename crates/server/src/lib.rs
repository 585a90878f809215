//! The HTTP side of the engine: two routers a host can mount, an accept loop that serves them within limits, and a
//! notifier that tells the host over HTTP.
//!
//! Here live routes, views, problems and credentials. What must not live here: a decision about an order, a word of the
//! provider's wire format beyond the two headers of its webhooks, storage.
//!
//! In reading order: [`public`] is what hosts and the provider call, [`admin`] what operators call; [`Server`] serves
//! either on a listener of its own; [`Code`] is the table of problems; [`HttpNotifier`] tells the host.
//!
//! ```no_run
//! use issuance_server::{Access, PublicOptions, ServeOptions, Server, public};
//!
//! # async fn example(engine: issuance::Engine) -> Result<(), Box<dyn std::error::Error>> {
//! let router = public(engine, PublicOptions::standard(Access::Open));
//! let server = Server::bind("127.0.0.1:8080".parse()?, router, ServeOptions::standard()).await?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! server.run(stop).await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod body;
mod credentials;
mod cursor;
mod edge;
mod listing;
mod metrics;
mod notify;
mod order_path;
mod problem;
mod public;
mod serve;
mod trouble;
mod views;

pub use admin::admin;
pub use credentials::{
    Access, AdminCredentials, ApiCredentials, Credential, CredentialError, Keyring, Role,
    TokenDigest, UnknownRole,
};
pub use metrics::{Metrics, MetricsError};
pub use notify::{HttpNotifier, NoticeSecret, NotifierError, NotifierOptions};
pub use problem::{Code, FieldError, Problem};
pub use public::{PublicOptions, public};
pub use serve::{ServeError, ServeOptions, Server, Stopping};
pub use views::{
    ActionView, AttentionGroupView, AttentionListView, AttentionOrderView, AttentionView,
    BreakerView, BudgetView, CompactionRunView, CompactionView, CompensationView, CountsView,
    DiscrepancyView, EventData, EventView, EvidenceView, FailureView, HealthView, IdvView,
    InboxView, MessageView, NextStepView, OrderDetailView, OrderPageView, OrderView,
    PersonalDataView, PoolView, ReconciliationView, TaskView, TimelineEntryView, TokenView,
    WebhookView,
};
