//! The running simulator: listens, serves connections, and can break one off in the middle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::config::{Config, WebhookTarget};
use crate::durable::DurableError;
use crate::faults::{FaultRule, IdvOutcome};
use crate::ledger::Ledger;
use crate::variants::Variants;
use crate::world::World;
use crate::{api, control, webhooks};

/// How long a shutdown waits for calls under way.
const GRACE: Duration = Duration::from_secs(5);

/// Why a simulator does not start or obey.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address is taken or not ours.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The wanted address.
        addr: SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot open the simulator's data")]
    Data(#[from] DurableError),
    /// The HTTP client of the deliveries cannot be built.
    #[error("cannot prepare webhook deliveries")]
    Client(#[source] reqwest::Error),
    /// The identity verification is not in a state for this.
    #[error("nothing to do for cardholder {cardholder}: {reason}")]
    Idv {
        /// Whose verification.
        cardholder: Uuid,
        /// Why not.
        reason: String,
    },
}

/// A false UQPAY that is not running yet.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Reads the data directory, binds, and serves on background tasks until [`Running::shutdown`] or drop.
    ///
    /// # Errors
    /// The address cannot be bound, or the data directory cannot be read.
    pub async fn start(config: Config, listen: SocketAddr) -> Result<Running, SimulatorError> {
        let listener =
            TcpListener::bind(listen)
                .await
                .map_err(|source| SimulatorError::Listen {
                    addr: listen,
                    source,
                })?;
        let addr = listener
            .local_addr()
            .map_err(|source| SimulatorError::Listen {
                addr: listen,
                source,
            })?;
        let idv_base = config
            .idv_link_base
            .clone()
            .unwrap_or_else(|| format!("http://{addr}/_sim/idv/page/"));
        let client = webhooks::client().map_err(SimulatorError::Client)?;
        let world = Arc::new(World::open(config, idv_base)?);
        let stop = CancellationToken::new();
        let router = api::router()
            .merge(control::router())
            .with_state(Arc::clone(&world));
        world.tasks.spawn(until(
            stop.clone(),
            accept(listener, router, Arc::clone(&world), stop.clone()),
        ));
        world.tasks.spawn(until(
            stop.clone(),
            webhooks::run(Arc::clone(&world), client),
        ));
        world.tasks.spawn(until(stop.clone(), {
            let world = Arc::clone(&world);
            async move { world.run_timers().await }
        }));
        Ok(Running { addr, world, stop })
    }
}

/// A running simulator. Dropping it stops it without grace.
pub struct Running {
    addr: SocketAddr,
    world: Arc<World>,
    stop: CancellationToken,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Base of the API, `http://ADDR/api`, to which `/v1/…` is appended.
    pub fn api_base(&self) -> String {
        format!("http://{}/api", self.addr)
    }

    /// Sends deliveries to another receiver from now on, or to none.
    pub fn set_webhook(&self, target: Option<WebhookTarget>) {
        self.world.set_target(target);
    }

    /// Varies the form of answers and webhooks from now on, or no more.
    pub fn set_variants(&self, variants: Variants) {
        self.world.set_variants(variants);
    }

    /// What really happened. With every request: for a quick look at the cards see [`Running::ledger_without_requests`].
    pub fn ledger(&self) -> Ledger {
        self.world.read(|state, now| state.ledger(now, true))
    }

    /// The ledger with an empty request log.
    pub fn ledger_without_requests(&self) -> Ledger {
        self.world.read(|state, now| state.ledger(now, false))
    }

    /// Milliseconds since the epoch by the simulator's clock.
    pub fn now(&self) -> i64 {
        self.world.clock.now()
    }

    /// Moves the clock; what became due has happened when this returns, deliveries are on their way.
    pub async fn advance(&self, by: Duration) {
        let ticket = self.world.advance(by);
        let _ = self.world.settled(ticket).await;
    }

    /// Adds rules to the fault script.
    pub fn add_faults(&self, rules: impl IntoIterator<Item = FaultRule>) {
        self.world.add_faults(rules);
    }

    /// The fault script with its counters.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.world.read(|state, _| state.faults.rules.clone())
    }

    /// Empties the fault script.
    pub fn clear_faults(&self) {
        self.world.clear_faults();
    }

    /// Lets the person, or the reviewer after a submission, act.
    ///
    /// # Errors
    /// No such cardholder, the link has expired, or the verification is over.
    pub async fn act_on_idv(
        &self,
        cardholder: Uuid,
        outcome: IdvOutcome,
    ) -> Result<(), SimulatorError> {
        let (done, ticket) = self
            .world
            .change(|state, now| state.person_acts(cardholder, outcome, now));
        let _ = self.world.settled(ticket).await;
        done.map_err(|error| SimulatorError::Idv {
            cardholder,
            reason: error.to_string(),
        })
    }

    /// Stops taking calls, lets those under way end (at most five seconds), and closes the file.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.world.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.world.tasks.wait()).await;
        let world = Arc::clone(&self.world);
        let _ = tokio::task::spawn_blocking(move || world.close()).await;
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

async fn accept(listener: TcpListener, router: Router, world: Arc<World>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(world.config.max_connections.max(1)));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (router, stop) = (router.clone(), stop.clone());
        world.tasks.spawn(async move {
            serve(stream, router, stop).await;
            drop(slot);
        });
    }
}

/// The connection is broken off because the fault script says so.
#[derive(Debug, thiserror::Error)]
#[error("connection cut by the fault script")]
struct Cut;

async fn serve(stream: TcpStream, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            if response.extensions().get::<api::CutConnection>().is_some() {
                Err(Cut)
            } else {
                Ok(response)
            }
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    // Longer than callers keep idle connections, so that none is closed under a request.
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(120));
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(GRACE, connection).await;
        }
    }
}
