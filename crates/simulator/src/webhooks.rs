//! Webhook deliveries over HTTP: signed as contract §5.6 says, bounded in number, five seconds each.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use tokio::sync::Semaphore;

use crate::clock::system_now;
use crate::config::TimestampUnit;
use crate::hex::hex;
use crate::state::Dispatch;
use crate::world::World;

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lower-case hex of HMAC-SHA512 over the body followed by the timestamp header's text.
pub(crate) fn sign(secret: &str, body: &[u8], timestamp: &str) -> String {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    mac.update(timestamp.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The client deliveries go out by.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Sends deliveries as they come due.
pub(crate) async fn run(world: Arc<World>, client: reqwest::Client) {
    let slots = Arc::new(Semaphore::new(world.config.webhook_concurrency.max(1)));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        world.delivery_due().await;
        let (dispatch, _) = world.change(|state, now| state.take_delivery(now));
        let Some(dispatch) = dispatch else { continue };
        let (world, client) = (Arc::clone(&world), client.clone());
        let tasks = world.tasks.clone();
        tasks.spawn(async move {
            // Nobody may hear of what a crash could still take back.
            if world.settled(world.everything()).await.is_ok() {
                attempt(&world, &client, dispatch).await;
            }
            drop(slot);
        });
    }
}

async fn attempt(world: &World, client: &reqwest::Client, dispatch: Dispatch) {
    let Some(target) = world.target() else {
        world.change(|state, now| state.put_back(dispatch.number, now + 1000));
        return;
    };
    // Receivers judge freshness by real time, wherever the simulator's clock stands.
    let timestamp = dispatch.signed_at.unwrap_or_else(|| match dispatch.unit {
        TimestampUnit::Milliseconds => system_now().to_string(),
        TimestampUnit::Seconds => (system_now() / 1000).to_string(),
    });
    let mut request = client
        .post(&target.url)
        .header("content-type", "application/json")
        .header("x-wk-timestamp", &timestamp);
    if let Some(secret) = &target.secret {
        request = request.header(
            "x-wk-signature",
            sign(secret, dispatch.body.as_bytes(), &timestamp),
        );
    }
    let status = request
        .body(dispatch.body)
        .send()
        .await
        .ok()
        .map(|answer| answer.status().as_u16());
    world.change(|state, now| state.delivered(dispatch.number, status, timestamp, now));
    world.tried();
}

#[cfg(test)]
mod tests {
    use super::sign;

    const SECRET: &str = "whsec_unit_7Q2mX0kPzr4";
    const CREATED: &str = r#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"card.create.succeeded","event_id":"5b0c6a52-4c6e-4a8e-9d0a-1f2e3d4c5b6a","source_id":"9a1d7f10-2b3c-4d5e-8f60-718293a4b5c6","data":{"card_id":"3e9f0c1d-7a6b-4c5d-9e8f-0a1b2c3d4e5f","card_status":"ACTIVE"}}"#;
    const KYC: &str = r#"{"version":"V1.6.0","event_name":"ISSUING","event_type":"cardholder.kyc.status_changed","event_id":"0d4f2b8e-91c7-4e35-a6d0-5c7b8e9f0a12","source_id":"c7d8e9f0-1a2b-4c3d-8e4f-5a6b7c8d9e0f","data":{"cardholder_id":"c7d8e9f0-1a2b-4c3d-8e4f-5a6b7c8d9e0f","cardholder_status":"FAILED","first_name":"Zoë","last_name":"林","idv_status":"FAILED","reason":""}}"#;

    #[test]
    fn signatures_match_the_vectors_of_contract_5_7() {
        assert_eq!((CREATED.len(), KYC.len()), (262, 354));
        assert_eq!(
            sign(SECRET, CREATED.as_bytes(), "1790000000123"),
            "667107cf984797a6ad8f28d4caa0905c2c981549b564202473021745bcac23059822b379d126d59af569e17d87a5eddbe81eb5ef30b5c37f0725fed4b070f302"
        );
        assert_eq!(
            sign(SECRET, KYC.as_bytes(), "1790000000"),
            "45ce29b70ec7c2824d727550c1023f5a18bcb553093f9c83563509f79e0bd3a13cc131923bf3e2a354365f2ded06c07f13ba0717ffd3c8471dcd11366da781b3"
        );
        assert_eq!(
            sign(SECRET, CREATED.as_bytes(), "1790000000"),
            "31f9768afb157094775ce8222b4517277f9b1981ebade76acdc80deb4bc1c898d8a31188035f54e14e55f2b9148dc3071177b181716c2799d3ab9c0fe3afba08"
        );
    }
}
