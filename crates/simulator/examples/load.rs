//! Creates cards as fast as the simulator answers, and prints how many a second.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program's output, and a stopwatch"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use clap::Parser;
use issuance_simulator::{Config, Simulator, product};
use serde_json::json;

/// Load on an in-process simulator over loopback.
#[derive(Parser)]
struct Arguments {
    /// Cards to create.
    #[arg(long, default_value_t = 20_000)]
    cards: u32,
    /// Calls in flight.
    #[arg(long, default_value_t = 64)]
    in_flight: u32,
    /// Keep the world in this directory.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let config = Config {
        data: arguments.data,
        ..Config::default()
    };
    let running = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let token = http
        .post(format!("{}/v1/connect/token", running.api_base()))
        .header("x-client-id", "load")
        .header("x-api-key", "key")
        .send()
        .await?
        .bytes()
        .await?;
    let token: serde_json::Value = serde_json::from_slice(&token)?;
    let token = format!(
        "Bearer {}",
        token["auth_token"].as_str().unwrap_or_default()
    );
    let (next, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let started = Instant::now();
    let callers: Vec<_> = (0..arguments.in_flight)
        .map(|_| {
            let (http, token) = (http.clone(), token.clone());
            let (next, refused) = (Arc::clone(&next), Arc::clone(&refused));
            let url = format!("{}/v1/issuing/cards", running.api_base());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.cards {
                        return;
                    }
                    let body = json!({
                        "card_product_id": product::SIMPLIFIED, "card_currency": "USD", "card_limit": 10,
                        "metadata": {"order": number.to_string()},
                        "cardholder_required_fields": {
                            "email": format!("p{number}@mail.example"), "first_name": "Load", "last_name": "Test",
                            "country_code": "SG", "phone_number": format!("8{number:07}")
                        }
                    });
                    let answer = http
                        .post(&url)
                        .header("x-auth-token", &token)
                        .header("x-idempotency-key", uuid::Uuid::new_v4().to_string())
                        .body(body.to_string())
                        .send()
                        .await;
                    if !answer.is_ok_and(|answer| answer.status().is_success()) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} cards in {seconds:.2} s: {:.0} a second, {} refused",
        running.ledger_without_requests().cards.len(),
        f64::from(arguments.cards) / seconds,
        refused.load(Ordering::Relaxed)
    );
    running.shutdown().await;
    Ok(())
}
