//! Merging: tables into tables, everything else replaced, and for every key who set it last.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{ConfigError, Settings, Variables};

/// Variables that set keys start with this.
const PREFIX: &str = "ISSUANCE__";

/// Who set a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The compiled-in file.
    Default,
    /// A file, such as that of `--config`.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// Nobody.
    Nobody,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the standard configuration"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Nobody => f.write_str("not set anywhere"),
        }
    }
}

/// The layers put over each other so far.
#[derive(Debug, Default)]
pub(super) struct Layers {
    merged: Table,
    /// By dotted key; of tables and values alike.
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Puts a TOML text over what is there.
    pub(super) fn add_text(&mut self, text: &str, origin: &Origin) -> Result<(), ConfigError> {
        let table = text.parse::<Table>().map_err(|error| {
            let before = text
                .get(..error.span().map_or(0, |span| span.start))
                .unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            ConfigError::Syntax {
                origin: origin.clone(),
                line,
                why: error.message().to_owned(),
            }
        })?;
        merge(&mut self.merged, table, "", origin, &mut self.origins);
        Ok(())
    }

    /// Puts `ISSUANCE__SECTION__KEY=value` over what is there. A value that reads as TOML is that, any other is text.
    pub(super) fn add_variables(&mut self, variables: &Variables) {
        for (name, text) in variables {
            let Some(path) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let value = format!("value = {text}")
                .parse::<Table>()
                .ok()
                .filter(|table| table.len() == 1);
            let value = value.and_then(|mut table| table.remove("value"));
            let value = value.unwrap_or_else(|| Value::String(text.clone()));
            let path = path.to_lowercase();
            let nested = path.rsplit("__").fold(value, |value, key| {
                Value::Table(Table::from_iter([(key.to_owned(), value)]))
            });
            if let Value::Table(table) = nested {
                merge(
                    &mut self.merged,
                    table,
                    "",
                    &Origin::Variable(name.clone()),
                    &mut self.origins,
                );
            }
        }
    }

    /// Reads the result into its shape.
    pub(super) fn into_settings(mut self) -> Result<Settings, ConfigError> {
        if let Some(Value::Table(policy)) = self.merged.get_mut("policy") {
            // Whether there is a host to be told follows from there being an address to tell it at.
            if policy.contains_key("notify_host") {
                let origin = self.origin("policy.notify_host");
                let why = "unknown key; it follows from `notify.url`".to_owned();
                return Err(ConfigError::Shape {
                    key: "policy.notify_host".into(),
                    origin,
                    why,
                });
            }
            let told = self
                .merged
                .get("notify")
                .and_then(|notify| notify.get("url"))
                .is_some();
            if let Some(Value::Table(policy)) = self.merged.get_mut("policy") {
                policy.insert("notify_host".into(), Value::Boolean(told));
            }
        }
        let merged = Value::Table(std::mem::take(&mut self.merged));
        serde_path_to_error::deserialize(merged).map_err(|error| {
            let why = error.inner().message().to_owned();
            // A missing key is an error of the table around it.
            let missing = why
                .strip_prefix("missing field `")
                .and_then(|rest| rest.split('`').next());
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            match missing {
                Some(name) => {
                    let key = join(&path, name);
                    ConfigError::Shape {
                        key,
                        origin: Origin::Nobody,
                        why: "must be given".into(),
                    }
                }
                None => ConfigError::Shape {
                    origin: self.origin(&path),
                    key: path,
                    why,
                },
            }
        })
    }

    /// Who set a key, or the nearest table or list around it.
    fn origin(&self, key: &str) -> Origin {
        let mut key = key;
        loop {
            if let Some(origin) = self.origins.get(key) {
                return origin.clone();
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return Origin::Nobody,
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn merge(
    into: &mut Table,
    from: Table,
    path: &str,
    origin: &Origin,
    origins: &mut BTreeMap<String, Origin>,
) {
    for key in from.keys() {
        // One way to say a thing replaces the others, unless one layer has two of them: then a rule complains.
        for other in other_ways(key)
            .into_iter()
            .filter(|other| !from.contains_key(other))
        {
            into.remove(&other);
        }
    }
    for (key, value) in from {
        let path = join(path, &key);
        match (into.get_mut(&key), value) {
            (Some(Value::Table(there)), Value::Table(table)) => {
                merge(there, table, &path, origin, origins)
            }
            (_, Value::Table(table)) => {
                origins.insert(path.clone(), origin.clone());
                let mut there = Table::new();
                merge(&mut there, table, &path, origin, origins);
                into.insert(key, Value::Table(there));
            }
            (_, value) => {
                origins.insert(path, origin.clone());
                into.insert(key, value);
            }
        }
    }
}

/// `x_env`, `x_file` and plain `x` say the same thing in three ways.
fn other_ways(key: &str) -> Vec<String> {
    let stem = key
        .strip_suffix("_env")
        .or_else(|| key.strip_suffix("_file"))
        .unwrap_or(key);
    let ways = [
        stem.to_owned(),
        format!("{stem}_env"),
        format!("{stem}_file"),
    ];
    ways.into_iter().filter(|way| way != key).collect()
}
