//! What the server is told: the compiled-in defaults, a file over them, the environment over both. Judged once, at start;
//! an error names the key and who set it.
//!
//! [`Layers`] merges and remembers origins, [`Settings`] is the shape, [`Checked`] is what passed every rule, with its
//! secrets read. Nothing in here is printed but names.

mod check;
mod command;
mod credential;
mod layers;
mod secret;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

pub(crate) use check::Checked;
pub(crate) use command::{Args, run};
pub(crate) use settings::Settings;

use layers::{Layers, Origin};

/// Every key with its standard value and its reason.
pub(crate) const DEFAULT: &str = include_str!("../../../../config/default.toml");

/// Environment variables by name. A value, so that tests have their own.
pub(crate) type Variables = BTreeMap<String, String>;

/// The process's environment, without what is not UTF-8.
pub(crate) fn variables() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// It is not TOML. The parser's own message quotes the line, which may hold what should not be printed.
    #[error("{origin} is not TOML: line {line}: {why}")]
    Syntax {
        /// Where it came from.
        origin: Origin,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A key is unknown, missing, or of the wrong shape.
    #[error("`{key}` ({origin}): {why}")]
    Shape {
        /// The key, dotted.
        key: String,
        /// Who set it.
        origin: Origin,
        /// What is wrong with it.
        why: String,
    },
    /// A value that does not do, by itself or beside another.
    #[error("`{key}` {why}")]
    Rule {
        /// The key, dotted.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(Exit::Usage, &error)
            .hint("`issuance config init` prints every key with its meaning")
    }
}

impl ConfigError {
    fn rule(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Rule {
            key: key.into(),
            why: why.into(),
        }
    }
}

/// Reads the layers into their shape.
pub(crate) fn read(file: Option<&Path>, variables: &Variables) -> Result<Settings, ConfigError> {
    let text = file.map(|path| {
        let read = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        });
        Ok((path, read?))
    });
    let text = text.transpose()?;
    let over: Vec<_> = text
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    layered(&over, variables)
}

/// The defaults, texts by the name of their file over them in order, and the environment over all.
pub(crate) fn layered(
    over: &[(&Path, &str)],
    variables: &Variables,
) -> Result<Settings, ConfigError> {
    let mut layers = Layers::default();
    layers.add_text(DEFAULT, &Origin::Default)?;
    for (name, text) in over {
        layers.add_text(text, &Origin::File((*name).to_owned()))?;
    }
    layers.add_variables(variables);
    layers.into_settings()
}
