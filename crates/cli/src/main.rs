//! The one binary: serve, demo, issue, orders, audit, simulate
fn main() {}
