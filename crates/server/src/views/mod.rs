//! What goes out, as types of its own: names here are the interface and never change with the domain's. An order, as the
//! log has it, holds nothing of a person; so neither can these.

mod admin;
mod event;
mod order;

pub(crate) use admin::action_names;
pub use admin::{
    ActionView, AttentionGroupView, AttentionListView, AttentionOrderView, BreakerView, BudgetView,
    CompactionRunView, CompactionView, CountsView, HealthView, InboxView, MessageView,
    OrderDetailView, PoolView, ReconciliationView, TaskView, TimelineEntryView, TokenView,
    WebhookView,
};
pub use event::{EventData, EventView, EvidenceView};
pub use order::{
    AttentionView, CompensationView, DiscrepancyView, FailureView, IdvView, NextStepView,
    OrderPageView, OrderView, PersonalDataView,
};
