//! Reading a secret from where a key says it is. The secret itself is never part of an error.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::{ConfigError, Variables};

/// Bytes of the largest secret file.
const MAX_FILE: u64 = 64 << 10;

/// One place a secret can be, as the keys say it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The key, without `_env` or `_file`; for messages.
    pub(super) key: &'a str,
    pub(super) env: Option<&'a str>,
    pub(super) file: Option<&'a Path>,
}

impl Place<'_> {
    /// Whether no key says where.
    pub(super) fn is_nowhere(self) -> bool {
        self.env.is_none() && self.file.is_none()
    }

    /// Reads it. Surrounding white space, such as a file's last newline, is no part of it.
    pub(super) fn read(self, variables: &Variables) -> Result<SecretString, ConfigError> {
        let wrong = |why: String| ConfigError::rule(self.key, why);
        let text = match (self.env, self.file) {
            (Some(name), None) => match variables.get(name) {
                Some(text) => SecretString::from(text.trim()),
                None => {
                    return Err(wrong(format!(
                        "is to come from environment variable {name}, which is not set"
                    )));
                }
            },
            (None, Some(path)) => from_file(path)
                .map_err(|why| wrong(format!("cannot be read from {path:?}: {why}")))?,
            (None, None) => {
                return Err(wrong(
                    "must be given, by an environment variable or a file".into(),
                ));
            }
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "is given twice, by an environment variable and a file".into(),
                ));
            }
        };
        if text.expose_secret().is_empty() {
            return Err(wrong("is empty".into()));
        }
        Ok(text)
    }
}

fn from_file(path: &Path) -> Result<SecretString, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let status = file.metadata().map_err(|error| error.to_string())?;
    if !status.is_file() {
        return Err("it is not a file".into());
    }
    if status.mode() & 0o007 != 0 {
        return Err("other users can read it; run chmod o= on it".into());
    }
    if status.len() > MAX_FILE {
        return Err("it is too large for a secret".into());
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    // The parser's complaint about UTF-8 names no byte of it.
    file.take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    Ok(SecretString::from(text.trim()))
}
