//! Access tokens: JWT-shaped, and one live token per credential (contract §1.2, §1.3).

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use uuid::Uuid;

use super::State;
use super::entities::Token;
use crate::clock::Millis;
use crate::errors::{self, Refusal};

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What a token says of itself.
#[derive(Serialize)]
struct Claims<'a> {
    api_version: &'a str,
    bus_type: &'a str,
    client_id: &'a str,
    entity_id: &'a str,
    exp: Millis,
    jti: Uuid,
    parent_entity_id: &'a str,
    short_entity_id: Option<&'a str>,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    live: BTreeMap<String, Token>,
    newest: BTreeMap<String, String>,
}

impl Tokens {
    pub(crate) fn put(&mut self, token: Token, single: bool) {
        let before = self
            .newest
            .insert(token.client.clone(), token.token.clone());
        if let (true, Some(before)) = (single, before) {
            self.live.remove(&before);
        }
        self.live.insert(token.token.clone(), token);
    }

    /// Every token that is accepted, the newest of each client last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        let is_newest = |token: &&Token| self.newest.get(&token.client) == Some(&token.token);
        let older = self.live.values().filter(move |token| !is_newest(token));
        older.chain(self.live.values().filter(is_newest))
    }

    pub(crate) fn newest_of(&self, client: &str) -> Option<&Token> {
        self.newest
            .get(client)
            .and_then(|token| self.live.get(token))
    }
}

impl State {
    /// Mints a token. Only the pair `bad`/`bad` is not a credential.
    pub(crate) fn mint(
        &mut self,
        client: &str,
        api_key: &str,
        now: Millis,
    ) -> Result<Token, Refusal> {
        if client.is_empty() || api_key.is_empty() {
            return Err(errors::invalid("x-client-id and x-api-key are required"));
        }
        if (client, api_key) == ("bad", "bad") {
            return Err(errors::credentials());
        }
        let expires_at = now + millis(self.config.token_lifetime);
        let entity = self.entity_id.to_string();
        let claims = Claims {
            api_version: "V1.6.0",
            bus_type: "ISSUING",
            client_id: client,
            entity_id: &entity,
            exp: expires_at / 1000,
            jti: self.rng.uuid(),
            parent_entity_id: &entity,
            short_entity_id: entity.get(..8),
        };
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let signature: Vec<u8> = (0..4).flat_map(|_| self.rng.next().to_be_bytes()).collect();
        let mut token = format!("{HEADER}.");
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        self.live_tokens_prune(now);
        let token = Token {
            client: client.to_owned(),
            token,
            expires_at,
        };
        self.put_token(token.clone());
        Ok(token)
    }

    /// The client a token stands for.
    pub(crate) fn authenticate(
        &self,
        header: Option<&str>,
        now: Millis,
    ) -> Result<String, Refusal> {
        let header = header.unwrap_or_default();
        let token = match header.strip_prefix("Bearer ") {
            Some(token) => token,
            None if self.config.strict => return Err(errors::token_format()),
            None => header,
        };
        if token.split('.').count() != 3 {
            return Err(errors::token_format());
        }
        // An evicted token is not told from one that ran out.
        match self.tokens.live.get(token) {
            Some(token) if token.expires_at > now => Ok(token.client.clone()),
            _ => Err(errors::token_expired()),
        }
    }

    fn live_tokens_prune(&mut self, now: Millis) {
        if !self.config.single_active_token {
            self.tokens.live.retain(|_, token| token.expires_at > now);
        }
    }
}

pub(crate) fn millis(duration: std::time::Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_it_should() {
        let header = BASE64_URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        assert_eq!(header, HEADER);
    }
}
