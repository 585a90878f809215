//! Bytes on a socket, and how the other side takes them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Longest a server under test may keep a connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Writes, then reads until the server closes. What it said, and how long that took.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> (String, Duration) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();
    let _ = stream.write_all(bytes).await;
    (until_closed(&mut stream).await, begun.elapsed())
}

/// Writes the beginning at once and then the rest one byte at a time, until the server has enough of it.
pub(crate) async fn drip(address: SocketAddr, beginning: &[u8], byte: u8) -> (String, Duration) {
    let stream = TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();
    let (mut from, mut to) = stream.into_split();
    to.write_all(beginning).await.unwrap();
    let dripping = tokio::spawn(async move {
        while to.write_all(&[byte]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let said = until_closed(&mut from).await;
    let took = begun.elapsed();
    dripping.abort();
    (said, took)
}

pub(crate) async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut said = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said))
        .await
        .expect("the server closes by itself");
    String::from_utf8_lossy(&said).into_owned()
}
