//! The source address of a request, even behind proxies.
//!
//! A proxy reports the address of its client in `Forwarded` (RFC 7239) or `X-Forwarded-For`, to the right of the
//! entries that it received. So these lists are read from the right, and only as far as trusted proxies wrote them:
//! anyone can have written the entries to the left of an untrusted address. Headers from an untrusted peer are ignored.

use std::iter;
use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use actix_web::web::Data;
use ipnet::IpNet;

use crate::app::state::AppState;

/// The networks of the trusted proxies.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl From<Vec<IpNet>> for TrustedProxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }
}

/// The source address: that of the peer, or the one that trusted proxies report. `None` without a socket.
pub(crate) fn source_address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = peer_address(request)?;
    Some(trusted_by(request, peer).map_or(peer, |trusted| trusted.source_behind(peer, request.headers())))
}

/// The value that the trusted peer reports: a parameter of its entry in `Forwarded`, otherwise its entry in `header`.
/// `None` if the peer is not trusted or does not report it.
pub(crate) fn said_by_proxy<'a>(request: &'a HttpRequest, parameter: &str, header: &HeaderName) -> Option<&'a str> {
    trusted_by(request, peer_address(request)?)?;
    let forwarded = entries(request.headers(), &FORWARDED).next().and_then(|entry| parameter_of(entry, parameter));
    let said = forwarded.or_else(|| entries(request.headers(), header).next())?;
    str::from_utf8(said).ok()
}

/// The trusted proxies, if the peer is one of them.
fn trusted_by(request: &HttpRequest, peer: IpAddr) -> Option<&TrustedProxies> {
    let trusted = &request.app_data::<Data<AppState>>()?.trusted_proxies;
    trusted.contains(peer).then_some(trusted)
}

/// Converts IPv4-mapped addresses, which dual-stack sockets report, to IPv4.
fn peer_address(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip().to_canonical())
}

impl TrustedProxies {
    /// `address` must be in its canonical form.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The source of a request from a trusted proxy. Uses `Forwarded` if its last entry names a node, otherwise
    /// `X-Forwarded-For`.
    fn source_behind(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut forwarded = entries(headers, &FORWARDED).map(node_of).peekable();
        if forwarded.peek().is_some_and(Option::is_some) {
            self.follow(proxy, forwarded)
        } else {
            self.follow(proxy, entries(headers, &X_FORWARDED_FOR).map(Some))
        }
    }

    /// Follows the reported nodes, last first, up to the first untrusted address. If a node is not an address, the
    /// source is the proxy that reported it: nothing beyond can be trusted.
    fn follow<'a>(&self, proxy: IpAddr, nodes: impl Iterator<Item = Option<&'a [u8]>>) -> IpAddr {
        let mut source = proxy;
        for node in nodes {
            let Some(address) = node.and_then(address_of) else { break };
            source = address;
            if !self.contains(source) {
                break;
            }
        }
        source
    }
}

/// The entries of a list, last first. The list may be spread over several header lines.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).rev();
    lines.flat_map(|line| parts_from_right(line.as_bytes(), b',')).filter(|entry| !entry.is_empty())
}

/// The trimmed parts between unquoted separators, last first. The parts on the right do not depend on the text to the
/// left, which a client may have written and which may contain an unterminated quote.
fn parts_from_right(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    iter::from_fn(move || {
        let whole = rest?;
        let (left, part) = match last_separator(whole, separator) {
            Some(at) => (whole.get(..at), whole.get(at + 1..)?),
            None => (None, whole),
        };
        rest = left;
        Some(part.trim_ascii())
    })
}

fn last_separator(list: &[u8], separator: u8) -> Option<usize> {
    let mut is_quoted = false;
    list.iter().enumerate().rev().find_map(|(at, &byte)| {
        if byte == b'"' && !(is_quoted && is_escaped(list, at)) {
            is_quoted = !is_quoted;
        }
        (byte == separator && !is_quoted).then_some(at)
    })
}

/// Whether the byte follows an odd number of backslashes.
fn is_escaped(list: &[u8], at: usize) -> bool {
    list.iter().take(at).rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The node of an entry of `Forwarded`.
fn node_of(entry: &[u8]) -> Option<&[u8]> {
    parameter_of(entry, "for")
}

/// A parameter of an entry of `Forwarded`, without quotes; `None` if the entry is malformed.
fn parameter_of<'a>(entry: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut found = None;
    for pair in parts_from_right(entry, b';') {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
        if name.eq_ignore_ascii_case(wanted.as_bytes()) && found.replace(unquoted(value)).is_some() {
            return None;
        }
    }
    found
}

/// Does not unescape: an address needs no escapes, so an escaped value is not an address.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// The address of a node, which may have a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:80`. `None` for `unknown` and for obfuscated names such as `_proxy`.
fn address_of(node: &[u8]) -> Option<IpAddr> {
    let node = str::from_utf8(node).ok()?;
    let address = match node.strip_prefix('[').and_then(|node| node.split_once(']')) {
        Some((address, port)) if port.is_empty() || port.starts_with(':') => address.parse::<Ipv6Addr>().ok()?.into(),
        Some(_) => return None,
        None => match node.split_once(':') {
            Some((address, port)) if !port.contains(':') => address.parse().ok()?,
            _ => node.parse().ok()?,
        },
    };
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    /// The source of a request from [`PROXY`]; the trusted networks are `10.0.0.0/8`, `192.0.2.0/24` and
    /// `2001:db8:1::/48`.
    fn source(lines: &[(HeaderName, &[u8])]) -> String {
        let networks = ["10.0.0.0/8", "192.0.2.0/24", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        let trusted = TrustedProxies::from(networks.to_vec());
        trusted.source_behind(PROXY.parse().unwrap(), &headers).to_string()
    }

    #[track_caller]
    fn assert_forwarded(line: &str, expected: &str) {
        assert_eq!(source(&[(FORWARDED, line.as_bytes())]), expected, "Forwarded: {line}");
    }

    #[track_caller]
    fn assert_forwarded_for(line: &str, expected: &str) {
        assert_eq!(source(&[(X_FORWARDED_FOR, line.as_bytes())]), expected, "X-Forwarded-For: {line}");
    }

    #[test]
    fn a_peer_with_a_mapped_address_is_an_ipv4_one() {
        let request = TestRequest::default().peer_addr("[::ffff:10.0.0.1]:4711".parse().unwrap());
        assert_eq!(source_address(&request.to_http_request()), PROXY.parse().ok());
    }

    #[test]
    fn the_source_is_the_last_hop_that_is_not_trusted() {
        assert_eq!(source(&[]), PROXY);
        for (list, expected) in [
            (&["203.0.113.7"][..], "203.0.113.7"),
            (&["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1", "203.0.113.7", "10.9.9.9", "192.0.2.5"], "203.0.113.7"),
            // All entries are trusted.
            (&["192.0.2.9", "10.9.9.9"], "192.0.2.9"),
        ] {
            assert_forwarded_for(&list.join(", "), expected);
            assert_forwarded(&list.iter().map(|hop| format!("for={hop}")).collect::<Vec<_>>().join(","), expected);
        }
    }

    #[test]
    fn addresses_are_read_however_they_are_written() {
        for (written, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("203.0.113.7:_port", "203.0.113.7"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:cb00:7107]:80", "203.0.113.7"),
            // Trusted as an IPv4 address.
            ("::ffff:10.2.3.4", "10.2.3.4"),
        ] {
            assert_forwarded_for(written, expected);
            assert_forwarded(&format!("for=\"{written}\""), expected);
            assert_forwarded(&format!("proto=https;For={written};by=\"[2001:db8::2]:1\""), expected);
        }
    }

    #[test]
    fn what_is_no_address_ends_the_walk_at_the_proxy_that_reported_it() {
        for hidden in
            ["unknown", "_hidden", "", "203.0.113", "203.0.113.7/32", "[203.0.113.7]", "[2001:db8::1]x", "\"1"]
        {
            assert_forwarded(&format!("for=198.51.100.1, for=\"{hidden}\""), PROXY);
            assert_forwarded(&format!("for=198.51.100.1, for=\"{hidden}\", for=192.0.2.5"), "192.0.2.5");
        }
        for hidden in ["unknown", "_hidden", "nonsense", "203.0.113", "[2001:db8::1", "1:2:3"] {
            assert_forwarded_for(&format!("198.51.100.1, {hidden}"), PROXY);
            assert_forwarded_for(&format!("198.51.100.1, {hidden}, 192.0.2.5"), "192.0.2.5");
        }
        assert_forwarded("for=198.51.100.1, proto=https, for=192.0.2.5", "192.0.2.5");
        assert_forwarded("for=198.51.100.1, for=203.0.113.1;for=203.0.113.2, for=192.0.2.5", "192.0.2.5");
    }

    #[test]
    fn what_a_client_wrote_on_the_left_changes_nothing() {
        for junk in ["\"", "for=\"", "for=1.2.3.4;host=\"x", "\\\"", ",,;=", "for=1.2.3.4"] {
            assert_forwarded(&format!("{junk}, for=203.0.113.7;proto=https"), "203.0.113.7");
            assert_forwarded_for(&format!("{junk}, 203.0.113.7"), "203.0.113.7");
        }
        assert_eq!(source(&[(X_FORWARDED_FOR, b"\xff\xfe, 203.0.113.7")]), "203.0.113.7");
        // The proxy quotes a host that the client chose.
        for host in [r#""a, for=198.51.100.1""#, r#""\", for=198.51.100.1; x=\"""#, r#""\\, for=198.51.100.1\\""#] {
            assert_forwarded(&format!("for=203.0.113.7;host={host}"), "203.0.113.7");
        }
    }

    #[test]
    fn several_lines_are_one_list_in_their_order() {
        let lines: [&[u8]; 3] = [b"198.51.100.1", b"203.0.113.7, 10.9.9.9", b"192.0.2.5"];
        assert_eq!(source(&lines.map(|line| (X_FORWARDED_FOR, line))), "203.0.113.7");
        let lines: [&[u8]; 2] = [b"for=203.0.113.7", b"for=192.0.2.5"];
        assert_eq!(source(&lines.map(|line| (FORWARDED, line))), "203.0.113.7");
        assert_forwarded_for("203.0.113.7, , 192.0.2.5,", "203.0.113.7");
    }

    #[test]
    fn forwarded_counts_before_the_other_if_it_can_be_read() {
        let both = |forwarded: &'static [u8]| source(&[(X_FORWARDED_FOR, b"203.0.113.7"), (FORWARDED, forwarded)]);
        assert_eq!(both(b"for=203.0.113.8"), "203.0.113.8");
        assert_eq!(both(b"for=unknown"), PROXY);
        for unreadable in [&b"nonsense"[..], b"proto=https", b"for=203.0.113.8;for=203.0.113.9", b"", b"for=1.2.3.4;x"]
        {
            assert_eq!(both(unreadable), "203.0.113.7", "{unreadable:?}");
        }
    }
}
