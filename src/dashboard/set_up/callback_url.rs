//! The callback URL, as this service is reached now, and whether a provider can reach it, too.

use std::net::IpAddr;

use actix_web::HttpRequest;
use maud::{Markup, html};

use super::super::view::View;
use crate::http::external_url;

/// The warnings about a callback URL with the host of this request.
pub fn warnings(view: View, request: &HttpRequest) -> Markup {
    let text = view.language;
    let host = external_url::host(request).unwrap_or_else(|| request.app_config().host());
    html! {
        @if !is_public(host) { p.wrong role="note" { (text.setup_url_unreachable()) } }
        @if !external_url::is_https(request) { p.wrong role="note" { (text.setup_url_unencrypted()) } }
    }
}

/// Whether a host, perhaps with a port, can be reached from the internet by its name.
fn is_public(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified())
        }
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
        Err(_) => {
            let name = name.to_ascii_lowercase();
            let is_internal = [".localhost", ".local", ".internal", ".lan"].iter().any(|end| name.ends_with(end));
            name.contains('.') && !is_internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_reaches_no_private_host() {
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "10.0.0.5",
            "192.168.1.2:80",
            "[::1]:8080",
            "[fd00::1]",
            "db.internal",
            "box",
        ] {
            assert!(!is_public(host), "{host}");
        }
        for host in ["tally.example.com", "tally.example.com:8443", "203.0.113.5", "[2001:db8::1]:443"] {
            assert!(is_public(host), "{host}");
        }
    }
}
