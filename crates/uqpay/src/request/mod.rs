//! Request bodies: typed, and turned into the same bytes every time (contract §2.2, §2.3, §2.4, §2.7).
//!
//! Members stand in declaration order, maps are sorted, absent members are left out, amounts are normalized
//! decimals. A caller stores the digest of [`Body`] and replays exactly these bytes.

mod amount;
mod body;
mod cardholder;
mod create_card;
mod identity;
mod update_status;

pub use amount::{Amount, InvalidAmount};
pub use body::Body;
pub use cardholder::{CardholderFields, CreateCardholder, UpdateCardholder};
pub use create_card::{CreateCard, Holder, MccRule, OneTime, RiskControls, SpendingControl};
pub use identity::{Address, Identity, KycVerification, SupportingDocument};
pub use update_status::{TargetStatus, UpdateCardStatus};
