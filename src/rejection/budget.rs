//! Divides the space for kept rejections fairly between the domains that they claim.
//!
//! A quarter is for unregistered domains, whose names anyone can invent. Of the rest, half is reserved for the registered
//! domains, in equal shares, and half is common: so a flood that claims one domain leaves to each other domain its share,
//! and a part of the common space. Nothing that was kept is ever given up for something newer.

use std::collections::HashMap;

/// The domain that a rejected callback claims.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Claim {
    Registered(String),
    /// Unregistered, or none: then the name is empty.
    Unregistered(String),
}

impl Claim {
    pub fn name(&self) -> &str {
        match self {
            Self::Registered(name) | Self::Unregistered(name) => name,
        }
    }
}

/// The space, and who uses it, in bytes.
#[derive(Debug, Default)]
pub struct Budget {
    /// Reserved for each registered domain.
    share: u64,
    /// For registered domains beyond their shares.
    common: Pot,
    unregistered: Pot,
    used: HashMap<Claim, u64>,
}

/// Space that several use: each at most half of what the others leave.
#[derive(Debug, Default)]
pub(super) struct Pot {
    pub capacity: u64,
    pub used: u64,
}

impl Pot {
    /// Whether one that has `own` of what is used may have `more`.
    pub fn has_room_for(&self, own: u64, more: u64) -> bool {
        own + more <= self.capacity.saturating_sub(self.used + more)
    }
}

impl Budget {
    /// Divides `capacity` among this number of registered domains.
    pub fn new(capacity: u64, registered_domains: usize) -> Self {
        let unregistered = capacity / 4;
        let reserved = (capacity - unregistered) / 2;
        Self {
            share: reserved / u64::try_from(registered_domains).unwrap_or(u64::MAX).max(1),
            common: Pot { capacity: capacity - unregistered - reserved, used: 0 },
            unregistered: Pot { capacity: unregistered, used: 0 },
            used: HashMap::new(),
        }
    }

    /// Adds what is kept already, whether it has room or not.
    pub fn add(&mut self, claim: &Claim, bytes: u64) {
        let share = self.share;
        let used = self.used.entry(claim.clone()).or_default();
        match claim {
            Claim::Registered(_) => self.common.used += beyond(share, *used + bytes) - beyond(share, *used),
            Claim::Unregistered(_) => self.unregistered.used += bytes,
        }
        *used += bytes;
    }

    /// Adds `bytes` if there is room for them.
    pub fn try_add(&mut self, claim: &Claim, bytes: u64) -> bool {
        let used = self.used.get(claim).copied().unwrap_or_default();
        let has_room = match claim {
            Claim::Registered(_) => {
                let own = beyond(self.share, used);
                let more = beyond(self.share, used + bytes) - own;
                more == 0 || self.common.has_room_for(own, more)
            }
            Claim::Unregistered(_) => self.unregistered.has_room_for(used, bytes),
        };
        if has_room {
            self.add(claim, bytes);
        }
        has_room
    }
}

fn beyond(share: u64, used: u64) -> u64 {
    used.saturating_sub(share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPACITY: u64 = 64_000;

    fn registered(name: &str) -> Claim {
        Claim::Registered(name.to_owned())
    }

    fn unregistered(name: &str) -> Claim {
        Claim::Unregistered(name.to_owned())
    }

    fn fill(budget: &mut Budget, claim: &Claim) -> u64 {
        std::iter::from_fn(|| budget.try_add(claim, 1).then_some(())).count() as u64
    }

    #[test]
    fn a_flood_leaves_each_registered_domain_its_share_and_more() {
        let mut budget = Budget::new(CAPACITY, 4);
        assert_eq!(fill(&mut budget, &registered("flooded")), 6_000 + 12_000);
        for number in 0..100 {
            fill(&mut budget, &unregistered(&format!("invented{number}")));
        }
        assert_eq!(fill(&mut budget, &registered("other")), 6_000 + 6_000);
        assert_eq!(fill(&mut budget, &registered("third")), 6_000 + 3_000);
        assert_eq!(fill(&mut budget, &registered("fourth")), 6_000 + 1_500);
    }

    #[test]
    fn one_invented_name_leaves_room_for_others() {
        let mut budget = Budget::new(CAPACITY, 1);
        assert_eq!(fill(&mut budget, &unregistered("flooded")), 8_000);
        assert_eq!(fill(&mut budget, &unregistered("other")), 4_000);
    }

    #[test]
    fn without_capacity_nothing_is_kept() {
        let mut budget = Budget::new(0, 3);
        assert!(!budget.try_add(&registered("a"), 1) && !budget.try_add(&unregistered("b"), 1));
    }

    proptest! {
        #[test]
        fn no_order_of_callbacks_exceeds_the_capacity_or_takes_a_share(
            callbacks in prop::collection::vec((0..12_usize, 1..3_000_u64), 0..400),
        ) {
            let mut budget = Budget::new(CAPACITY, 6);
            let mut kept = [0; 12];
            for (number, bytes) in callbacks {
                let name = number.to_string();
                let claim = if number < 6 { registered(&name) } else { unregistered(&name) };
                let had_share = number < 6 && kept[number] + bytes <= 4_000;
                let is_kept = budget.try_add(&claim, bytes);
                prop_assert!(is_kept || !had_share, "a share of {} is not given", name);
                kept[number] += if is_kept { bytes } else { 0 };
            }
            prop_assert!(kept.iter().sum::<u64>() <= CAPACITY);
            prop_assert!(kept[6..].iter().sum::<u64>() <= CAPACITY / 4);
        }
    }
}
