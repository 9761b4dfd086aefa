//! Where requests of the service may go to. Administrators enter their URLs, so a URL must not give access to what only the
//! service's machine or network can reach.
//!
//! Every address that a name resolves to is checked, and the connection goes to the checked addresses. An address in
//! the URL itself, in any spelling, is checked too.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};
use url::{Host, Url};

/// The networks for special purposes in the registries of IANA, with the multicast, reserved and deprecated ones: no
/// public receiver has an address in them.
const SPECIAL: [&str; 28] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // With the addresses that contain one of IPv4 (`::a.b.c.d`, deprecated).
    "::/8",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Addresses at which clouds give credentials to any process that asks: they are never allowed.
const METADATA: [&str; 5] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32"];

static SPECIAL_NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| parse(&SPECIAL));
static METADATA_NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| parse(&METADATA));

/// Translates addresses of IPv4 for hosts that have only IPv6 (NAT64, RFC 6052).
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn parse(networks: &[&str]) -> Vec<IpNet> {
    let parse = |network: &&str| network.parse().unwrap_or_else(|_| unreachable!("{network} is a network"));
    networks.iter().map(parse).collect()
}

/// Which addresses an installation allows: all public ones, and its own networks.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Networks with special addresses that requests may go to (`--webhook-allow-networks`).
    allowed: Vec<IpNet>,
}

/// Requests may not go to this address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a public address; --webhook-allow-networks allows networks of your own")]
pub struct ForbiddenAddress(pub IpAddr);

impl AddressPolicy {
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// # Errors
    /// [`ForbiddenAddress`] if the address is neither public nor in an allowed network, or if clouds use it for
    /// credentials.
    pub fn check(&self, address: IpAddr) -> Result<(), ForbiddenAddress> {
        let reached = reached_by(address);
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&reached));
        let forbidden = is_in(&METADATA_NETWORKS) || (is_in(&SPECIAL_NETWORKS) && !is_in(&self.allowed));
        if forbidden { Err(ForbiddenAddress(address)) } else { Ok(()) }
    }

    /// Checks an address in the URL, which is not looked up. Parsing has already read every spelling of it.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_url(&self, url: &Url) -> Result<(), ForbiddenAddress> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.check(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// The address that a connection to this one reaches: an address of IPv6 may contain one of IPv4.
fn reached_by(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(translated) if NAT64.contains(&translated) => {
            let [.., a, b, c, d] = translated.octets();
            IpAddr::from([a, b, c, d])
        }
        canonical => canonical,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_allowed(policy: &AddressPolicy, address: &str) -> bool {
        policy.check(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn public_addresses_are_allowed_and_special_ones_are_not() {
        let policy = AddressPolicy::default();
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.0",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_allowed(&policy, public), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(!is_allowed(&policy, special), "{special}");
        }
    }

    #[test]
    fn own_networks_are_allowed_but_never_those_with_credentials() {
        let networks = ["10.1.0.0/16", "0.0.0.0/0", "::/0"];
        let policy = AddressPolicy::new(parse(&networks[..1]));
        assert!(is_allowed(&policy, "10.1.2.3") && is_allowed(&policy, "::ffff:10.1.2.3"));
        assert!(!is_allowed(&policy, "10.2.0.1"));
        let policy = AddressPolicy::new(parse(&networks));
        assert!(is_allowed(&policy, "127.0.0.1") && is_allowed(&policy, "::1"));
        for metadata in ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "fd00:ec2::254"]
        {
            assert!(!is_allowed(&policy, metadata), "{metadata}");
        }
    }

    proptest! {
        /// However an address of IPv4 is written as one of IPv6, it is allowed as little as itself.
        #[test]
        fn an_address_within_an_address_counts_as_itself(octets: [u8; 4]) {
            let [a, b, c, d] = octets;
            let policy = AddressPolicy::default();
            let itself = policy.check(IpAddr::from(octets)).is_ok();
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            for prefix in [[0, 0, 0, 0, 0, 0xffff], [0x64, 0xff9b, 0, 0, 0, 0]] {
                let [p, q, r, s, t, u] = prefix;
                let containing = IpAddr::from([p, q, r, s, t, u, high, low]);
                prop_assert_eq!(policy.check(containing).is_ok(), itself, "{}", containing);
            }
        }
    }
}
