//! One run as a small file: what it is about, and everything it depends on. Policies are written as what differs from
//! the standard one, so that a file outlives a new wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use issuance_domain::Policy;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::faults::{Decided, Family};
use crate::host::Kind;
use crate::options::{CALLS, Deed, Options, PAGES};

/// A run that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it showed once.
    pub about: String,
    /// Where it comes from, such as a seed.
    pub from: String,
    /// The invariant it broke then.
    pub broke: String,
    /// The run.
    #[serde(with = "Written")]
    pub options: Options,
}

/// The form of [`Options`] in a file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Options", deny_unknown_fields)]
struct Written {
    seed: u64,
    nodes: usize,
    orders: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Kind>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<usize>,
    asked_within: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deeds: Vec<Deed>,
    heal_after: i64,
    #[serde(with = "by_name")]
    rates: Vec<f64>,
    #[serde(with = "differences")]
    policy: Policy,
    skew: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    slow_disk: bool,
    processing: u64,
    link_life: u64,
    #[serde(default = "calls", skip_serializing_if = "are_usual_calls")]
    calls_per_minute: u32,
    #[serde(default)]
    strangers: usize,
    #[serde(default = "pages", skip_serializing_if = "are_all_pages")]
    search_pages: u32,
    script: Option<Vec<Decided>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    crash_at: Vec<u64>,
    #[serde(default)]
    no_webhooks: bool,
    #[serde(default)]
    lose_answer: Option<u64>,
}

fn calls() -> u32 {
    CALLS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn are_usual_calls(calls: &u32) -> bool {
    *calls == CALLS
}

fn pages() -> u32 {
    PAGES
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn are_all_pages(pages: &u32) -> bool {
    *pages == PAGES
}

/// Rates by the name of their family; zeros are left out.
mod by_name {
    use super::{BTreeMap, Deserialize, Deserializer, Family, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(rates: &[f64], to: S) -> Result<S::Ok, S::Error> {
        let on: BTreeMap<Family, f64> = Family::ALL
            .iter()
            .copied()
            .zip(rates.iter().copied())
            .filter(|(_, rate)| *rate > 0.0)
            .collect();
        on.serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<f64>, D::Error> {
        let on = BTreeMap::<Family, f64>::deserialize(from)?;
        let rate = |family| on.get(family).copied().unwrap_or(0.0);
        Ok(Family::ALL.iter().map(rate).collect())
    }
}

/// What differs from the standard policy.
mod differences {
    use super::{Deserialize, Deserializer, Map, Policy, Serialize, Serializer, Value};
    use serde::de::Error as _;
    use serde::ser::Error as _;

    fn members<E>(
        policy: &Policy,
        error: impl Fn(&'static str) -> E,
    ) -> Result<Map<String, Value>, E> {
        match serde_json::to_value(policy) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) | Err(_) => Err(error("a policy is no object")),
        }
    }

    pub(super) fn serialize<S: Serializer>(policy: &Policy, to: S) -> Result<S::Ok, S::Error> {
        let standard = members(&Policy::standard(), S::Error::custom)?;
        let mut other = members(policy, S::Error::custom)?;
        other.retain(|name, value| standard.get(name) != Some(value));
        other.serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Policy, D::Error> {
        let mut policy = members(&Policy::standard(), D::Error::custom)?;
        policy.extend(Map::deserialize(from)?);
        serde_json::from_value(Value::Object(policy)).map_err(D::Error::custom)
    }
}

impl Script {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it is not there or not of this form.
    pub fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        text.push('\n');
        fs::write(path, text)
    }

    /// Every script of a folder, by its file's name; of a file, that one.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn all(path: &Path) -> io::Result<Vec<(String, Self)>> {
        let mut paths = if path.is_dir() {
            fs::read_dir(path)?
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()?
        } else {
            vec![path.to_owned()]
        };
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let script = Self::read(path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            Ok((name.into_owned(), script))
        };
        paths.iter().map(read).collect()
    }
}
