//! Who may ask: bearer tokens, kept as SHA-256 and compared in constant time. A token is 256 random bits, so a plain
//! hash is enough; what is stolen from a configuration opens nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Longest token taken; longer ones are not looked at.
const MAX_TOKEN: usize = 512;
/// Shortest token that can hold enough chance (base64 of 256 bits is 43 characters).
const MIN_TOKEN: usize = 32;

/// The SHA-256 of a bearer token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

/// What cannot be a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not 64 hexadecimal digits.
    #[error("a token digest is 64 hexadecimal digits: the SHA-256 of the token")]
    Digest,
    /// Too short to be unguessable, or no header can carry it.
    #[error(
        "a token is 32 to 512 visible ASCII characters; take 32 random bytes as hexadecimal or base64"
    )]
    Token,
    /// The name is unusable in logs and histories.
    #[error("a credential's name is 1 to 64 letters, digits, `.`, `_`, `-` or `@`")]
    Name,
    /// Two credentials of one name, or one token under two names.
    #[error("credential `{name}` repeats a name or a token of another")]
    Repeated {
        /// The later one.
        name: String,
    },
    /// Nobody could enter.
    #[error("no credential is configured")]
    Empty,
}

impl TokenDigest {
    /// The digest of a token.
    ///
    /// # Errors
    /// When the token is too short, too long, or not visible ASCII.
    pub fn of(token: &SecretString) -> Result<Self, CredentialError> {
        let token = token.expose_secret();
        let fits = (MIN_TOKEN..=MAX_TOKEN).contains(&token.len())
            && token.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self::hash(token.as_bytes()))
        } else {
            Err(CredentialError::Token)
        }
    }

    fn hash(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl FromStr for TokenDigest {
    type Err = CredentialError;
    fn from_str(text: &str) -> Result<Self, CredentialError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| CredentialError::Digest)?;
        Ok(Self(digest))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

/// What an operator's credential allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and acts on orders.
    Operator,
    /// Reads, and approves what an operator asked for; not their own asking.
    Approver,
}

impl Role {
    /// Whether this role may do what `needed` may.
    #[must_use]
    pub fn allows(self, needed: Self) -> bool {
        self == needed || needed == Self::Viewer
    }

    /// Whether there is anything this role may do to an order.
    #[must_use]
    pub fn acts(self) -> bool {
        match self {
            Self::Viewer => false,
            Self::Operator | Self::Approver => true,
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            "approver" => Ok(Self::Approver),
            _ => Err(UnknownRole),
        }
    }
}

/// A word that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is `viewer`, `operator` or `approver`")]
pub struct UnknownRole;

/// Somebody who may ask.
#[derive(Debug, Clone)]
pub struct Credential<R> {
    /// Who; written into the history of what they do.
    pub name: String,
    /// Their token's digest.
    pub token: TokenDigest,
    /// What they may do.
    pub role: R,
}

/// Everybody who may ask.
#[derive(Debug, Clone)]
pub struct Keyring<R>(Arc<[Credential<R>]>);

/// Hosts that may use `/v1`. There are no roles among them.
pub type ApiCredentials = Keyring<()>;
/// People and programs that may use `/admin/v1`.
pub type AdminCredentials = Keyring<Role>;

impl<R: Copy> Keyring<R> {
    /// A keyring of these.
    ///
    /// # Errors
    /// When there are none, a name is unusable, or a name or token repeats.
    pub fn new(
        credentials: impl IntoIterator<Item = Credential<R>>,
    ) -> Result<Self, CredentialError> {
        let credentials: Arc<[_]> = credentials.into_iter().collect();
        let (mut names, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        for Credential { name, token, .. } in credentials.iter() {
            let visible = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
            if !(1..=64).contains(&name.len()) || !name.bytes().all(visible) {
                return Err(CredentialError::Name);
            }
            if !names.insert(name.as_str()) || !tokens.insert(token.0) {
                return Err(CredentialError::Repeated { name: name.clone() });
            }
        }
        if credentials.is_empty() {
            Err(CredentialError::Empty)
        } else {
            Ok(Self(credentials))
        }
    }

    /// Whose token a request carries. Every credential is compared, whichever it is.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<&Credential<R>> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > MAX_TOKEN {
            return None;
        }
        let given = TokenDigest::hash(token.as_bytes());
        let mut found = u64::MAX;
        for (index, credential) in (0_u64..).zip(self.0.iter()) {
            found.conditional_assign(&index, credential.token.0.ct_eq(&given.0));
        }
        usize::try_from(found)
            .ok()
            .and_then(|index| self.0.get(index))
    }
}

/// Who may use the host's routes.
#[derive(Debug, Clone)]
pub enum Access {
    /// Whoever can reach the listener. For loopback only.
    Open,
    /// Whoever has one of these tokens.
    Tokens(ApiCredentials),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(name: &str, token: &str) -> Credential<()> {
        Credential {
            name: name.into(),
            token: TokenDigest::of(&token.into()).unwrap(),
            role: (),
        }
    }

    fn bearer(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_a_whole_token_opens() {
        let (one, two) = ("a".repeat(40), "b".repeat(40));
        let keyring = Keyring::new([credential("one", &one), credential("two", &two)]).unwrap();
        let name = |headers: &HeaderMap| keyring.find(headers).map(|found| found.name.clone());
        assert_eq!(
            name(&bearer(&format!("Bearer {one}"))).as_deref(),
            Some("one")
        );
        assert_eq!(
            name(&bearer(&format!("bearer {two}"))).as_deref(),
            Some("two")
        );
        for wrong in [
            "Bearer",
            "Bearer ",
            "Basic x",
            &format!("Bearer {}", &one[1..]),
            &format!("Bearer {one} "),
        ] {
            assert_eq!(name(&bearer(wrong)), None, "{wrong:?}");
        }
        let mut twice = bearer(&format!("Bearer {one}"));
        twice.append(AUTHORIZATION, format!("Bearer {one}").parse().unwrap());
        assert_eq!(name(&twice), None, "two credentials are none");
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let token = "a".repeat(40);
        assert_eq!(Keyring::<()>::new([]).unwrap_err(), CredentialError::Empty);
        assert_eq!(
            Keyring::new([credential("a b", &token)]).unwrap_err(),
            CredentialError::Name
        );
        let repeated =
            Keyring::new([credential("a", &token), credential("b", &token)]).unwrap_err();
        assert_eq!(repeated, CredentialError::Repeated { name: "b".into() });
        assert_eq!(
            TokenDigest::of(&"short".into()),
            Err(CredentialError::Token)
        );
        assert_eq!("00".parse::<TokenDigest>(), Err(CredentialError::Digest));
        assert!(!format!("{:?}", credential("a", &token)).contains(&token));
    }

    #[test]
    fn an_approver_is_not_an_operator() {
        assert!(Role::Operator.allows(Role::Viewer) && Role::Approver.allows(Role::Viewer));
        assert!(!Role::Viewer.allows(Role::Operator) && !Role::Approver.allows(Role::Operator));
    }
}
