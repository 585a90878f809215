//! Layers, rules and secrets of a configuration, and the files in `config/`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use issuance::Limits;
use issuance::domain::Policy;

use super::*;

/// As little as will do, against a simulator on this machine.
const SMALL: &str = r#"
environment = "local"
[provider]
base_url = "http://127.0.0.1:9090/api"
[store]
data_dir = "data"
[server]
allow_anonymous_loopback = true
"#;

fn variables(extra: &[(&str, &str)]) -> Variables {
    let hex = "5a".repeat(32);
    let usual = [
        ("UQPAY_CLIENT_ID", "client"),
        ("UQPAY_API_KEY", "sEcReT-api-key"),
        ("UQPAY_WEBHOOK_SECRET", "sEcReT-webhook-secret"),
        ("ISSUANCE_VAULT_KEY", &hex),
        (
            "ISSUANCE_ADMIN_TOKEN",
            "sEcReT-admin-token-0123456789-0123456789",
        ),
    ];
    usual
        .iter()
        .chain(extra)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The small configuration with texts over it.
fn settings(over: &[&str], extra: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let texts: Vec<_> = [SMALL]
        .iter()
        .chain(over)
        .map(|text| (Path::new("test.toml"), *text))
        .collect();
    layered(&texts, &variables(extra))
}

fn checked(over: &[&str], extra: &[(&str, &str)]) -> Result<Checked, ConfigError> {
    settings(over, extra)?.check(&variables(extra))
}

/// What is said about a configuration that must not do.
fn refused(over: &str, extra: &[(&str, &str)]) -> String {
    let said = Failure::from(checked(&[over], extra).unwrap_err()).lines();
    assert!(!said.contains("sEcReT"), "{said}");
    said
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config")
        .join(name)
}

#[test]
fn the_defaults_are_the_standard_values() {
    let settings = settings(&[], &[]).unwrap();
    assert_eq!(
        Policy {
            notify_host: true,
            ..settings.policy
        },
        Policy::standard()
    );
    assert_eq!(settings.limits, Limits::standard());
    assert_eq!(
        settings.webhooks.max_body,
        issuance::uqpay::webhook::Verifier::MAX_BODY
    );
    assert_eq!(
        settings.provider.max_answer,
        issuance::uqpay::Config::MAX_ANSWER
    );
    assert_eq!(
        settings.provider.timeout,
        issuance::uqpay::Config::TOTAL_TIMEOUT
    );
    assert_eq!(
        settings.provider.connect_timeout,
        issuance::uqpay::Config::CONNECT_TIMEOUT
    );
    let serve = issuance_server::ServeOptions::standard();
    assert_eq!(settings.server.max_connections, serve.max_connections);
    assert_eq!(settings.server.header_timeout, serve.header_timeout);
    assert_eq!(settings.server.idle_timeout, serve.idle_timeout);
    assert_eq!(settings.server.write_timeout, serve.write_timeout);
    assert_eq!(settings.server.max_header_bytes, serve.max_header_bytes);
    assert_eq!(settings.server.max_header_fields, serve.max_header_fields);
}

#[test]
fn every_key_of_the_defaults_has_a_comment_before_it() {
    let mut explained = false;
    for line in DEFAULT.lines() {
        match line.chars().next() {
            // A group of keys shares the comment above it; a blank line ends the group.
            Some('#') => explained = true,
            None => explained = false,
            Some('[') => {}
            Some(_) => assert!(explained || line.starts_with([' ', ']']), "{line}"),
        }
        explained |= line.starts_with('[');
    }
}

#[test]
fn every_example_loads() {
    let sandbox = read(Some(&file("sandbox.toml")), &variables(&[])).unwrap();
    let checked = sandbox.check(&variables(&[])).unwrap();
    assert_eq!(checked.environment.name(), "sandbox");
    assert!(
        checked.admin.is_some() && checked.engine.webhooks.is_some() && checked.warnings.is_empty()
    );

    // Its secrets lie in files of the machine it is for.
    let production = read(Some(&file("production.example.toml")), &Variables::new()).unwrap();
    production.rules().unwrap();
    let error = production.check(&Variables::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`provider.client_id` cannot be read from"),
        "{error}"
    );
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let over = "[limits]\nsubmissions = 8\nreadings = 9\n[limits.retry]\nfirst = \"1s\"";
    let extra = [
        ("ISSUANCE__LIMITS__READINGS", "10"),
        ("ISSUANCE__SERVER__LISTEN", "127.0.0.1:0"),
        ("ISSUANCE__SERVER__ALLOW_ANONYMOUS_LOOPBACK", "true"),
        ("ISSUANCE__LIMITS__RETRY__CAP", "7m"),
        ("ISSUANCE__LOG__FILTER", "\"info,issuance=debug\""),
        (
            "ISSUANCE__WEBHOOKS__SECRETS",
            "[{ env = \"UQPAY_WEBHOOK_SECRET\" }, { env = \"NEXT\" }]",
        ),
        ("NEXT", "sEcReT-next-webhook-secret"),
        ("ISSUANCE_VAULT_KEY_COPY", "is no key of ours"),
    ];
    let settings = settings(&[over], &extra).unwrap();
    let Limits {
        submissions,
        readings,
        notices,
        retry,
        ..
    } = settings.limits.clone();
    assert_eq!(
        (submissions, readings, notices),
        (8, 10, Limits::standard().notices)
    );
    assert_eq!(
        (retry.first.as_secs(), retry.cap.as_secs()),
        (1, 420),
        "tables are merged"
    );
    assert_eq!(settings.server.listen.port(), 0);
    assert_eq!(settings.log.filter, "info,issuance=debug");
    assert_eq!(settings.webhooks.secrets.len(), 2);
    settings.check(&variables(&extra)).unwrap();
}

#[test]
fn what_is_wrong_is_named_with_who_set_it() {
    for (over, extra, expected) in [
        (
            "[limits]\nsubmisions = 8",
            &[][..],
            "`limits.submisions` (test.toml): unknown field `submisions`",
        ),
        (
            "[nonsense]",
            &[],
            "`nonsense` (test.toml): unknown field `nonsense`",
        ),
        (
            "[limits]\nsubmissions = \"many\"",
            &[],
            "`limits.submissions` (test.toml): invalid type",
        ),
        (
            "[policy]\nidv_grace = \"soon\"",
            &[],
            "`policy.idv_grace` (test.toml): not a duration",
        ),
        (
            "[policy]\nidv_expired = \"give_up\"",
            &[],
            "`policy.idv_expired` (test.toml): unknown variant",
        ),
        (
            "[policy]\nnotify_host = true",
            &[],
            "`policy.notify_host` (test.toml): unknown key",
        ),
        (
            "",
            &[("ISSUANCE__LIMITS__SUBMISIONS", "8")],
            "(environment variable ISSUANCE__LIMITS__SUBMISIONS)",
        ),
        (
            "",
            &[("ISSUANCE__SERVER__LISTEN", "everywhere")],
            "`server.listen` (environment variable ISSUANCE__SERVER__LISTEN)",
        ),
        (
            "[[server.tokens]]\nnam = \"x\"",
            &[],
            "`server.tokens[0].nam` (test.toml): unknown field `nam`",
        ),
        (
            "[[server.tokens]]\nsha256 = \"x\"",
            &[],
            "`server.tokens[0].name` (not set anywhere): must be given",
        ),
        (
            "environment = production",
            &[],
            "test.toml is not TOML: line 1",
        ),
        (
            "[provider]\napi_key = \"sEcReT\"",
            &[],
            "`provider.api_key` (test.toml): unknown field `api_key`",
        ),
    ] {
        let said = refused(over, extra);
        assert!(said.contains(expected), "{over} {extra:?}: {said}");
    }
    let said = layered(&[], &Variables::new()).unwrap_err().to_string();
    assert_eq!(
        said,
        "`provider.base_url` (not set anywhere): must be given"
    );
}

#[test]
fn every_rule_refuses() {
    for (over, expected) in [
        (
            "environment = \"sandbox\"",
            "`provider.base_url` does not do",
        ),
        (
            "environment = \"production\"\n[provider]\nbase_url = \"https://api-sandbox.example/api\"",
            "leads to sandbox",
        ),
        (
            "environment = \"sandbox\"\n[provider]\nbase_url = \"https://api.example/api\"",
            "leads to production",
        ),
        (
            "[provider]\nbase_url = \"https://api.example/api\"",
            "leads to production",
        ),
        (
            "[provider]\nbase_url = \"http://api.example/api\"",
            "`provider.base_url` does not do",
        ),
        (
            "[provider]\ntimeout = \"50s\"",
            "`provider.timeout` must be above zero and shorter than `limits.task_deadline`",
        ),
        (
            "[provider]\nconnect_timeout = \"0s\"",
            "`provider.connect_timeout` must be above zero",
        ),
        (
            "[policy]\ncall_deadline = \"50s\"",
            "`limits.task_deadline` must be above zero and shorter",
        ),
        ("[policy]\nkey_safe_age = \"24h\"", "`policy.key_safe_age`"),
        (
            "[limits]\nnotices = 0",
            "`limits.notices` must be above zero",
        ),
        ("[limits.retry]\nfirst = \"10m\"", "`limits.retry` needs"),
        ("[limits.breaker]\njitter = 2.0", "`limits.breaker` needs"),
        (
            "[server]\nallow_anonymous_loopback = false",
            "`server.tokens` is empty",
        ),
        (
            "[server]\nlisten = \"0.0.0.0:8080\"",
            "`server.listen` is not loopback",
        ),
        (
            "[server]\nmax_header_bytes = 100",
            "`server.max_header_bytes`",
        ),
        (
            "[admin]\nlisten = \"0.0.0.0:8081\"",
            "`admin.listen` can be reached from other machines",
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:8080\"",
            "`admin.listen` is the address of `server.listen`",
        ),
        (
            "[log]\nfilter = \"issuance=loud\"",
            "`log.filter` is not a log filter",
        ),
        (
            "[notify]\nurl = \"https://shop.example\"",
            "`notify.secret` must be given",
        ),
        (
            "[notify]\nsecret_env = \"UQPAY_API_KEY\"",
            "`notify.url` must be given",
        ),
        (
            "[notify]\nurl = \"http://shop.example\"\nsecret_env = \"UQPAY_API_KEY\"",
            "`notify` does not do",
        ),
        (
            "[[server.tokens]]\nname = \"a\"\nsha256 = \"00\"",
            "`server.tokens[0]` does not do",
        ),
        (
            "[[server.tokens]]\nname = \"a b\"\nenv = \"ISSUANCE_ADMIN_TOKEN\"",
            "`server.tokens` do not do",
        ),
        (
            "[[admin.tokens]]\nname = \"a\"\nrole = \"king\"\nenv = \"ISSUANCE_ADMIN_TOKEN\"",
            "`admin.tokens[0].role`",
        ),
        ("[store]\nvault_key_name = \"\"", "`store.vault_key_name`"),
        (
            "[store]\nold_vault_keys = [{ name = \"k1\", env = \"X\" }]",
            "has the name of another key",
        ),
        (
            "[provider]\nclient_id = \"a\"\nclient_id_env = \"UQPAY_CLIENT_ID\"",
            "`provider.client_id` is given twice",
        ),
    ] {
        let said = refused(over, &[]);
        assert!(said.contains(expected), "{over}: {said}");
    }
}

#[test]
fn secrets_that_are_none_are_refused() {
    for (name, value, expected) in [
        ("UQPAY_API_KEY", "", "`provider.api_key` is empty"),
        (
            "UQPAY_WEBHOOK_SECRET",
            "sEcReT",
            "webhook secret 0 is too short",
        ),
        (
            "UQPAY_WEBHOOK_SECRET",
            "  ",
            "`webhooks.secrets[0]` is empty",
        ),
        (
            "ISSUANCE_VAULT_KEY",
            "sEcReT",
            "`store.vault_key` must be 64 hexadecimal digits",
        ),
    ] {
        let said = refused("", &[(name, value)]);
        assert!(said.contains(expected), "{name}: {said}");
    }
    let error = settings(&[], &[])
        .unwrap()
        .check(&Variables::new())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("environment variable UQPAY_CLIENT_ID, which is not set"),
        "{error}"
    );
}

#[test]
fn a_secret_file_is_for_few_eyes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "sEcReT-file-key\n").unwrap();
    let over = format!("[provider]\napi_key_file = {path:?}");
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let said = refused(&over, &[]);
    assert!(said.contains("other users can read it"), "{said}");
    mode(0o640);
    checked(&[&over], &[]).unwrap();
    let said = refused(&format!("{over}\napi_key_env = \"UQPAY_API_KEY\""), &[]);
    assert!(said.contains("`provider.api_key` is given twice"), "{said}");
    let said = refused("[provider]\napi_key_file = \"/nowhere\"", &[]);
    assert!(said.contains("`provider.api_key` cannot be read"), "{said}");
}

#[test]
fn nothing_shows_a_secret() {
    let secret = "whsec_sEcReT0sEcReT0sEcReT0sEcReT0sEcReT0==";
    let over = "[[admin.tokens]]\nname = \"a\"\nrole = \"viewer\"\nenv = \"ISSUANCE_ADMIN_TOKEN\"";
    let checked = checked(&[over], &[("X", secret)]).unwrap();
    let shown = format!("{checked:?}");
    assert!(
        !shown.contains("sEcReT") && !shown.contains("5a5a"),
        "{shown}"
    );
}

#[test]
fn no_webhook_secret_is_a_choice_and_said() {
    let checked = checked(&["[webhooks]\nsecrets = []"], &[]).unwrap();
    assert!(checked.engine.webhooks.is_none());
    assert_eq!(checked.warnings.len(), 2, "{:?}", checked.warnings);
}

/// Whatever stands in a file or a variable, it is a configuration or a refusal that names no secret. At length:
/// `CONFIG_MUTATIONS=1000000 cargo nextest run -p issuance-cli -E 'test(fuzzed)'` (docs/fuzzing.md).
#[test]
fn fuzzed() {
    let variable = b"SERVER__LISTEN=127.0.0.1:9000\n[limits]\nretry = { first = \"2s\", cap = \"5m\", jitter = 0.3 }";
    let shipped = [
        "default.toml",
        "sandbox.toml",
        "production.example.toml",
        "demo.toml",
    ];
    let read = |name| std::fs::read(Path::new("../../config").join(name)).unwrap();
    let mut corpus: Vec<_> = shipped.into_iter().map(read).collect();
    // Small ones, too: of a large file few mutations are still TOML.
    let lines: Vec<_> = corpus
        .iter()
        .flat_map(|file| file.split(|byte| *byte == b'\n'))
        .collect();
    let settings = lines.iter().filter(|line| line.contains(&b'='));
    let sections: Vec<_> = settings
        .map(|line| line.strip_prefix(b"# ").unwrap_or(line).to_vec())
        .collect();
    corpus.extend(sections);
    corpus.extend([SMALL.into(), variable.to_vec()]);
    let count = std::env::var("CONFIG_MUTATIONS")
        .ok()
        .and_then(|count| count.parse().ok());
    for input in issuance_fuzz::Mutations::new(corpus, 0x70_31).take(count.unwrap_or(2_000)) {
        let text = String::from_utf8_lossy(&input);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let (name, value) = first.split_once('=').unwrap_or((first, ""));
        let name = format!("ISSUANCE__{}", name.trim());
        for (over, extra) in [(&*text, &[][..]), (rest, &[(&*name, value)])] {
            if let Err(error) = checked(&[over], extra) {
                let said = Failure::from(error).lines();
                assert!(!said.contains("sEcReT"), "{said}");
            }
        }
    }
}
