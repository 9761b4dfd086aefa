//! Compares addresses regardless of spelling and of masked parts.
//!
//! An address is displayed as it was received. Searches and comparisons use its canonical form: without port, brackets
//! and zone, IPv6 in one spelling, IPv4-mapped IPv6 as IPv4. The provider may mask parts (`203.0.*.*`); a masked part
//! matches anything.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The canonical form of an address. A text that is not an address is returned unchanged.
pub fn canonical(text: &str) -> Cow<'_, str> {
    match Address::parse(text) {
        Some(address) => {
            let canonical = address.to_string();
            if canonical == text { text.into() } else { canonical.into() }
        }
        None => text.into(),
    }
}

/// Merges two texts in canonical form into one address; `None` when they conflict.
pub(super) fn meet(one: &str, other: &str) -> Option<String> {
    match (is_masked_whole(one), is_masked_whole(other)) {
        (true, true) => return Some(one.max(other).to_owned()),
        (true, false) => return Some(other.to_owned()),
        (false, true) => return Some(one.to_owned()),
        (false, false) if one == other => return Some(one.to_owned()),
        (false, false) => {}
    }
    match (Address::parse(one)?, Address::parse(other)?) {
        (Address::V4(one), Address::V4(other)) => Some(Address::V4(meet_parts(one, other)?).to_string()),
        (Address::V6(one), Address::V6(other)) => Some(Address::V6(meet_parts(one, other)?).to_string()),
        (Address::V4(_), Address::V6(_)) | (Address::V6(_), Address::V4(_)) => None,
    }
}

/// Whether the whole address is masked.
fn is_masked_whole(text: &str) -> bool {
    text.contains('*') && text.bytes().all(|byte| matches!(byte, b'*' | b'.' | b':'))
}

/// The parts of an address; a masked part is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    V4([Option<u8>; 4]),
    V6([Option<u16>; 8]),
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        // The most frequent case first.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(address.into());
        }
        let text = text.trim();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(address.ip().into());
        }
        let host = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => text,
        };
        let host = host.split_once('%').map_or(host, |(host, _)| host);
        host.parse::<IpAddr>().ok().map(Self::from).or_else(|| Self::parse_masked(host))
    }

    /// Parses `203.0.*.*`, with or without a port, or `2001:db8:*:*`, whose omitted parts are masked, too.
    fn parse_masked(host: &str) -> Option<Self> {
        if !host.contains('*') {
            return None;
        }
        if host.contains('.') {
            let host = host.split_once(':').map_or(host, |(host, _)| host);
            let parts = masked_parts(host, '.', str::parse)?;
            return Some(Self::V4(parts.try_into().ok()?));
        }
        if !host.contains(':') {
            return None;
        }
        let hexadecimal = |part: &str| u16::from_str_radix(part, 16);
        let parts = masked_parts(host, ':', hexadecimal)?;
        let mut known = [None; 8];
        known.get_mut(..parts.len())?.copy_from_slice(&parts);
        Some(Self::V6(known))
    }
}

/// The parts of a masked address; a masked part is `None`. `None` when a part is invalid.
fn masked_parts<T, E>(host: &str, separator: char, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<Option<T>>> {
    let is_masked = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'*');
    host.split(separator).map(|part| if is_masked(part) { Some(None) } else { parse(part).ok().map(Some) }).collect()
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets().map(Some)),
            IpAddr::V6(address) => Self::V6(address.segments().map(Some)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([Some(a), Some(b), Some(c), Some(d)]) => Ipv4Addr::new(*a, *b, *c, *d).fmt(formatter),
            Self::V4(parts) => write_masked(formatter, parts, ".", u8::to_string),
            Self::V6(parts) => match parts.iter().copied().collect::<Option<Vec<u16>>>() {
                Some(whole) => {
                    let mut segments = [0; 8];
                    segments.copy_from_slice(&whole);
                    Ipv6Addr::from(segments).fmt(formatter)
                }
                None => write_masked(formatter, parts, ":", |part| format!("{part:x}")),
            },
        }
    }
}

fn write_masked<T>(
    formatter: &mut fmt::Formatter<'_>,
    parts: &[Option<T>],
    separator: &str,
    write: impl Fn(&T) -> String,
) -> fmt::Result {
    let parts: Vec<String> = parts.iter().map(|part| part.as_ref().map_or("*".to_owned(), &write)).collect();
    formatter.write_str(&parts.join(separator))
}

fn meet_parts<T: Copy + PartialEq, const N: usize>(
    one: [Option<T>; N],
    other: [Option<T>; N],
) -> Option<[Option<T>; N]> {
    let mut both = one;
    for (part, other) in both.iter_mut().zip(other) {
        match (*part, other) {
            (Some(one), Some(other)) if one != other => return None,
            (Some(_), _) => {}
            (None, other) => *part = other,
        }
    }
    Some(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_has_one_canonical_form_whatever_its_spelling() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:2572", "203.0.113.7"),
            (" 203.0.113.7 ", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]:443", "fe80::1"),
            ("203.0.*.*", "203.0.*.*"),
            ("203.0.**.***:80", "203.0.*.*"),
            ("2001:DB8:*:*", "2001:db8:*:*:*:*:*:*"),
            ("*.*.*.*", "*.*.*.*"),
            ("***", "***"),
            ("unknown", "unknown"),
            ("203.0.113", "203.0.113"),
            ("203.0.113.*.*", "203.0.113.*.*"),
            ("203.0.1*.7", "203.0.1*.7"),
            ("[::1", "[::1"),
            ("", ""),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
            assert_eq!(canonical(expected), expected, "{text}");
        }
    }

    #[test]
    fn masked_parts_agree_with_anything_and_all_else_only_with_itself() {
        for (one, other, both) in [
            ("203.0.113.7", "203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7", "203.0.*.*", Some("203.0.113.7")),
            ("203.*.*.7", "203.0.113.*", Some("203.0.113.7")),
            ("203.0.*.*", "198.51.*.*", None),
            ("203.0.113.7", "203.0.113.8", None),
            ("203.0.113.7", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8:*:*:*:*:*:*", Some("2001:db8::1")),
            ("***", "2001:db8::1", Some("2001:db8::1")),
            ("*.*.*.*", "***", Some("*.*.*.*")),
            ("unknown", "unknown", Some("unknown")),
            ("unknown", "203.0.113.7", None),
        ] {
            assert_eq!(meet(one, other).as_deref(), both, "{one} {other}");
            assert_eq!(meet(other, one).as_deref(), both, "{other} {one}");
        }
    }

    fn address() -> impl Strategy<Value = String> {
        let part = || prop_oneof![Just("*".to_owned()), (0..3_u8).prop_map(|part| part.to_string())];
        prop_oneof![8 => (part(), part(), part(), part()).prop_map(|(a, b, c, d)| format!("{a}.{b}.{c}.{d}")), 1 => Just("odd".to_owned())]
    }

    proptest! {
        #[test]
        fn what_addresses_say_together_depends_on_no_order(one in address(), two in address(), three in address()) {
            let both = |one: &str, other: Option<String>| other.and_then(|other| meet(one, &other));
            prop_assert_eq!(both(&one, meet(&two, &three)), both(&three, meet(&one, &two)));
            prop_assert_eq!(meet(&one, &one), Some(one));
        }

        #[test]
        fn no_text_has_two_canonical_forms(text in ".{0,40}") {
            let form = canonical(&text).into_owned();
            prop_assert_eq!(canonical(&form), form.clone());
        }
    }
}
