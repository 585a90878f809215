//! A TCP link that can be broken: between engine and provider, provider and webhook door, host and engine, engine and the
//! host's door. It knows no HTTP but this: bytes from the caller after an answer begin another exchange, and each exchange
//! meets at most one fault.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::plan::{Fault, Weather};
use crate::random::Random;

/// How long a link stays half open at most; every caller gives up before.
const HELD: Duration = Duration::from_secs(6);
const CHUNK: usize = 16 << 10;

/// One link. Let go of, it is gone with all its connections.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    open: Mutex<Option<Open>>,
}

/// What listens.
#[derive(Debug)]
struct Open {
    stop: CancellationToken,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    weather: Mutex<(Weather, Random)>,
    exchanges: AtomicU64,
    struck: [AtomicU64; Fault::ALL.len()],
}

impl Link {
    /// Open, and fair.
    pub(super) async fn to(upstream: SocketAddr, random: Random) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let shared = Arc::new(Shared {
            upstream,
            weather: Mutex::new((Weather::default(), random)),
            exchanges: AtomicU64::new(0),
            struck: Default::default(),
        });
        Self {
            address: listener.local_addr().expect("a port"),
            open: Mutex::new(Some(Open::on(listener, &shared))),
            shared,
        }
    }

    pub(super) fn set(&self, weather: Weather) {
        self.shared.weather.lock().unwrap().0 = weather;
    }

    /// Nobody listens for a while, and what was connected is cut.
    pub(super) async fn refuse(&self, how_long: Duration) {
        let open = self.open.lock().unwrap().take();
        if let Some(open) = open {
            open.stop.cancel();
            let _ = open.listening.await;
        }
        tokio::time::sleep(how_long).await;
        let listener = TcpListener::bind(self.address).await.expect("its own port");
        *self.open.lock().unwrap() = Some(Open::on(listener, &self.shared));
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.shared.exchanges.load(Ordering::Relaxed)
    }

    pub(super) fn struck(&self) -> impl Iterator<Item = (Fault, u64)> {
        let counts = self.shared.struck.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        Fault::ALL.into_iter().zip(counts)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(open) = self.open.get_mut().unwrap().take() {
            open.stop.cancel();
        }
    }
}

impl Open {
    fn on(listener: TcpListener, shared: &Arc<Shared>) -> Self {
        let stop = CancellationToken::new();
        let listening = tokio::spawn(listen(listener, Arc::clone(shared), stop.clone()));
        Self { stop, listening }
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let caller = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((caller, _)) => caller,
                Err(_) => continue,
            },
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = relay(caller, &shared) => {}
            }
        });
    }
}

/// Why a connection is let go of.
struct Cut;

impl From<std::io::Error> for Cut {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

async fn relay(mut caller: TcpStream, shared: &Shared) -> Result<(), Cut> {
    let mut server = TcpStream::connect(shared.upstream).await?;
    let (mut from_caller, mut from_server) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut fault, mut answering) = (None, true);
    loop {
        tokio::select! {
            read = caller.read(&mut from_caller) => {
                let bytes = &from_caller[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                if answering {
                    answering = false;
                    fault = shared.draw();
                }
                request(fault, bytes, &mut caller, &mut server).await?;
            }
            read = server.read(&mut from_server) => {
                let bytes = &from_server[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                answering = true;
                answer(fault, bytes, &mut caller).await?;
            }
        }
    }
}

impl Shared {
    fn draw(&self) -> Option<Fault> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        let mut weather = self.weather.lock().unwrap();
        let (weather, random) = &mut *weather;
        let fault = weather.draw(random)?;
        self.struck[fault as usize].fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }
}

/// A part of a request, on its way to the server.
async fn request(
    fault: Option<Fault>,
    bytes: &[u8],
    caller: &mut TcpStream,
    server: &mut TcpStream,
) -> Result<(), Cut> {
    match fault {
        Some(Fault::CutBefore) => return Err(Cut),
        Some(Fault::ResetBefore) => return reset(caller),
        Some(Fault::SilentBefore) => return held().await,
        Some(Fault::CutRequest) => {
            server.write_all(&bytes[..bytes.len() / 2]).await?;
            return Err(Cut);
        }
        Some(Fault::SlowRequest) => tokio::time::sleep(Duration::from_millis(700)).await,
        Some(Fault::Throttle) => return trickle(bytes, 128, server).await,
        Some(
            Fault::CutBeforeAnswer
            | Fault::ResetBeforeAnswer
            | Fault::CutAnswer
            | Fault::SilentAfter
            | Fault::SlowAnswer
            | Fault::Drip,
        )
        | None => {}
    }
    Ok(server.write_all(bytes).await?)
}

/// A part of an answer, on its way to the caller: the server has done what it was asked.
async fn answer(fault: Option<Fault>, bytes: &[u8], caller: &mut TcpStream) -> Result<(), Cut> {
    match fault {
        Some(Fault::CutBeforeAnswer) => return Err(Cut),
        Some(Fault::ResetBeforeAnswer) => return reset(caller),
        Some(Fault::SilentAfter) => return held().await,
        Some(Fault::CutAnswer) => {
            caller.write_all(&bytes[..bytes.len() / 2]).await?;
            return Err(Cut);
        }
        Some(Fault::SlowAnswer) => tokio::time::sleep(Duration::from_millis(700)).await,
        Some(Fault::Drip) => return trickle(bytes, 1, caller).await,
        Some(Fault::Throttle) => return trickle(bytes, 128, caller).await,
        Some(
            Fault::CutBefore
            | Fault::ResetBefore
            | Fault::SilentBefore
            | Fault::CutRequest
            | Fault::SlowRequest,
        )
        | None => {}
    }
    Ok(caller.write_all(bytes).await?)
}

/// RST instead of FIN.
fn reset(caller: &TcpStream) -> Result<(), Cut> {
    caller.set_zero_linger()?;
    Err(Cut)
}

/// Half open: taken, and never heard of again.
async fn held() -> Result<(), Cut> {
    tokio::time::sleep(HELD).await;
    Err(Cut)
}

async fn trickle(bytes: &[u8], piece: usize, to: &mut TcpStream) -> Result<(), Cut> {
    for piece in bytes.chunks(piece) {
        to.write_all(piece).await?;
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    Ok(())
}
