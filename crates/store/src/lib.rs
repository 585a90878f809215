//! The durable event log, its projections, the vault, and the command handler
