//! Every target by its name.

mod http;
mod orders;
mod provider;
mod stored;
mod values;
mod webhooks;

/// One parser, or a few that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and its corpus's.
    pub name: &'static str,
    /// Panics when a property is broken.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("webhook_verifier", webhooks::verifier),
    target("webhook_event", webhooks::event),
    target("provider_answer", provider::answer),
    target("base_url", provider::base_url),
    target("timestamp", values::timestamp),
    target("money", values::money),
    target("ids", values::ids),
    target("submit_request", orders::submit_request),
    target("stored_event", stored::event),
    target("order_fold", orders::fold),
    target("sealed_request", stored::sealed_request),
    target("journal", stored::journal),
    target("journal_segments", stored::journal_segments),
    target("vault", stored::vault),
    target("evidence", stored::evidence),
    target("redaction", orders::redaction),
    target("http_request", http::request),
    target("http_bytes", http::bytes),
];
