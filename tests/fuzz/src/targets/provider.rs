//! What the provider, or a proxy before it, answers; and the addresses we would call.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use issuance_uqpay::{
    Answer, BaseUrl, Body, CardFilter, CardId, CardOrderId, CardholderId, Client, Config, NoReply,
    PageRequest, Reply, Request, Token, Transport,
};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Answers every call the same.
#[derive(Debug)]
struct Same {
    status: u16,
    retry_after: Vec<u8>,
    body: Vec<u8>,
}

#[async_trait]
impl Transport for Same {
    async fn send(&self, _: Request) -> Result<Reply, NoReply> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&self.retry_after) {
            headers.insert(RETRY_AFTER, value);
        }
        Ok(Reply {
            status: self.status,
            headers,
            body: Ok(Zeroizing::new(self.body.clone())),
        })
    }
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000).unwrap()
}

/// Only a 2xx is a success, and no server error a refusal.
fn check<T>(answer: &Answer<T>, status: u16) {
    match answer {
        Answer::Ok(_) => assert!((200..300).contains(&status), "{status} is no success"),
        Answer::Refused(refusal) => {
            let _ = (refusal.class().key_use(), refusal.to_string());
            assert!(
                !(500..600).contains(&status),
                "a server error refuses nothing"
            );
        }
        // Whoever waits clamps the wish; reading it must not overflow.
        Answer::Unknown(unknown) => drop(unknown.retry_after.map(|wish| wish.delay(now()))),
        Answer::NotSent(_) => panic!("it was answered"),
    }
}

/// A client that gets this answer to every call.
pub(super) fn client_that_hears(status: u16, retry_after: &[u8], body: &[u8]) -> Client {
    let config = Config {
        base_url: BaseUrl::parse("https://provider.example/api", false).unwrap(),
        client_id: "fuzz".into(),
        api_key: "fuzz-key".to_owned().into(),
        on_behalf_of: None,
        connect_timeout: Config::CONNECT_TIMEOUT,
        total_timeout: Config::TOTAL_TIMEOUT,
        max_answer: Config::MAX_ANSWER,
    };
    let wire = Arc::new(Same {
        status,
        retry_after: retry_after.to_vec(),
        body: body.to_vec(),
    });
    Client::over(wire, config).unwrap()
}

/// Three lines: status, `Retry-After`, and the body to the end; the same answer to every call.
pub(super) fn answer(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let status = parts.next().and_then(|text| std::str::from_utf8(text).ok());
    let status: u16 = status.and_then(|text| text.parse().ok()).unwrap_or(200);
    let retry_after = parts.next().unwrap_or_default().to_vec();
    let body = parts.next().unwrap_or_default().to_vec();
    let client = client_that_hears(status, &retry_after, &body);
    let token = Token {
        value: "t".to_owned().into(),
        expires_at: now(),
    };
    let sent = Body::from_bytes(b"{}".to_vec());
    let key = Uuid::nil();
    let card = CardId::parse("d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946").unwrap();
    let order = CardOrderId::parse("0c6f7f7e-52b1-4d3c-a1de-94b70c28e613").unwrap();
    let person = CardholderId::parse("7be0c9d3-1f24-4e6a-8a95-30d2f6b1c478").unwrap();
    let page = PageRequest::new(1, 10).unwrap();
    let calls = async {
        let _ = client.mint_token(now()).await;
        check(&client.list_products(&token, page).await, status);
        check(&client.create_card(&token, key, &sent).await, status);
        let read = client.get_card(&token, &card).await;
        check(&read, status);
        if let Answer::Ok(read) = read {
            assert_eq!(read.value.card_id, card, "another card than was asked for");
        }
        check(
            &client
                .list_cards(&token, &CardFilter::default(), page)
                .await,
            status,
        );
        check(&client.get_card_order(&token, &order).await, status);
        check(
            &client.update_card_status(&token, &card, key, &sent).await,
            status,
        );
        check(&client.get_cardholder(&token, &person).await, status);
        check(&client.list_cardholders(&token, None, page).await, status);
        check(
            &client.update_cardholder(&token, &person, key, &sent).await,
            status,
        );
    };
    calls
        .now_or_never()
        .expect("an answer that is there at once");
}

/// Only https, or loopback where that is allowed; no credentials in it.
pub(super) fn base_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for loopback in [false, true] {
        let Ok(base) = BaseUrl::parse(text, loopback) else {
            continue;
        };
        let url: reqwest::Url = text.trim().parse().expect("a base that is a URL");
        let host = url.host_str().unwrap_or_default();
        let local = matches!(host, "localhost" | "localhost." | "[::1]")
            || host.ends_with(".localhost")
            || host.ends_with(".localhost.")
            || host.starts_with("127.");
        assert!(
            url.scheme() == "https" || (loopback && url.scheme() == "http" && local),
            "{base:?}"
        );
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "credentials in {base:?}"
        );
    }
}
