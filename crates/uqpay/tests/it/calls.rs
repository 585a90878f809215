//! What the client sends, what it takes for an answer, and who may make one.

use std::time::Duration;

use issuance_uqpay::{
    AccountId, Answer, Auth, CallError, CardFilter, CardStatus, Class, Client, Config, PageRequest,
    Token, UnknownCause,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::server::{CREATED, KEY, Server, answer, body, client, config, token};

#[tokio::test]
async fn a_create_is_sent_exactly_and_read() {
    let server = Server::start(vec![answer("201 Created", "", CREATED)]).await;
    let Answer::Ok(received) = client(&server.base_url)
        .create_card(&token(), KEY, &body())
        .await
    else {
        panic!()
    };
    assert_eq!(
        (received.status, received.value.card_status),
        (201, Some(CardStatus::Pending))
    );
    assert_eq!(received.raw.as_bytes(), CREATED.as_bytes());
    let request = server.requests().await.remove(0);
    let (head, sent) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /api/v1/issuing/cards HTTP/1.1\r\n"),
        "{head}"
    );
    assert_eq!(sent.as_bytes(), body().as_bytes());
    let head = head
        .to_ascii_lowercase()
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    for line in [
        "x-auth-token: bearer aaa.bbb.ccc",
        "x-idempotency-key: 00abcdef-0000-4000-8000-0000000000ff",
        "content-type: application/json",
    ] {
        assert!(head.iter().any(|sent| sent == line), "{line} in {head:?}");
    }
    for name in [
        "x-on-behalf-of",
        "x-api-key",
        "x-client-id",
        "cookie",
        "referer",
        "accept-encoding",
    ] {
        assert!(
            !head.iter().any(|sent| sent.starts_with(name)),
            "{name} in {head:?}"
        );
    }
    assert!(
        request.contains("00abcdef-0000-4000-8000-0000000000ff"),
        "the key is lower case on the wire"
    );
}

#[tokio::test]
async fn the_account_is_sent_when_there_is_one_and_never_on_mint() {
    let minted = r#"{"auth_token":"a.b.c","expired_at":1790001800}"#;
    let plays = vec![
        answer("200 OK", "", CREATED),
        answer("200 OK", "", CREATED),
        answer("200 OK", "", minted),
    ];
    let server = Server::start(plays).await;
    let default = AccountId::parse("acc-default").unwrap();
    let other = AccountId::parse("acc-other").unwrap();
    let client = Client::new(Config {
        on_behalf_of: Some(default),
        ..config(&server.base_url)
    })
    .unwrap();
    let _ = client.create_card(&token(), KEY, &body()).await;
    let _ = client
        .create_card(Auth::new(&token()).on_behalf_of(Some(&other)), KEY, &body())
        .await;
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let Token { value, expires_at } = client.mint_token(now).await.unwrap();
    assert_eq!(
        (value.expose_secret(), expires_at.as_second()),
        ("a.b.c", 1_790_001_800)
    );
    let requests = server.requests().await;
    assert!(requests[0].contains("x-on-behalf-of: acc-default\r\n"));
    assert!(requests[1].contains("x-on-behalf-of: acc-other\r\n"));
    assert!(requests[2].starts_with("POST /api/v1/connect/token HTTP/1.1\r\n"));
    assert!(
        requests[2].contains("x-client-id: client-1\r\n")
            && requests[2].contains("x-api-key: key-of-client-1\r\n")
    );
    assert!(!requests[2].contains("x-on-behalf-of") && !requests[2].contains("x-auth-token"));
    assert!(AccountId::parse("").is_err());
}

#[tokio::test]
async fn reads_ask_for_what_they_should_and_refuse_the_wrong_thing() {
    let page = r#"{"total_pages":1,"total_items":1,"data":[{"card_id":"c-1"}]}"#;
    let plays = vec![
        answer("200 OK", "", page),
        answer("200 OK", "", r#"{"total_items":1,"data":[]}"#),
        answer("200 OK", "", r#"{"card_id":"c-2","card_status":"ACTIVE"}"#),
        answer(
            "200 OK",
            "",
            r#"{"card_order_id":"o-1","order_status":"SUCCESS"}"#,
        ),
        answer("200 OK", "", r#"{"card_order_id":"o-1"}"#),
        answer(
            "200 OK",
            "",
            r#"{"cardholder_id":"h-1","idv_status":"PASSED"}"#,
        ),
        answer("200 OK", "", "{}"),
    ];
    let server = Server::start(plays).await;
    let client = client(&server.base_url);
    let token = token();
    let filter = CardFilter {
        card_status: Some(CardStatus::Pending),
        cardholder_id: Some("h-1".parse().unwrap()),
    };
    let asked = PageRequest::new(2, 50).unwrap();
    let (card, order, holder) = (
        "c-1".parse().unwrap(),
        "o-1".parse().unwrap(),
        "h-1".parse().unwrap(),
    );
    assert!(
        matches!(client.list_cards(&token, &filter, asked).await, Answer::Ok(page) if page.value.data.len() == 1)
    );
    let short = client.list_products(&token, PageRequest::first()).await;
    assert!(matches!(short, Answer::Unknown(unknown) if unknown.cause == UnknownCause::Incomplete));
    let wrong = client.get_card(&token, &card).await;
    assert!(
        matches!(wrong, Answer::Unknown(unknown) if unknown.cause == UnknownCause::WrongResource)
    );
    assert!(matches!(
        client.get_card_order(&token, &order).await,
        Answer::Ok(_)
    ));
    let empty = client.get_card_order(&token, &order).await;
    assert!(matches!(empty, Answer::Unknown(unknown) if unknown.cause == UnknownCause::Incomplete));
    assert!(matches!(
        client.get_cardholder(&token, &holder).await,
        Answer::Ok(_)
    ));
    let empty = client.get_cardholder(&token, &holder).await;
    assert!(matches!(empty, Answer::Unknown(unknown) if unknown.cause == UnknownCause::Incomplete));
    let lines: Vec<String> = server
        .requests()
        .await
        .iter()
        .map(|request| request.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "GET /api/v1/issuing/cards?page_number=2&page_size=50&card_status=PENDING&cardholder_id=h-1 HTTP/1.1",
            "GET /api/v1/issuing/products?page_number=1&page_size=100 HTTP/1.1",
            "GET /api/v1/issuing/cards/c-1 HTTP/1.1",
            "GET /api/v1/issuing/cards/o-1/order HTTP/1.1",
            "GET /api/v1/issuing/cards/o-1/order HTTP/1.1",
            "GET /api/v1/issuing/cardholders/h-1 HTTP/1.1",
            "GET /api/v1/issuing/cardholders/h-1 HTTP/1.1",
        ]
    );
    for (number, size) in [(0, 10), (1, 9), (1, 101)] {
        assert!(PageRequest::new(number, size).is_err());
    }
}

#[tokio::test]
async fn a_mint_that_fails_says_how() {
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let plays = vec![
        answer("400 Bad Request", "", r#"{"message":"Invalid client id"}"#),
        answer("429 Too Many Requests", "", ""),
        answer("503 Service Unavailable", "", ""),
        answer("200 OK", "", r#"{"expired_at":1790001800}"#),
        answer("200 OK", "", r#"{"auth_token":"a\r\nb"}"#),
        answer(
            "200 OK",
            "",
            r#"{"auth_token":"opaque","expired_at":"2026-09-21T15:00:00+00:00"}"#,
        ),
    ];
    let server = Server::start(plays).await;
    let client = client(&server.base_url);
    for class in [
        Class::CredentialsRejected,
        Class::RateLimited { retry_after: None },
    ] {
        match client.mint_token(now).await {
            Err(CallError::Refused(refusal)) => assert_eq!(refusal.class(), class),
            other => panic!("{other:?}"),
        }
    }
    for cause in [
        UnknownCause::ServerError,
        UnknownCause::Incomplete,
        UnknownCause::Incomplete,
    ] {
        match client.mint_token(now).await {
            Err(CallError::Unknown(unknown)) => assert_eq!(unknown.cause, cause),
            other => panic!("{other:?}"),
        }
    }
    let token = client.mint_token(now).await.unwrap();
    assert_eq!(
        (
            token.value.expose_secret(),
            token.expires_at.to_string().as_str()
        ),
        ("opaque", "2026-09-21T15:00:00Z")
    );
    assert!(
        !format!("{token:?} {client:?}").contains("opaque")
            && !format!("{client:?}").contains("key-of-client-1")
    );
}

#[test]
fn settings_that_cannot_work_make_no_client() {
    let new = |change: fn(Config) -> Config| {
        Client::new(change(config("http://127.0.0.1:9/api"))).map(|_| ())
    };
    assert!(new(|config| config).is_ok());
    assert!(
        new(|config| Config {
            client_id: String::new(),
            ..config
        })
        .is_err()
    );
    assert!(
        new(|config| Config {
            client_id: "a\nb".into(),
            ..config
        })
        .is_err()
    );
    assert!(
        new(|config| Config {
            api_key: "".into(),
            ..config
        })
        .is_err()
    );
    assert!(
        new(|config| Config {
            total_timeout: Duration::ZERO,
            ..config
        })
        .is_err()
    );
    assert!(
        new(|config| Config {
            max_answer: 0,
            ..config
        })
        .is_err()
    );
}

#[test]
fn calls_can_be_spawned() {
    fn sendable<T: Send>(_: &T) {}
    let client = client("http://127.0.0.1:9/api");
    let (token, body, card) = (token(), body(), "c-1".parse().unwrap());
    sendable(&client.create_card(&token, KEY, &body));
    sendable(&client.get_card(&token, &card));
    sendable(&client.list_cardholders(&token, None, PageRequest::first()));
    sendable(&client.mint_token(token.expires_at));
}
