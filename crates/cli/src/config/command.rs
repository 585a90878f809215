//! `issuance config`: print the commented defaults, or judge a configuration.

use std::path::PathBuf;

use serde_json::json;

use super::{Checked, DEFAULT, read, variables};
use crate::exit::Failure;
use crate::output::Output;

/// Show and judge configurations.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every key with its standard value, its unit and its reason.
    Init,
    /// Judge a configuration as `serve` would, secrets included, and starts nothing.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Leave the secrets out: for a machine that must not have them.
        #[arg(long)]
        no_secrets: bool,
    },
}

pub(crate) fn run(args: Args, output: Output) -> Result<(), Failure> {
    match args.command {
        Command::Init => output.line(DEFAULT.trim_end()),
        Command::Check { config, no_secrets } => {
            let variables = variables();
            let settings = read(Some(&config), &variables)?;
            if no_secrets {
                settings.rules()?;
                return said(
                    output,
                    &json!({ "ok": true, "secrets": false }),
                    "sound, as far as can be told without secrets",
                );
            }
            summary(&settings.check(&variables)?, output)
        }
    }
}

fn summary(checked: &Checked, output: Output) -> Result<(), Failure> {
    let admin = checked.admin.as_ref().map(|(listen, _)| listen.to_string());
    let (environment, base_url) = (checked.environment.name(), checked.base_url.to_string());
    let data_dir = checked.engine.data_dir.display().to_string();
    let (webhooks, notices) = (
        checked.engine.webhooks.is_some(),
        checked.notifier.is_some(),
    );
    if output.json {
        return output.document(&json!({
            "ok": true, "secrets": true, "environment": environment, "base_url": base_url, "data_dir": data_dir,
            "listen": checked.listen, "admin": admin, "webhooks": webhooks, "notices": notices,
            "warnings": checked.warnings,
        }));
    }
    let yes = |is| String::from(if is { "yes" } else { "no" });
    let rows = [
        ("environment", environment.to_owned()),
        ("UQPAY", base_url),
        ("data", data_dir),
        ("orders and webhooks", checked.listen.to_string()),
        ("operators", admin.unwrap_or_else(|| "no".into())),
        ("takes webhooks", yes(webhooks)),
        ("tells the host", yes(notices)),
    ];
    output.table(
        &["what", "is"],
        rows.into_iter().map(|(what, is)| vec![what.to_owned(), is]),
    )?;
    for warning in &checked.warnings {
        crate::output::note(&format!("warning: {warning}"));
    }
    output.line("sound")
}

fn said(output: Output, json: &serde_json::Value, words: &str) -> Result<(), Failure> {
    if output.json {
        output.document(json)
    } else {
        output.line(words)
    }
}
