//! A server of raw bytes on loopback: says what it is told, remembers what it was sent.

use std::time::Duration;

use issuance_uqpay::{BaseUrl, Body, Client, Config, Token};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Has letters, so that their case can be seen on the wire.
pub(crate) const KEY: Uuid = Uuid::from_u128(0x00AB_CDEF_0000_4000_8000_0000_0000_00FF);
/// The least a create must bring.
pub(crate) const CREATED: &str =
    r#"{"card_id":"d1e4a2b7-6c05-4f88-b9e3-5a1c7d20f946","card_status":"PENDING"}"#;

pub(crate) fn body() -> Body {
    Body::from_bytes(br#"{"card_product_id":"p","x":1}"#.to_vec())
}

/// What the server does with one connection, after it has read the whole request.
#[derive(Clone)]
pub(crate) enum Play {
    /// Writes these bytes and closes.
    Say(String),
    /// Closes without a word.
    HangUp,
    /// Says these bytes, perhaps none, and then nothing while the client waits.
    Stall(String),
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    plays: JoinHandle<(Vec<String>, TcpListener)>,
}

impl Server {
    /// Serves one connection for each play, one after the other.
    pub(crate) async fn start(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api/", listener.local_addr().unwrap());
        let plays = tokio::spawn(async move {
            let mut requests = Vec::new();
            let mut open = Vec::new();
            for play in plays {
                let (mut stream, _) = listener.accept().await.unwrap();
                requests.push(request(&mut stream).await);
                match play {
                    Play::Say(answer) => {
                        // The client may hang up on an answer that is too large.
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let _ = stream.shutdown().await;
                    }
                    Play::HangUp => drop(stream),
                    Play::Stall(answer) => {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        open.push(stream);
                    }
                }
            }
            for mut stream in open {
                // Until the client gives up.
                let _ = stream.read(&mut [0; 16]).await;
            }
            (requests, listener)
        });
        Self { base_url, plays }
    }

    /// The requests received, once all plays are over; nobody may have come for another.
    pub(crate) async fn requests(self) -> Vec<String> {
        let plays = tokio::time::timeout(Duration::from_secs(20), self.plays).await;
        let (requests, listener) = plays.expect("all plays were seen").unwrap();
        let waiting = listener.into_std().unwrap().accept();
        assert_eq!(
            waiting.unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock,
            "one call too many"
        );
        requests
    }
}

async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "request ended early");
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            if body.len() >= length {
                return text.into_owned();
            }
        }
    }
}

/// An answer with a right length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Play {
    Play::Say(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))
}

pub(crate) fn config(base_url: &str) -> Config {
    Config {
        base_url: BaseUrl::parse(base_url, true).unwrap(),
        client_id: "client-1".into(),
        api_key: "key-of-client-1".into(),
        on_behalf_of: None,
        connect_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(10),
        max_answer: Config::MAX_ANSWER,
    }
}

pub(crate) fn client(base_url: &str) -> Client {
    Client::new(config(base_url)).unwrap()
}

pub(crate) fn token() -> Token {
    Token {
        value: "aaa.bbb.ccc".into(),
        expires_at: Timestamp::from_second(1_790_001_800).unwrap(),
    }
}
