//! Where the provider is: one configuration value, checked once (contract §1.1, reliability §5.2 SSRF).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use thiserror::Error;

/// The base every path is appended to, with or without a trailing slash, for example
/// `https://api-sandbox.uqpaytech.com/api`.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why a base URL is refused. The URL is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidBaseUrl {
    /// Not an absolute URL with a host.
    #[error("base url is not an absolute http(s) url")]
    NotAUrl,
    /// `http://` to a host that is not loopback, or without leave.
    #[error("base url must be https; http is for loopback hosts only, and only when allowed")]
    NotHttps,
    /// User or password in the URL.
    #[error("base url must not contain a user or password")]
    UserInfo,
    /// Query or fragment in the URL.
    #[error("base url must not contain a query or fragment")]
    QueryOrFragment,
    /// An address literal no provider can have.
    #[error("base url must not name a private, link-local, loopback or otherwise special address")]
    SpecialAddress,
}

impl BaseUrl {
    /// Parses and checks a base URL. `allow_http_loopback` admits loopback hosts, over http too: for a simulator.
    ///
    /// # Errors
    /// [`InvalidBaseUrl`] says which rule it breaks.
    pub fn parse(text: &str, allow_http_loopback: bool) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidBaseUrl::NotAUrl);
        }
        if url.host_str().is_some_and(has_empty_label) {
            return Err(InvalidBaseUrl::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::QueryOrFragment);
        }
        let host = Host::of(&url);
        match host {
            Host::Loopback if !allow_http_loopback => return Err(InvalidBaseUrl::SpecialAddress),
            Host::Special => return Err(InvalidBaseUrl::SpecialAddress),
            Host::Loopback | Host::Other => {}
        }
        if url.scheme() == "http" && host != Host::Loopback {
            return Err(InvalidBaseUrl::NotHttps);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The URL of a path below the base; each segment stays one segment.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Http and https URLs always have segments; ids cannot be `.` or `..`, which would be skipped here.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.0)
    }
}

/// One dot at the end says that the name is whole. An empty label anywhere else is no name in DNS.
fn has_empty_label(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').any(str::is_empty)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    Loopback,
    /// An address literal that is not on the public internet.
    Special,
    Other,
}

impl Host {
    fn of(url: &Url) -> Self {
        let name = url.host_str().unwrap_or_default();
        let name = name.strip_suffix('.').unwrap_or(name);
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => Self::of_v4(address),
            Ok(IpAddr::V6(address)) => Self::of_v6(address),
            Err(_) if name == "localhost" || name.ends_with(".localhost") => Self::Loopback,
            Err(_) => Self::Other,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_private()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_documentation()
            || a == 0
            || a >= 240
            || (a == 100 && (64..128).contains(&b))
            || (a == 192 && b == 0)
            || (a == 198 && (b == 18 || b == 19))
        {
            Self::Special
        } else {
            Self::Other
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            return Self::Loopback;
        }
        // Addresses that carry an IPv4 one are judged by it, and never count as loopback.
        if let Some(inner) = address.to_ipv4() {
            return match Self::of_v4(inner) {
                Self::Other => Self::Other,
                Self::Loopback | Self::Special => Self::Special,
            };
        }
        // Only 2000::/3 is public, less documentation, 6to4, Teredo and the like.
        let [first, second, ..] = address.segments();
        let public = first & 0xe000 == 0x2000;
        let carved_out =
            first == 0x2002 || (first == 0x2001 && (second < 0x0200 || second == 0x0db8));
        if public && !carved_out {
            Self::Other
        } else {
            Self::Special
        }
    }
}
