//! What the client makes of a server that misbehaves (reliability §2.3).

use std::time::Duration;

use issuance_uqpay::{
    Answer, Class, Client, ClientError, Config, CreatedCard, NotSentCause, RetryAfter, Token,
    UnknownCause,
};

use crate::server::{CREATED, KEY, Play, Server, answer, body, client, config, token};

/// One create call against one play, and no second one.
async fn create(play: Play) -> Answer<CreatedCard> {
    create_with(play, |config| config).await
}

async fn create_with(play: Play, change: impl FnOnce(Config) -> Config) -> Answer<CreatedCard> {
    let server = Server::start(vec![play]).await;
    let client = Client::new(change(config(&server.base_url))).unwrap();
    let answer = client.create_card(&token(), KEY, &body()).await;
    assert_eq!(server.requests().await.len(), 1);
    answer
}

fn cause(answer: Answer<CreatedCard>) -> (UnknownCause, Option<u16>) {
    match answer {
        Answer::Unknown(unknown) => (unknown.cause, unknown.status),
        other => panic!("want unknown, got {other:?}"),
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    match client(&format!("http://{address}/api"))
        .create_card(&token(), KEY, &body())
        .await
    {
        Answer::NotSent(not_sent) => assert_eq!(not_sent.cause, NotSentCause::Refused),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tls_that_fails_or_stalls_is_not_sent() {
    for (reply, cause) in [
        (
            Some("HTTP/1.1 400 Bad Request\r\n\r\n"),
            NotSentCause::NoConnection,
        ),
        (None, NotSentCause::ConnectTimeout),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("https://{}/api", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut stream, _) = listener.accept().await.unwrap();
            let hello = stream.read(&mut [0; 4096]).await.unwrap();
            if let Some(reply) = reply {
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
            // Until the client gives up.
            let _ = stream.read(&mut [0; 16]).await;
            hello
        });
        let config = Config {
            connect_timeout: Duration::from_millis(300),
            ..config(&base_url)
        };
        let client = match Client::new(config) {
            Ok(client) => client,
            // A machine without CA certificates makes no https client at all.
            Err(error) => return assert!(matches!(error, ClientError::Http(_)), "{error}"),
        };
        match client.create_card(&token(), KEY, &body()).await {
            Answer::NotSent(not_sent) => assert_eq!(not_sent.cause, cause),
            other => panic!("{other:?}"),
        }
        assert!(server.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_token_no_header_can_carry_is_not_sent() {
    let client = client("http://127.0.0.1:9/api");
    for value in ["a\r\nx-on-behalf-of: me", "a\0b", "é"] {
        let token = Token {
            value: value.into(),
            ..token()
        };
        match client.create_card(&token, KEY, &body()).await {
            Answer::NotSent(not_sent) => assert_eq!(not_sent.cause, NotSentCause::Unsendable),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_unknown_and_not_repeated() {
    assert_eq!(
        cause(create(Play::HangUp).await),
        (UnknownCause::ConnectionLost, None)
    );
}

#[tokio::test]
async fn a_pooled_connection_that_dies_with_the_request_is_unknown() {
    // The first answer leaves the connection open and the server never reads from it again: the second call goes out
    // on it, and a client that repeats by itself would open another connection, which this server would accept.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/api", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut requests = 0;
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while requests < 2 {
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0);
            bytes.extend_from_slice(&chunk[..read]);
            if bytes.ends_with(body().as_bytes()) {
                bytes.clear();
                requests += 1;
                if requests == 1 {
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{CREATED}",
                        CREATED.len()
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        }
        drop(stream);
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_ok()
    });
    let client = client(&base_url);
    assert!(matches!(
        client.create_card(&token(), KEY, &body()).await,
        Answer::Ok(_)
    ));
    assert_eq!(
        cause(client.create_card(&token(), KEY, &body()).await),
        (UnknownCause::ConnectionLost, None)
    );
    assert!(
        !server.await.unwrap(),
        "a third connection: something repeated the call"
    );
}

#[tokio::test]
async fn silence_is_unknown_before_and_inside_the_answer() {
    let quick = |config: Config| Config {
        total_timeout: Duration::from_millis(300),
        ..config
    };
    assert_eq!(
        cause(create_with(Play::Stall(String::new()), quick).await),
        (UnknownCause::Timeout, None)
    );
    let begun = Play::Stall("HTTP/1.1 200 OK\r\ncontent-length: 80\r\n\r\n{\"card_id\":".into());
    assert_eq!(
        cause(create_with(begun, quick).await),
        (UnknownCause::Timeout, Some(200))
    );
}

#[tokio::test]
async fn a_truncated_answer_is_unknown() {
    let sized = Play::Say(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{CREATED}"
    ));
    assert_eq!(
        cause(create(sized).await),
        (UnknownCause::Truncated, Some(200))
    );
    let chunked =
        Play::Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"car\r\n".into());
    assert_eq!(
        cause(create(chunked).await),
        (UnknownCause::Truncated, Some(200))
    );
    // No length at all: the end of the connection looks like the end of the answer, so its JSON must tell.
    let unsized_ = Play::Say("HTTP/1.1 200 OK\r\n\r\n{\"card_id\":\"d1e4".into());
    assert_eq!(
        cause(create(unsized_).await),
        (UnknownCause::Unreadable, Some(200))
    );
    // A refusal cut short could have been "request is processing".
    let refused =
        Play::Say("HTTP/1.1 400 Bad Request\r\ncontent-length: 500\r\n\r\n{\"code\":".into());
    assert_eq!(
        cause(create(refused).await),
        (UnknownCause::Truncated, Some(400))
    );
    let nonsense = Play::Say("SSH-2.0-OpenSSH_9.9\r\n".into());
    assert_eq!(
        cause(create(nonsense).await),
        (UnknownCause::ConnectionLost, None)
    );
}

#[tokio::test]
async fn html_from_a_proxy_is_unknown() {
    let html = "<html><h1>502 Bad Gateway</h1></html>";
    let kind = "content-type: text/html\r\nretry-after: 7\r\n";
    match create(answer("502 Bad Gateway", kind, html)).await {
        Answer::Unknown(unknown) => {
            assert_eq!(
                (unknown.cause, unknown.status),
                (UnknownCause::ServerError, Some(502))
            );
            assert_eq!(
                unknown.retry_after,
                Some(RetryAfter::Delay(Duration::from_secs(7)))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        cause(create(answer("200 OK", kind, html)).await),
        (UnknownCause::Unreadable, Some(200))
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location = format!("location: http://{}/steal\r\n", other.local_addr().unwrap());
        let (cause, _) = cause(create(answer(status, &location, "")).await);
        assert_eq!(cause, UnknownCause::Redirect, "{status}");
    }
    assert_eq!(
        other.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "nobody came"
    );
}

#[tokio::test]
async fn a_huge_answer_is_not_read() {
    let small = |config: Config| Config {
        max_answer: 1_000,
        ..config
    };
    let fill = " ".repeat(1_001 - CREATED.len());
    let announced = answer("200 OK", "", &format!("{CREATED}{fill}"));
    assert_eq!(
        cause(create_with(announced, small).await),
        (UnknownCause::TooLarge, Some(200))
    );
    let five_gb = Play::Say("HTTP/1.1 200 OK\r\ncontent-length: 5000000000\r\n\r\n{".into());
    assert_eq!(
        cause(create(five_gb).await),
        (UnknownCause::TooLarge, Some(200))
    );
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        chunk.repeat(1_100)
    );
    assert_eq!(
        cause(create(Play::Say(chunked)).await),
        (UnknownCause::TooLarge, Some(200))
    );
    // To the byte, it is read.
    let fits = answer(
        "200 OK",
        "",
        &format!("{CREATED}{}", " ".repeat(1_000 - CREATED.len())),
    );
    assert!(matches!(create_with(fits, small).await, Answer::Ok(_)));
}

#[tokio::test]
async fn the_legacy_envelope_that_says_200_on_a_400() {
    let body = r#"{"code":200,"message":"Request is processing, please try again later"}"#;
    match create(answer("400 Bad Request", "", body)).await {
        Answer::Refused(refusal) => {
            assert_eq!((refusal.status, refusal.class()), (400, Class::Processing))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rate_limit_carries_its_wait() {
    let body = r#"{"code":"too_many_requests","message":"slow down",}"#;
    match create(answer("429 Too Many Requests", "retry-after: 30\r\n", body)).await {
        Answer::Refused(refusal) => {
            let wait = RetryAfter::Delay(Duration::from_secs(30));
            assert_eq!(
                refusal.class(),
                Class::RateLimited {
                    retry_after: Some(wait)
                }
            );
        }
        other => panic!("{other:?}"),
    }
}
