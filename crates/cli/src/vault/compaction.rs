//! Waiting for a compaction, and what it says of keys.

use std::time::Duration;

use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::http::Api;
use crate::output::Output;

const PATH: [&str; 4] = ["admin", "v1", "vault", "compaction"];
const PAUSE: Duration = Duration::from_millis(200);

/// Asks for one and waits for its report.
pub(super) async fn wait(api: &Api, rekey: bool, patience: u64) -> Result<Value, Failure> {
    let asked: Value = api.act(&PATH, &json!({ "rekey": rekey }), None).await?;
    let run = asked["run"].as_u64().unwrap_or(0);
    let report = async {
        let mut view = asked;
        while view["last"]["run"].as_u64().unwrap_or(0) < run {
            tokio::time::sleep(PAUSE).await;
            view = api.get(&PATH, &[]).await?;
        }
        Ok::<_, Failure>(view["last"].clone())
    };
    let report = match tokio::time::timeout(Duration::from_secs(patience), report).await {
        Ok(report) => report?,
        Err(_) => {
            let failure = Failure::new(Exit::Unavailable, "the compaction is not done yet");
            return Err(failure.hint("it goes on by itself; ask again to wait for another"));
        }
    };
    judge(report)
}

/// What was erased is off the disk, or this says where it may still be.
pub(super) fn judge(report: Value) -> Result<Value, Failure> {
    if let Some(problem) = report["problem"].as_str() {
        return Err(Failure::new(
            Exit::Failed,
            format!("the compaction failed: {problem}"),
        ));
    }
    match report["skipped"].as_array().map(Vec::as_slice) {
        None | Some([]) => Ok(report),
        Some(skipped) => {
            let files: Vec<_> = skipped.iter().filter_map(Value::as_str).collect();
            let message = format!("damaged files were left as they are: {}", files.join(", "));
            Err(Failure::new(Exit::Failed, message).hint(
                "restore them from a copy; what was erased or sealed before may still be in them",
            ))
        }
    }
}

/// Whether other keys than the current one are needed any more.
pub(super) fn judge_rekey(report: &Value, output: Output) -> Result<(), Failure> {
    let unopened = report["unopened"].as_u64().unwrap_or(0);
    if unopened > 0 {
        let message = format!("{unopened} records do not open under the key they name");
        return Err(Failure::new(Exit::Failed, message)
            .hint("keep the old keys, and add those that are missing to `store.old_vault_keys`"));
    }
    if output.json {
        return output.document(report);
    }
    output.line(&format!(
        "{} records sealed anew; no other key is needed any more",
        report["resealed"]
    ))
}
