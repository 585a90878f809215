//! An engine on its store, from a checked configuration. `serve` and `demo` differ only in what they put around it.

use std::path::PathBuf;
use std::sync::Arc;

use issuance::domain::Policy;
use issuance::store::vault::Keys;
use issuance::store::{EmbeddedReport, EmbeddedStore, OpenError, Options, Past};
use issuance::uqpay::{Client, webhook::Verifier};
use issuance::{Clock, Engine, Limits, Notifier};

use crate::exit::{Exit, Failure};

/// What an engine is made of.
#[derive(Debug, Clone)]
pub(crate) struct EngineConfig {
    /// Made, for this user only, if its parent exists.
    pub(crate) data_dir: PathBuf,
    /// The vault's master keys.
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) policy: Policy,
    /// What is known elsewhere of the log.
    pub(crate) past: Past,
    pub(crate) limits: Limits,
    pub(crate) client: Client,
    /// None: no webhook is taken.
    pub(crate) webhooks: Option<Verifier>,
}

/// Opens the store and joins the parts; blocks while the log is read. Nothing runs yet.
pub(crate) fn engine(
    config: EngineConfig,
    clock: Arc<dyn Clock>,
    notifier: Option<Arc<dyn Notifier>>,
) -> Result<(Engine, EmbeddedReport), Failure> {
    // The store must know what orders owe exactly as the engine does, which has nobody to tell without a notifier.
    let policy = Policy {
        notify_host: notifier.is_some(),
        ..config.policy
    };
    let options = Options {
        dir: config.data_dir,
        keys: config.keys,
        policy: policy.clone(),
        limits: issuance::store::Limits::default(),
        past: config.past,
    };
    let (store, report) = EmbeddedStore::open(options).map_err(not_opened)?;
    let mut builder = Engine::builder()
        .store(Arc::new(store))
        .uqpay(config.client)
        .clock(clock)
        .policy(policy)
        .limits(config.limits);
    if let Some(notifier) = notifier {
        builder = builder.notifier(notifier);
    }
    if let Some(verifier) = config.webhooks {
        builder = builder.webhooks(verifier);
    }
    let engine = builder
        .build()
        .map_err(|error| Failure::of(Exit::Usage, &error))?;
    Ok((engine, report))
}

pub(crate) fn not_opened(error: OpenError) -> Failure {
    let hint = match &error {
        OpenError::DataDir(_) => {
            "`store.data_dir` must be a private directory on a local disk; its parent must exist"
        }
        OpenError::Journal(error) if error.is_rollback() => {
            "put the newest copy back; only if there is none, start once with `--accept-rollback`"
        }
        OpenError::Journal(_) => {
            "`issuance audit verify DIR` reads the whole log and names what is wrong"
        }
        OpenError::Vault(_) => "is `store.vault_key` the key this directory was made with?",
        _ => "the log itself was not changed",
    };
    Failure::new(Exit::Failed, "cannot open the store")
        .because(&error)
        .hint(hint)
}
