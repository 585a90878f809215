//! `issuance serve`: the engine, the host's listener and the operators', until told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use issuance::store::Past;
use issuance::store::journal::Head;
use issuance::{Engine, EngineError, SystemClock};
use issuance_server::{Metrics, PublicOptions, ServeError, Server, admin, public};
use serde_json::json;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::assemble;
use crate::config::{self, Checked};
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use crate::{logging, signals};

/// Run the engine with its HTTP listeners until SIGINT or SIGTERM.
///
/// Ends with 0 when it was told to stop, and with another status when it stopped by itself, as it does at the first storage
/// error: start it again once the disk is sound, nothing acknowledged is lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to do, over the standard values (`issuance config init` prints those).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A head of the log kept elsewhere, as `issuance audit verify` prints it: refuse a log that does not contain it.
    #[arg(long, value_name = "POSITION:HASH", value_parser = crate::audit::head)]
    known_head: Option<Head>,
    /// Start also on a log that is older than one known, because the newer one is lost for good. What it held is forgotten
    /// here, while the provider may have acted on it.
    #[arg(long)]
    accept_rollback: bool,
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let variables = config::variables();
    let settings = config::read(Some(&args.config), &variables)?;
    let mut checked = settings.check(&variables)?;
    checked.engine.past = Past {
        known: args.known_head,
        accept_rollback: args.accept_rollback,
    };
    let _logging = logging::start(checked.log.format, &checked.log.filter)?;
    let serving = Serving::start(checked).await?;
    serving.announce(output)?;
    serving.until(signals::interrupted()).await
}

/// An engine at work behind its listeners.
#[derive(Debug)]
pub(crate) struct Serving {
    /// The engine.
    pub(crate) engine: Engine,
    /// Where hosts and the provider come.
    pub(crate) hosts: SocketAddr,
    /// Where operators come, if any may.
    pub(crate) operators: Option<SocketAddr>,
    grace: Duration,
    stop: CancellationToken,
    listeners: Vec<JoinHandle<()>>,
    running: JoinHandle<Result<(), EngineError>>,
}

impl Serving {
    /// Opens the store, binds the listeners and sets everything to work.
    pub(crate) async fn start(checked: Checked) -> Result<Self, Failure> {
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        let metrics = Metrics::install().map_err(|error| Failure::of(Exit::Failed, &error))?;
        let (parts, notifier) = (checked.engine, checked.notifier);
        let opened = tokio::task::spawn_blocking(|| {
            assemble::engine(parts, Arc::new(SystemClock), notifier)
        })
        .await;
        let (engine, report) = opened.map_err(|error| {
            Failure::new(Exit::Failed, "cannot open the store").because(&error)
        })??;
        tracing::info!(
            environment = checked.environment.name(),
            position = report.journal.head.position,
            open_orders = report.open_orders,
            "the store is open"
        );
        if let Some(position) = report.index.ahead_of {
            tracing::error!(
                position,
                "an older log was accepted: look every open order up before anything is sent"
            );
        }

        let options = PublicOptions {
            metrics: Some(metrics),
            max_webhook_bytes: checked.max_webhook,
            ..PublicOptions::standard(checked.access)
        };
        let serve = checked.serve;
        let bound = Server::bind(
            checked.listen,
            public(engine.clone(), options),
            serve.clone(),
        )
        .await;
        let mut servers = vec![bind(bound, &engine).await?];
        if let Some((listen, credentials)) = checked.admin {
            let bound =
                Server::bind(listen, admin(engine.clone(), credentials), serve.clone()).await;
            servers.push(bind(bound, &engine).await?);
        }
        let addresses: Vec<_> = servers.iter().map(Server::address).collect();
        let stop = CancellationToken::new();
        let running = engine.clone();
        Ok(Self {
            hosts: addresses[0],
            operators: addresses.get(1).copied(),
            grace: serve.grace,
            listeners: servers
                .into_iter()
                .map(|server| tokio::spawn(server.run(stop.clone())))
                .collect(),
            stop,
            running: tokio::spawn(async move { running.run().await }),
            engine,
        })
    }

    fn announce(&self, output: Output) -> Result<(), Failure> {
        let url = |address: SocketAddr| format!("http://{address}");
        if output.json {
            return output.json_line(
                &json!({ "server": url(self.hosts), "admin": self.operators.map(url) }),
            );
        }
        output::note(&format!("orders and webhooks  {}", url(self.hosts)));
        if let Some(operators) = self.operators {
            output::note(&format!("operators            {}", url(operators)));
        }
        Ok(())
    }

    /// Works until `told`, or until the engine ends by itself, which it does only when it must not go on.
    pub(crate) async fn until(mut self, told: impl Future<Output = ()>) -> Result<(), Failure> {
        let ended = tokio::select! {
            () = told => None,
            ended = &mut self.running => Some(ended),
        };
        tracing::info!("stopping: no new requests, what is under way may end");
        self.stop.cancel();
        for listener in self.listeners {
            // A listener has the same grace and gives up by itself. A handler's panic is its own request's affair.
            let _ = listener.await;
        }
        let closed = self.engine.shutdown(self.grace).await;
        match ended {
            None => closed
                .map(|finished| tracing::info!(finished, "stopped"))
                .map_err(|error| stopped(&error)),
            Some(ended) => Err(ended_by_itself(ended)),
        }
    }
}

fn ended_by_itself(ended: Result<Result<(), EngineError>, JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::new(Exit::Failed, "the engine ended without being told to"),
        Ok(Err(error)) => stopped(&error),
        Err(error) => stopped(&error),
    }
}

/// A listener, or the engine's orderly end.
async fn bind(bound: Result<Server, ServeError>, engine: &Engine) -> Result<Server, Failure> {
    match bound {
        Ok(server) => Ok(server),
        Err(error) => {
            let _ = engine.shutdown(Duration::ZERO).await;
            Err(Failure::of(Exit::Failed, &error))
        }
    }
}

fn stopped(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Failed, "the engine has stopped")
        .because(error)
        .hint("nothing acknowledged is lost; start it again once the cause is gone")
}
