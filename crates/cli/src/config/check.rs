//! The rules a configuration must keep, and what it comes to once its secrets are read.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use issuance::domain::{Policy, Timestamp};
use issuance::store::vault::{Keyring as VaultKeys, MasterKey};
use issuance::store::{Options, Past};
use issuance::uqpay::webhook::{InvalidVerifier, Verifier, WebhookSecret};
use issuance::uqpay::{AccountId, BaseUrl, Client, Config};
use issuance::{Notifier, Retry, SystemClock};
use issuance_server::{Access, AdminCredentials, HttpNotifier, NotifierOptions, ServeOptions};
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use super::credential;
use super::secret::Place;
use super::settings::{Environment, Log, Settings};
use super::{ConfigError, Variables};
use crate::assemble::EngineConfig;

/// UQPAY forgets a key after this (contract §6.4).
const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A configuration that passed every rule.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) environment: Environment,
    pub(crate) base_url: BaseUrl,
    pub(crate) engine: EngineConfig,
    pub(crate) listen: SocketAddr,
    pub(crate) access: Access,
    /// Bytes of the largest webhook looked at.
    pub(crate) max_webhook: usize,
    /// None: there is no admin listener.
    pub(crate) admin: Option<(SocketAddr, AdminCredentials)>,
    pub(crate) serve: ServeOptions,
    /// None: the host reads the feed.
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
    pub(crate) log: Log,
    /// What is allowed and still worth a word.
    pub(crate) warnings: Vec<&'static str>,
}

impl Settings {
    /// Every rule that needs no secret.
    pub(crate) fn rules(&self) -> Result<BaseUrl, ConfigError> {
        let base_url = self.rule_environment()?;
        self.rule_times()?;
        self.rule_counts()?;
        self.rule_listeners()?;
        let filter = EnvFilter::try_new(&self.log.filter);
        filter.map_err(|error| {
            ConfigError::rule("log.filter", format!("is not a log filter: {error}"))
        })?;
        Ok(base_url)
    }

    fn rule_environment(&self) -> Result<BaseUrl, ConfigError> {
        let local = self.environment == Environment::Local;
        let key = "provider.base_url";
        let url = BaseUrl::parse(&self.provider.base_url, local)
            .map_err(|error| ConfigError::rule(key, format!("does not do: {error}")))?;
        let parsed = reqwest::Url::parse(&url.to_string()).ok();
        let host = parsed
            .as_ref()
            .and_then(|url| url.host_str())
            .unwrap_or_default();
        let actual = if crate::address::is_loopback_host(host) {
            Environment::Local
        } else if host.contains("sandbox") {
            Environment::Sandbox
        } else {
            Environment::Production
        };
        if actual == self.environment {
            return Ok(url);
        }
        let (said, is) = (self.environment.name(), actual.name());
        Err(ConfigError::rule(
            "environment",
            format!("says {said}, but `{key}` leads to {is} ({host})"),
        ))
    }

    fn rule_times(&self) -> Result<(), ConfigError> {
        let Self {
            provider,
            limits,
            policy,
            ..
        } = self;
        let shorter = |(key, wait): (&str, Duration), (than, bound): (&str, Duration)| {
            let why = || format!("must be above zero and shorter than `{than}`");
            if !wait.is_zero() && wait < bound {
                Ok(())
            } else {
                Err(ConfigError::rule(key, why()))
            }
        };
        let timeout = ("provider.timeout", provider.timeout);
        let task = ("limits.task_deadline", limits.task_deadline);
        shorter(
            ("provider.connect_timeout", provider.connect_timeout),
            timeout,
        )?;
        shorter(timeout, task)?;
        shorter(task, ("policy.call_deadline", policy.call_deadline))?;
        if policy.key_safe_age >= KEY_LIFE {
            return Err(ConfigError::rule(
                "policy.key_safe_age",
                "must be shorter than 24h, when UQPAY forgets keys",
            ));
        }
        for (key, retry) in [
            ("limits.retry", &limits.retry),
            ("limits.breaker", &limits.breaker),
        ] {
            let Retry { first, cap, jitter } = retry;
            if first.is_zero() || first > cap || !(0.0..=1.0).contains(jitter) {
                return Err(ConfigError::rule(
                    key,
                    "needs 0 < `first` <= `cap` and `jitter` from 0 to 1",
                ));
            }
        }
        let above_zero = [
            ("policy.look_up_first", policy.look_up_first),
            ("policy.look_up_cap", policy.look_up_cap),
            ("policy.look_up_person_first", policy.look_up_person_first),
            ("policy.idv_link_life", policy.idv_link_life),
            ("policy.absence_scan_gap", policy.absence_scan_gap),
            ("policy.capacity_retry", policy.capacity_retry),
            ("policy.cancel_retry", policy.cancel_retry),
            ("policy.late_look_up_first", policy.late_look_up_first),
            ("webhooks.tolerance", self.webhooks.tolerance),
            ("server.header_timeout", self.server.header_timeout),
            ("server.idle_timeout", self.server.idle_timeout),
            ("server.write_timeout", self.server.write_timeout),
            ("notify.timeout", self.notify.timeout),
        ];
        match above_zero.into_iter().find(|(_, wait)| wait.is_zero()) {
            Some((key, _)) => Err(ConfigError::rule(key, "must be above zero")),
            None => Ok(()),
        }
    }

    fn rule_counts(&self) -> Result<(), ConfigError> {
        let Self { limits, server, .. } = self;
        let counts = [
            ("limits.calls_per_minute", limits.calls_per_minute as usize),
            ("limits.submissions", limits.submissions),
            ("limits.readings", limits.readings),
            ("limits.notices", limits.notices),
            ("limits.search_pages", limits.search_pages as usize),
            ("provider.max_answer", self.provider.max_answer),
            ("webhooks.max_body", self.webhooks.max_body),
            ("server.max_connections", server.max_connections),
            ("server.max_header_fields", server.max_header_fields),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::rule(key, "must be above zero"));
        }
        // The HTTP library takes no less.
        if server.max_header_bytes < 8192 {
            return Err(ConfigError::rule(
                "server.max_header_bytes",
                "must be 8192 or more",
            ));
        }
        Ok(())
    }

    fn rule_listeners(&self) -> Result<(), ConfigError> {
        let Self { server, admin, .. } = self;
        let anonymous = server.allow_anonymous_loopback && server.tokens.is_empty();
        if server.tokens.is_empty() && !server.allow_anonymous_loopback {
            let why = "is empty: nobody could place an order; add one, or set `server.allow_anonymous_loopback`";
            return Err(ConfigError::rule("server.tokens", why));
        }
        if anonymous && !server.listen.ip().is_loopback() {
            return Err(ConfigError::rule(
                "server.listen",
                "is not loopback, so `server.tokens` must name who may enter",
            ));
        }
        if anonymous && self.environment == Environment::Production {
            return Err(ConfigError::rule(
                "server.tokens",
                "must name who may enter, in production",
            ));
        }
        if !admin.listen.ip().is_loopback() && !admin.allow_public {
            let why = "can be reached from other machines; use loopback, or set `admin.allow_public` and put TLS before it";
            return Err(ConfigError::rule("admin.listen", why));
        }
        if admin.listen == server.listen && server.listen.port() != 0 {
            return Err(ConfigError::rule(
                "admin.listen",
                "is the address of `server.listen`; operators have their own",
            ));
        }
        Ok(())
    }

    /// Every rule, with every secret read.
    pub(crate) fn check(self, variables: &Variables) -> Result<Checked, ConfigError> {
        let base_url = self.rules()?;
        let client = self.client(base_url.clone(), variables)?;
        let webhooks = self.verifier(variables)?;
        let keys = self.vault_keys(variables)?;
        let notifier = self.notifier(variables)?;
        let access = credential::api(&self.server, variables)?;
        let admin = credential::admin(&self.admin, variables)?.map(|who| (self.admin.listen, who));
        let mut warnings = Vec::new();
        if webhooks.is_none() {
            warnings.push("`webhooks.secrets` is empty: no webhook is taken, and look-ups do all the work, slower");
        }
        if admin.is_none() {
            warnings.push("`admin.tokens` is empty: there is no admin listener, and nobody can free a stuck order");
        }
        let policy = Policy {
            notify_host: notifier.is_some(),
            ..self.policy
        };
        Ok(Checked {
            environment: self.environment,
            base_url,
            engine: EngineConfig {
                data_dir: self.store.data_dir,
                keys: Arc::new(keys),
                policy,
                past: Past::default(),
                limits: self.limits,
                client,
                webhooks,
            },
            listen: self.server.listen,
            access,
            max_webhook: self.webhooks.max_body,
            admin,
            serve: ServeOptions {
                max_connections: self.server.max_connections,
                header_timeout: self.server.header_timeout,
                idle_timeout: self.server.idle_timeout,
                write_timeout: self.server.write_timeout,
                max_header_bytes: self.server.max_header_bytes,
                max_header_fields: self.server.max_header_fields,
                grace: self.server.grace,
            },
            notifier,
            log: self.log,
            warnings,
        })
    }

    /// The store alone, for work on a directory nobody serves: no other secret is read.
    pub(crate) fn check_store(self, variables: &Variables) -> Result<Options, ConfigError> {
        self.rules()?;
        let keys = Arc::new(self.vault_keys(variables)?);
        let policy = Policy {
            notify_host: self.notify.url.is_some(),
            ..self.policy
        };
        Ok(Options {
            dir: self.store.data_dir,
            keys,
            policy,
            limits: issuance::store::Limits::default(),
            past: Past::default(),
        })
    }

    fn client(&self, base_url: BaseUrl, variables: &Variables) -> Result<Client, ConfigError> {
        let provider = &self.provider;
        let client_id = place(
            "provider.client_id",
            &provider.client_id_env,
            &provider.client_id_file,
        );
        let client_id = match &provider.client_id {
            Some(id) if client_id.is_nowhere() => SecretString::from(id.as_str()),
            Some(_) => return Err(ConfigError::rule("provider.client_id", "is given twice")),
            None => client_id.read(variables)?,
        };
        let api_key = place(
            "provider.api_key",
            &provider.api_key_env,
            &provider.api_key_file,
        )
        .read(variables)?;
        let on_behalf_of = provider
            .on_behalf_of
            .as_ref()
            .map(|account| AccountId::parse(account.as_str()))
            .transpose();
        let config = Config {
            base_url,
            client_id: client_id.expose_secret().to_owned(),
            api_key,
            on_behalf_of: on_behalf_of.map_err(|error| {
                ConfigError::rule("provider.on_behalf_of", format!("is {error}"))
            })?,
            connect_timeout: provider.connect_timeout,
            total_timeout: provider.timeout,
            max_answer: provider.max_answer,
        };
        Client::new(config)
            .map_err(|error| ConfigError::rule("provider", format!("does not do: {error}")))
    }

    fn verifier(&self, variables: &Variables) -> Result<Option<Verifier>, ConfigError> {
        let webhooks = &self.webhooks;
        let mut secrets = Vec::new();
        for (index, entry) in webhooks.secrets.iter().enumerate() {
            let key = format!("webhooks.secrets[{index}]");
            let secret = place(&key, &entry.env, &entry.file).read(variables)?;
            secrets.push(WebhookSecret {
                secret,
                valid_until: entry.valid_until.map(theirs),
            });
        }
        match Verifier::new(secrets, webhooks.tolerance) {
            Ok(verifier) => Ok(Some(verifier.with_max_body(webhooks.max_body))),
            Err(InvalidVerifier::NoSecret) => Ok(None),
            Err(
                error @ (InvalidVerifier::ShortSecret { .. } | InvalidVerifier::TooManySecrets),
            ) => Err(ConfigError::rule(
                "webhooks.secrets",
                format!("does not do: {error}"),
            )),
        }
    }

    fn vault_keys(&self, variables: &Variables) -> Result<VaultKeys, ConfigError> {
        let store = &self.store;
        let key = place(
            "store.vault_key",
            &store.vault_key_env,
            &store.vault_key_file,
        );
        let mut keys = VaultKeys::new(
            key_name("store.vault_key_name", &store.vault_key_name)?,
            master(key, variables)?,
        );
        let mut names = vec![&store.vault_key_name];
        for (index, old) in store.old_vault_keys.iter().enumerate() {
            let key = format!("store.old_vault_keys[{index}]");
            if names.contains(&&old.name) {
                return Err(ConfigError::rule(key, "has the name of another key"));
            }
            names.push(&old.name);
            keys = keys.with_old(
                key_name(&key, &old.name)?,
                master(place(&key, &old.env, &old.file), variables)?,
            );
        }
        Ok(keys)
    }

    fn notifier(&self, variables: &Variables) -> Result<Option<Arc<dyn Notifier>>, ConfigError> {
        let notify = &self.notify;
        let secret = place("notify.secret", &notify.secret_env, &notify.secret_file);
        let Some(url) = &notify.url else {
            return match secret.is_nowhere() {
                true => Ok(None),
                false => Err(ConfigError::rule(
                    "notify.url",
                    "must be given when there is a secret for it",
                )),
            };
        };
        let secret = secret.read(variables)?;
        let options = NotifierOptions {
            timeout: notify.timeout,
            ..NotifierOptions::standard(url, secret)
        };
        let notifier = HttpNotifier::new(options, Arc::new(SystemClock));
        let notifier = notifier
            .map_err(|error| ConfigError::rule("notify", format!("does not do: {error}")))?;
        Ok(Some(Arc::new(notifier)))
    }
}

fn place<'a>(
    key: &'a str,
    env: &'a Option<String>,
    file: &'a Option<std::path::PathBuf>,
) -> Place<'a> {
    Place {
        key,
        env: env.as_deref(),
        file: file.as_deref().map(Path::new),
    }
}

/// The client's clock speaks another type.
fn theirs(moment: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(moment.millis()).unwrap_or(jiff::Timestamp::MAX)
}

fn master(place: Place<'_>, variables: &Variables) -> Result<MasterKey, ConfigError> {
    let text = place.read(variables)?;
    let why = "must be 64 hexadecimal digits: 32 random bytes, e.g. from `openssl rand -hex 32`";
    MasterKey::from_hex(text.expose_secret()).ok_or_else(|| ConfigError::rule(place.key, why))
}

fn key_name<'a>(key: &str, name: &'a str) -> Result<&'a str, ConfigError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(ConfigError::rule(
        key,
        "must be 1 to 64 ASCII letters, digits, `-`, `_` or `.`",
    ))
}
