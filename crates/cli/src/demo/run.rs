//! Issues the demo's orders as a host would, and watches each to its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use indicatif::ProgressBar;
use issuance::Engine;
use issuance::domain::{EventBody, Order, OrderId, State};
use issuance::store::HostReference;
use issuance::uqpay::{Auth, Body, Client, Token};
use serde_json::Value;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::exit::{Exit, Failure};

use super::host::{self, Answer};
use super::report::{Row, how};
use super::script::{Again, Line, Then};

/// How often an order is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Key material of the cardholders of the two-step road.
const HOLDERS: Uuid = Uuid::from_u128(0x1b5d_7c3e_9a20_4f16_8e4b_d03c_5a71_f962);

/// The host's side of the demo.
pub(crate) struct Host<'a> {
    /// The engine, looked at from inside for progress only.
    pub(crate) engine: &'a Engine,
    /// The server.
    pub(crate) base: String,
    /// To the server.
    pub(crate) http: reqwest::Client,
    /// To the provider, with a credential of its own: for people it knew before.
    pub(crate) provider: Client,
    /// One for all of them: each new one would end the one before.
    pub(crate) token: OnceCell<Token>,
    /// The longest wait for one order.
    pub(crate) patience: Duration,
}

impl Host<'_> {
    /// All lines side by side. One row each, in the file's order.
    pub(crate) async fn issue(
        &self,
        lines: &[Line],
        progress: &ProgressBar,
    ) -> Result<Vec<Row>, Failure> {
        let mut running: FuturesUnordered<_> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| async move { (number, self.line(line).await) })
            .collect();
        let mut rows: Vec<Option<Row>> = lines.iter().map(|_| None).collect();
        while let Some((number, row)) = running.next().await {
            let row = row?;
            progress.set_message(format!("{} {}", row.end, row.reference));
            progress.inc(1);
            rows[number] = Some(row);
        }
        Ok(rows.into_iter().flatten().collect())
    }

    async fn line(&self, line: &Line) -> Result<Row, Failure> {
        if let Some(first) = &line.after {
            self.ended(first).await?;
        }
        let holder = match &line.holder {
            Some(person) => Some(self.holder(line, person).await?),
            None => None,
        };
        let request = line.request(holder.as_deref());
        let id = match host::place(&self.http, &self.base, &request).await? {
            Answer::Refused(paths) => return Ok(Row::refused(line, paths)),
            Answer::Order(id) => id,
        };
        let mut complaints = self.again(line, &request, &id).await?;
        let id: OrderId = id
            .parse()
            .map_err(|_| Failure::new(Exit::Failed, "the server gave an order without an id"))?;
        if line.then == Some(Then::Cancel) {
            self.watch(id, |order| order.state.is_terminal()).await?;
            let cancelled = self
                .http
                .post(format!("{}/v1/orders/{id}/cancel", self.base))
                .send()
                .await;
            if !cancelled.is_ok_and(|answer| answer.status().is_success()) {
                complaints.push("the cancel was not taken".into());
            }
        }
        let (order, at_rest) = self.watch(id, |order| is_at_rest(order, line)).await?;
        if !at_rest {
            complaints.push("not at rest in time".into());
        }
        let history = self
            .engine
            .history(id)
            .await
            .map_err(|error| Failure::of(Exit::Failed, &error))?;
        let events: Vec<_> = history
            .into_iter()
            .map(|record| record.event.body)
            .collect();
        Ok(how(line, &order, &events, complaints))
    }

    /// The host asks once more, as hosts do.
    async fn again(&self, line: &Line, request: &Value, id: &str) -> Result<Vec<String>, Failure> {
        let Some(again) = line.again else {
            return Ok(Vec::new());
        };
        let mut repeated = request.clone();
        if again == Again::Changed {
            repeated["limit"] = "1.00".into();
        }
        let answer = host::place(&self.http, &self.base, &repeated).await?;
        Ok(match (again, answer) {
            (Again::Same, Answer::Order(repeated)) if repeated == id => Vec::new(),
            (Again::Changed, Answer::Refused(_)) => Vec::new(),
            (Again::Same, _) => vec!["asked twice, and it was not the same order".into()],
            (Again::Changed, _) => vec!["a reused reference was not refused".into()],
        })
    }

    /// Waits until the order is as wished; whether it came to that in time.
    async fn watch(
        &self,
        id: OrderId,
        wished: impl Fn(&Order) -> bool,
    ) -> Result<(Arc<Order>, bool), Failure> {
        let looks = self.patience.as_millis() / LOOK.as_millis();
        for look in 0.. {
            let order = self
                .engine
                .order(id)
                .await
                .map_err(|error| Failure::of(Exit::Failed, &error))?;
            let order =
                order.ok_or_else(|| Failure::new(Exit::Failed, format!("order {id} is gone")))?;
            let done = wished(&order);
            if done || look >= looks {
                return Ok((order, done));
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Failure::new(Exit::Failed, "no end to looking"))
    }

    async fn ended(&self, reference: &str) -> Result<(), Failure> {
        let reference = reference
            .parse()
            .map_err(|error| Failure::of(Exit::Usage, &error))?;
        let reference = HostReference {
            account: None,
            reference,
        };
        for _ in 0..self.patience.as_millis() / LOOK.as_millis() {
            let order = self
                .engine
                .find(&reference)
                .await
                .map_err(|error| Failure::of(Exit::Failed, &error))?;
            if order.is_some_and(|order| order.state.is_terminal()) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// A person the provider knew before. The key is the same at every start, so there is one person.
    async fn holder(&self, line: &Line, person: &Value) -> Result<String, Failure> {
        let failed = |what: &dyn std::fmt::Debug| {
            Failure::new(Exit::Failed, format!("no cardholder: {what:?}"))
        };
        let token = self
            .token
            .get_or_try_init(|| self.provider.mint_token(jiff_now()))
            .await;
        let token = token.map_err(|error| Failure::of(Exit::Failed, &error))?;
        let key = uuid::Builder::from_random_bytes(
            *Uuid::new_v5(&HOLDERS, line.reference().as_bytes()).as_bytes(),
        );
        let body = Body::from_bytes(
            serde_json::to_vec(person).map_err(|error| Failure::of(Exit::Failed, &error))?,
        );
        let answer = self
            .provider
            .create_cardholder(Auth::new(token), key.into_uuid(), &body)
            .await;
        match answer {
            issuance::uqpay::Answer::Ok(received) => {
                Ok(received.value.cardholder_id.as_str().to_owned())
            }
            other => Err(failed(&other)),
        }
    }
}

/// Whether nothing more will happen by itself that the line does not wait for.
fn is_at_rest(order: &Order, line: &Line) -> bool {
    let told = order.notice.told >= order.notice.owed;
    let cancelled =
        !line.expect.cancelled || order.compensation.as_ref().is_some_and(|ended| ended.done);
    let called = order
        .attention
        .as_ref()
        .map(|attention| attention.reason.name());
    match &order.state {
        State::Active { .. } | State::Failed { .. } => told && cancelled,
        State::Requested { .. } | State::Accepted { .. } | State::IdvPending { .. } => {
            called.is_some() && called == line.expect.attention.as_deref()
        }
    }
}

/// How many links the person was sent.
pub(crate) fn links(events: &[EventBody]) -> usize {
    let sent = |event: &&EventBody| match event {
        EventBody::IdvRequired { link, .. } => link.is_some(),
        EventBody::IdvLinkIssued { .. } => true,
        _ => false,
    };
    events.iter().filter(sent).count()
}

/// The provider's client wants a time to count a token's life from.
fn jiff_now() -> jiff::Timestamp {
    use issuance::Clock as _;
    jiff::Timestamp::from_millisecond(issuance::SystemClock.now().millis()).unwrap_or_default()
}
