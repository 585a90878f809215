//! `issuance inbox`: webhooks that no order explains or nobody could read, on a running server.

use serde_json::{Value, json};

use crate::exit::Failure;
use crate::http::Api;
use crate::output::Output;

/// Show webhooks that wait for an order or for a person, and end what is kept of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The operators' listener of a running `issuance serve`; its token comes from ISSUANCE_ADMIN_TOKEN.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        env = "ISSUANCE_ADMIN_SERVER"
    )]
    server: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Those that are parked or quarantined, oldest first.
    List,
    /// You are done with a quarantined one: it is shown no longer, and the body kept of it is erased.
    Dismiss {
        /// Its id, as the list shows it.
        event_id: String,
        /// Why. It stands in the log for ever, so no personal data.
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(args: Args, output: Output) -> Result<(), Failure> {
    let api = Api::new(&args.server, "ISSUANCE_ADMIN_TOKEN")?;
    match args.command {
        Command::List => list(&api, output).await,
        Command::Dismiss { event_id, reason } => {
            let path = ["admin", "v1", "inbox", &event_id, "dismiss"];
            let body = json!({ "reason": reason });
            let answer: Value = api.act(&path, &body, None).await?;
            if output.json {
                return output.document(&answer);
            }
            output.line(&format!("message {event_id} is dismissed"))
        }
    }
}

async fn list(api: &Api, output: Output) -> Result<(), Failure> {
    let view: Value = api.get(&["admin", "v1", "inbox"], &[]).await?;
    if output.json {
        return output.document(&view);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = view["messages"].as_array().into_iter().flatten();
    let rows = messages.map(|message| {
        ["event_id", "event_type", "received_at", "standing", "why"]
            .map(|member| text(&message[member]))
            .into()
    });
    output.table(&["id", "type", "received at", "standing", "why"], rows)
}
