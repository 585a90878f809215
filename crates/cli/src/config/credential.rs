//! Who may enter, from how the keys say it.

use std::path::PathBuf;

use issuance_server::{Access, AdminCredentials, ApiCredentials, Credential, Role, TokenDigest};

use super::secret::Place;
use super::settings::{Admin, Server};
use super::{ConfigError, Variables};

/// Who may use the host's routes.
pub(super) fn api(server: &Server, variables: &Variables) -> Result<Access, ConfigError> {
    if server.tokens.is_empty() {
        return Ok(Access::Open);
    }
    let mut credentials = Vec::new();
    for (index, entry) in server.tokens.iter().enumerate() {
        let key = format!("server.tokens[{index}]");
        let token = digest(
            &key,
            entry.sha256.as_deref(),
            &entry.env,
            &entry.file,
            variables,
        )?;
        credentials.push(Credential {
            name: entry.name.clone(),
            token,
            role: (),
        });
    }
    let credentials = ApiCredentials::new(credentials);
    Ok(Access::Tokens(credentials.map_err(|error| {
        ConfigError::rule("server.tokens", format!("do not do: {error}"))
    })?))
}

/// Who may use the operators' routes; none when nobody is named.
pub(super) fn admin(
    admin: &Admin,
    variables: &Variables,
) -> Result<Option<AdminCredentials>, ConfigError> {
    if admin.tokens.is_empty() {
        return Ok(None);
    }
    let mut credentials = Vec::new();
    for (index, entry) in admin.tokens.iter().enumerate() {
        let key = format!("admin.tokens[{index}]");
        let role: Role = entry.role.parse().map_err(|error| {
            ConfigError::rule(format!("{key}.role"), format!("does not do: {error}"))
        })?;
        let token = digest(
            &key,
            entry.sha256.as_deref(),
            &entry.env,
            &entry.file,
            variables,
        )?;
        credentials.push(Credential {
            name: entry.name.clone(),
            token,
            role,
        });
    }
    let credentials = AdminCredentials::new(credentials);
    credentials
        .map(Some)
        .map_err(|error| ConfigError::rule("admin.tokens", format!("do not do: {error}")))
}

fn digest(
    key: &str,
    sha256: Option<&str>,
    env: &Option<String>,
    file: &Option<PathBuf>,
    variables: &Variables,
) -> Result<TokenDigest, ConfigError> {
    let place = Place {
        key,
        env: env.as_deref(),
        file: file.as_deref(),
    };
    let digest = match sha256 {
        Some(text) if place.is_nowhere() => text.parse(),
        Some(_) => {
            return Err(ConfigError::rule(
                key,
                "has both a digest and a token; give one",
            ));
        }
        None => TokenDigest::of(&place.read(variables)?),
    };
    digest.map_err(|error| ConfigError::rule(key, format!("does not do: {error}")))
}
