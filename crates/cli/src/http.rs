//! Calls to a running server, and its problems as failures of ours.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::address::is_loopback_host;
use crate::exit::{Exit, Failure};

/// For one whole call; the server's own limit is shorter.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server and the credential for it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: Url,
    token: Option<SecretString>,
}

/// One thing the server says is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(crate) struct FieldError {
    pub(crate) path: String,
    pub(crate) problem: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
}

/// An RFC 9457 problem of our server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: String,
    pub(crate) detail: Option<String>,
    pub(crate) code: String,
    pub(crate) hint: Option<String>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) request_id: Option<String>,
    pub(crate) order_id: Option<String>,
    pub(crate) version: Option<u64>,
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) problem: Problem,
}

/// Why a call brought nothing.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The server said no.
    Refused(Refusal),
    /// Nobody answered. What was asked may have happened all the same.
    Unanswered(reqwest::Error),
}

impl Api {
    /// A server, with the token of an environment variable if that is set.
    pub(crate) fn new(server: &str, token_env: &str) -> Result<Self, Failure> {
        let token = std::env::var(token_env)
            .ok()
            .map(|token| token.trim().to_owned());
        Self::with_token(
            server,
            token
                .filter(|token| !token.is_empty())
                .map(SecretString::from),
        )
    }

    fn with_token(server: &str, token: Option<SecretString>) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::new(Exit::Usage, format!("server `{server}` {why}"));
        let base = Url::parse(server)
            .ok()
            .filter(|url| url.has_host() && url.query().is_none());
        let base = base.ok_or_else(|| wrong("is not an address such as http://127.0.0.1:8080"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "a server's address holds no user and no password",
            ));
        }
        let loopback = is_loopback_host(base.host_str().unwrap_or_default());
        match base.scheme() {
            "https" => {}
            "http" if loopback || token.is_none() => {}
            "http" => {
                return Err(wrong("would get the token over plain HTTP")
                    .hint("use https, or a tunnel to a loopback port"));
            }
            _ => return Err(wrong("is neither http nor https")),
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("issuance-cli/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT);
        if base.scheme() == "http" {
            // No TLS ever, so a machine without CA certificates will do.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::new(Exit::Failed, "cannot set up HTTP").because(&error))?;
        Ok(Self { http, base, token })
    }

    /// A request to a path given as segments, each of which stays one.
    fn request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let request = self.request(Method::GET, path, query).timeout(TIMEOUT);
        let answer = self
            .send(request)
            .await
            .map_err(|error| self.failure(error))?;
        self.read(answer).await
    }

    /// Asks for something to be done, if the order still is what was seen.
    pub(crate) async fn act<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &serde_json::Value,
        expected: Option<u64>,
    ) -> Result<T, Failure> {
        let mut request = self
            .request(Method::POST, path, &[])
            .json(body)
            .timeout(TIMEOUT);
        if let Some(version) = expected {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        let answer = self
            .send(request)
            .await
            .map_err(|error| self.failure(error))?;
        self.read(answer).await
    }

    /// Sends JSON as it is; the caller judges what comes back.
    pub(crate) async fn post_raw(
        &self,
        path: &[&str],
        json: String,
    ) -> Result<Response, CallError> {
        let request = self
            .request(Method::POST, path, &[])
            .header(CONTENT_TYPE, "application/json");
        self.send(request.body(json).timeout(TIMEOUT)).await
    }

    /// Opens an answer without end.
    pub(crate) async fn follow(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Response, CallError> {
        self.send(self.request(Method::GET, path, query)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let answer = request
            .send()
            .await
            .map_err(|error| CallError::Unanswered(error.without_url()))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Err(CallError::Refused(Refusal {
            status: answer.status().as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            // Something between us and the server may have answered in its own words.
            problem: answer.json().await.unwrap_or_default(),
        }))
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T, Failure> {
        answer.json().await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("{} answered what this version cannot read", self.base),
            )
            .because(&error.without_url())
            .hint("is it the right address, and a server of this version?")
        })
    }

    /// What a call that brought nothing means to a person.
    pub(crate) fn failure(&self, error: CallError) -> Failure {
        match error {
            CallError::Refused(refusal) => refusal.into(),
            CallError::Unanswered(error) => {
                Failure::new(Exit::Unavailable, format!("{} does not answer", self.base)).because(&error).hint(
                    "is `issuance serve` running there? orders and operators have different ports (8080 and 8081)",
                )
            }
        }
    }
}

impl Refusal {
    /// Whether the same request may succeed in a moment, and cannot have been half done.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 502 | 503 | 504)
    }

    fn exit(&self) -> Exit {
        match self.status {
            401 | 403 => Exit::Auth,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            422 if self.problem.code == "reference_taken" => Exit::Conflict,
            _ if self.is_transient() => Exit::Unavailable,
            _ => Exit::Failed,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let exit = refusal.exit();
        let problem = refusal.problem;
        let what = match (problem.title.is_empty(), &problem.code) {
            (true, _) => format!("the server answered {}", refusal.status),
            (false, code) => format!("{} ({code})", problem.title),
        };
        let mut failure = Self::new(exit, what);
        failure.causes.extend(problem.detail);
        failure
            .causes
            .extend(problem.errors.iter().map(ToString::to_string));
        failure.causes.extend(
            problem
                .order_id
                .map(|order| format!("it is about order {order}")),
        );
        failure.causes.extend(
            problem
                .version
                .map(|version| format!("the order is at version {version}")),
        );
        if exit == Exit::Failed {
            failure
                .causes
                .extend(problem.request_id.map(|id| format!("request {id}")));
        }
        failure.hint = problem.hint;
        failure
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "`{}` must be {rule}", self.path),
            None => write!(f, "`{}` is {}", self.path, self.problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_exit_status() {
        let exit = |status, code: &str| {
            let problem = Problem {
                code: code.into(),
                ..Problem::default()
            };
            Refusal {
                status,
                retry_after: None,
                problem,
            }
            .exit()
        };
        assert_eq!(exit(401, "unauthenticated"), Exit::Auth);
        assert_eq!(exit(403, "forbidden"), Exit::Auth);
        assert_eq!(exit(404, "order_not_found"), Exit::NotFound);
        assert_eq!(exit(409, "action_not_possible"), Exit::Conflict);
        assert_eq!(exit(412, "stale_version"), Exit::Conflict);
        assert_eq!(exit(422, "reference_taken"), Exit::Conflict);
        assert_eq!(exit(422, "request_unfit"), Exit::Failed);
        assert_eq!(exit(503, "overloaded"), Exit::Unavailable);
        assert_eq!(exit(500, "internal"), Exit::Failed);
    }

    #[test]
    fn a_token_stays_off_the_open_wire() {
        let token = || Some(SecretString::from("t"));
        assert!(Api::with_token("http://127.0.0.1:8080", token()).is_ok());
        assert!(Api::with_token("http://localhost:8080/", token()).is_ok());
        assert!(Api::with_token("http://shop.example", None).is_ok());
        for wrong in [
            "http://shop.example",
            "ftp://127.0.0.1",
            "127.0.0.1:8080",
            "https://a:b@shop.example",
        ] {
            let failure = Api::with_token(wrong, token()).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{wrong}");
        }
    }
}
