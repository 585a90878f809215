//! Which hosts are this machine.

use std::net::IpAddr;

/// Whether a URL's host can only be this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    match literal.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}
