//! `issuance orders`: what an operator asks and does, over the operators' listener of a running server.

mod act;
mod explain;
mod list;
mod show;
mod sse;
mod view;
mod watch;

use clap::{Args as ClapArgs, Subcommand};
use issuance::domain::{OperatorAction, OrderId};

use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;

/// Look at orders and free those that are stuck.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The operators' listener of a running `issuance serve`; its token comes from ISSUANCE_ADMIN_TOKEN.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        env = "ISSUANCE_ADMIN_SERVER"
    )]
    server: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List orders, newest first.
    List(list::Args),
    /// Explain one order: where it stands, why it waits, what happens next and when, and what would free it.
    Show {
        /// Its id, or the reference it was placed under.
        order: String,
        /// The sub-account of the reference.
        #[arg(long)]
        account: Option<String>,
    },
    /// Follow one order to its end, or everything that happens.
    Watch(watch::Args),
    /// Do now what the order owes.
    Retry(act::Order),
    /// End an order. A card that turns up later is a discrepancy.
    Fail(act::Order),
    /// Ask that an order is sent under a new key, once it is proved that nothing came of the one before. A second person
    /// approves it.
    Resubmit(act::Order),
    /// Approve what another person asked for; needs a token with the role `approver`, and `--expect`.
    Approve(act::Order),
    /// Act on an order by any name that `show` lists.
    Act {
        #[command(flatten)]
        order: act::Order,
        /// Its name, such as `look_up_now` or `pause`.
        #[arg(value_parser = act::action)]
        action: OperatorAction,
    },
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let api = Api::new(&args.server, "ISSUANCE_ADMIN_TOKEN")?;
    match args.command {
        Command::List(filters) => list::run(&api, &filters, output).await,
        Command::Show { order, account } => show::run(&api, &order, account, output).await,
        Command::Watch(watch) => match &watch.order {
            Some(order) => watch::one(&api, &find(&api, order, None).await?, output).await,
            None => watch::everything(&api, &watch, output).await,
        },
        Command::Retry(order) => act::run(&api, &order, OperatorAction::RetryNow, output).await,
        Command::Fail(order) => act::run(&api, &order, OperatorAction::Fail, output).await,
        Command::Resubmit(order) => act::run(&api, &order, OperatorAction::Resubmit, output).await,
        Command::Approve(order) => {
            act::run(&api, &order, OperatorAction::ApproveResubmit, output).await
        }
        Command::Act { order, action } => act::run(&api, &order, action, output).await,
    }
    .map_err(|failure| match failure.exit {
        Exit::Auth if std::env::var_os("ISSUANCE_ADMIN_TOKEN").is_none() => {
            failure.hint("ISSUANCE_ADMIN_TOKEN is not set; it must be a token of `admin.tokens`")
        }
        Exit::Auth => failure.hint(
            "ISSUANCE_ADMIN_TOKEN must be a token of `admin.tokens` whose role allows this; for the feed, \
             ISSUANCE_API_TOKEN one of `server.tokens`",
        ),
        _ => failure,
    })
}

/// The id behind what an operator typed: an id, or a host's reference.
pub(crate) async fn find(api: &Api, order: &str, account: Option<&str>) -> Result<String, Failure> {
    if let Ok(id) = order.parse::<OrderId>() {
        return Ok(id.to_string());
    }
    let mut query = vec![("reference", order.to_owned())];
    query.extend(account.map(|account| ("account", account.to_owned())));
    let page: view::Page = api.get(&["admin", "v1", "orders"], &query).await?;
    match page.orders.first() {
        Some(order) => Ok(order.id.clone()),
        None => Err(Failure::new(
            Exit::NotFound,
            format!("no order has the id or reference `{order}`"),
        )
        .hint("a reference of a sub-account needs `--account`")),
    }
}
