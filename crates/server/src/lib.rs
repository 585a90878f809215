//! An axum router a host can mount: orders, webhooks, admin, health, metrics
