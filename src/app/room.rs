//! Limits on connections, in total and per address, and the choice of those that close when space is scarce.
//!
//! Anyone can open connections, and the service can hold only a limited number. So that strangers cannot lock the
//! provider out:
//!
//! - The number of connections per address is limited, except for trusted proxies, which forward the requests of many
//!   clients.
//! - When space is scarce, a connection is closed after its next response, which announces that. Exceptions are
//!   connections on which a stored callback came, and those of trusted proxies, which may carry callbacks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::client_address::TrustedProxies;
use crate::platform::clock;
use crate::telemetry::OnceASecond;
use crate::telemetry::metrics::{CONNECTIONS, CONNECTIONS_MAX, REFUSED_CONNECTIONS};

/// Above this many tenths of the limit, only connections that have brought a callback are kept.
const KEPT_OF_TEN: usize = 9;

/// Space for a limited number of connections.
pub struct Room {
    max: usize,
    max_per_address: usize,
    trusted_proxies: TrustedProxies,
    taken: Headcount,
    taken_by_address: Mutex<HashMap<IpAddr, Headcount>>,
}

/// The place of one open connection. Dropping it frees the place.
pub struct Place {
    room: Arc<Room>,
    brings_callbacks: AtomicBool,
    _taken: Headcount,
    _taken_by_address: Option<Headcount>,
}

#[derive(Clone, Default)]
struct Headcount(Arc<()>);

impl Headcount {
    fn clones(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Room {
    /// `max_per_address` does not apply to trusted proxies.
    pub fn new(max: usize, max_per_address: usize, trusted_proxies: TrustedProxies) -> Self {
        REFUSED_CONNECTIONS.counter_of(&[]).absolute(0);
        Self { max, max_per_address, trusted_proxies, taken: Headcount::default(), taken_by_address: Mutex::default() }
    }

    /// Takes a place for a connection; `None` if the address has too many.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_proxy = self.trusted_proxies.contains(peer);
        let taken_by_address = if is_proxy { None } else { Some(self.enter_by_address(peer)?) };
        Some(Place {
            room: Arc::clone(self),
            brings_callbacks: is_proxy.into(),
            _taken: self.taken.clone(),
            _taken_by_address: taken_by_address,
        })
    }

    fn enter_by_address(&self, peer: IpAddr) -> Option<Headcount> {
        static TOO_MANY: OnceASecond = OnceASecond::new();
        let mut addresses = self.taken_by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() == addresses.capacity() {
            addresses.retain(|_, taken| taken.clones() > 0);
        }
        let taken = addresses.entry(subscriber(peer)).or_default();
        if taken.clones() < self.max_per_address {
            return Some(taken.clone());
        }
        drop(addresses);
        REFUSED_CONNECTIONS.counter_of(&[]).increment(1);
        if TOO_MANY.is_due(clock::now()) {
            tracing::warn!(
                address = %peer,
                limit = self.max_per_address,
                "closing connections unread: their address has too many; if it is a proxy, add it to \
                 --trusted-proxies; --max-connections-per-address is the limit"
            );
        }
        None
    }

    fn is_crowded(&self) -> bool {
        self.taken.clones() > self.max - self.max * (10 - KEPT_OF_TEN) / 10
    }

    /// Updates the metrics.
    pub fn show(&self) {
        let gauge_of = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        CONNECTIONS.gauge_of(&[]).set(gauge_of(self.taken.clones()));
        CONNECTIONS_MAX.gauge_of(&[]).set(gauge_of(self.max));
    }
}

impl Place {
    /// Records that a callback from this connection was stored.
    pub fn note_callback(&self) {
        self.brings_callbacks.store(true, Ordering::Relaxed);
    }

    /// Whether the connection should close after its next response.
    pub fn gives_way(&self) -> bool {
        self.room.is_crowded() && !self.brings_callbacks.load(Ordering::Relaxed)
    }
}

/// The counted address. For IPv6, it is the /64 network: one subscriber has all of its addresses.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(max: usize, max_per_address: usize) -> Arc<Room> {
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Arc::new(Room::new(max, max_per_address, TrustedProxies::from(proxies)))
    }

    fn enter(room: &Arc<Room>, peer: &str) -> Option<Place> {
        room.enter(peer.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_places_and_a_place_that_is_left_is_another_ones() {
        let room = room(100, 2);
        let (first, _second) = (enter(&room, "203.0.113.7").unwrap(), enter(&room, "::ffff:203.0.113.7").unwrap());
        assert!(enter(&room, "203.0.113.7").is_none());
        assert!(enter(&room, "203.0.113.8").is_some());
        drop(first);
        assert!(enter(&room, "203.0.113.7").is_some());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let room = room(100, 1);
        let _place = enter(&room, "2001:db8::1").unwrap();
        assert!(enter(&room, "2001:db8::ffff:2").is_none());
        assert!(enter(&room, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn a_trusted_proxy_has_as_many_as_it_likes() {
        let room = room(100, 1);
        let places: Vec<_> = (0..50).map(|_| enter(&room, "10.1.2.3").unwrap()).collect();
        assert_eq!(places.len(), 50);
    }

    #[test]
    fn when_a_tenth_is_left_all_give_way_but_those_that_bring_callbacks() {
        let room = room(20, 20);
        let mut strangers: Vec<_> = (0..16).map(|_| enter(&room, "203.0.113.7").unwrap()).collect();
        let (provider, proxy) = (enter(&room, "198.51.100.1").unwrap(), enter(&room, "10.1.2.3").unwrap());
        provider.note_callback();
        assert!(!strangers.iter().any(Place::gives_way));
        strangers.push(enter(&room, "203.0.113.7").unwrap());
        assert!(strangers.iter().all(Place::gives_way));
        assert!(!provider.gives_way() && !proxy.gives_way());
        strangers.pop();
        assert!(!strangers.iter().any(Place::gives_way));
    }
}
