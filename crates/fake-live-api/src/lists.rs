//! What both lists have in common: parameters, order, times.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use rand::seq::SliceRandom;
use serde_json::{Map, Value};

use crate::{
    dice::Dice,
    message::Request,
    respond::Rejection,
    settings::{EmptyList, Order, Settings},
    world::{Push, World},
};

/// What an answer depends on, except for the request.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) world: &'a World,
    pub(crate) settings: &'a Settings,
    pub(crate) dice: Dice,
    /// The number of the request, from 1.
    pub(crate) number: u64,
    pub(crate) now: DateTime<Utc>,
}

impl Context<'_> {
    /// Puts rows in the order of this call.
    pub(crate) fn sort(&self, pushes: &mut [&Push]) {
        pushes.sort_by(|one, other| by_name(one).cmp(&by_name(other)));
        match self.settings.order {
            Order::ByName => {}
            Order::ByStart => pushes.sort_by_key(|push| Reverse(push.started_at)),
            Order::Shuffled => pushes.shuffle(&mut self.dice.ask("order", &[&self.number.to_le_bytes()])),
        }
    }

    pub(crate) fn is_of_listed_kind(&self, push: &Push) -> bool {
        self.settings.lists_renditions || push.rendition.is_none()
    }
}

fn by_name(push: &Push) -> (&str, &str, &str, DateTime<Utc>) {
    (&push.domain, &push.app, &push.stream, push.started_at)
}

/// `offset` counts rows in one API and pages in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

impl Page {
    /// # Errors
    ///
    /// `offset` is no integer from 0 or `limit` is none from 1 to 100.
    pub(crate) fn of(request: &Request) -> Result<Self, Rejection> {
        let number = |name, default| match request.parameter(name) {
            None => Ok(default),
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse::<u32>().map_err(|_| Rejection::invalid(name))
            }
            Some(_) => Err(Rejection::invalid(name)),
        };
        let [offset, limit] = [number("offset", 0)?, number("limit", 10)?];
        if !(1..=100).contains(&limit) {
            return Err(Rejection::invalid("limit"));
        }
        let as_size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self { offset: as_size(offset), limit: as_size(limit) })
    }
}

/// Adds the rows to a body; without rows as the settings say.
pub(crate) fn add_rows(body: &mut Map<String, Value>, name: &str, rows: Vec<Value>, empty: EmptyList) {
    let rows = match empty {
        _ if !rows.is_empty() => Value::Array(rows),
        EmptyList::Array => Value::Array(Vec::new()),
        EmptyList::Null => Value::Null,
        EmptyList::Absent => return,
    };
    body.insert(name.to_owned(), rows);
}

/// A time in whole seconds.
pub(crate) fn format_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::testing::{DOMAIN, at, signed};

    #[test]
    fn limits_are_from_1_to_100_and_offsets_from_0() {
        let page = |query: &str| {
            let page = Page::of(&signed("GET", &format!("/?{query}"), b"", at(0)));
            page.map(|page| (page.offset, page.limit)).map_err(|rejection| rejection.message)
        };
        assert_eq!(page(""), Ok((0, 10)));
        assert_eq!(page("offset=90&limit=100"), Ok((90, 100)));
        assert_eq!(page("limit=1"), Ok((0, 1)));
        for wrong in ["limit=0", "limit=101", "limit=", "limit=ten", "limit=%2B1", "offset=-1", "offset=99999999999"] {
            let name = wrong.split('=').next().unwrap();
            assert_eq!(page(wrong), Err(format!("Invalid request parameter: {name}")), "{wrong}");
        }
    }

    #[test]
    fn orders_are_stable_or_another_in_every_call() {
        let world = World::default();
        let names: Vec<String> = (0..50).map(|number| format!("room{number:02}")).collect();
        let push = |(second, name): (i64, &String)| Push::new(DOMAIN, "live", name, at(second * 7 % 50));
        let pushes: Vec<Push> = (0..).zip(&names).map(push).collect();
        let sorted = |order, number| {
            let settings = Settings { order, ..Settings::default() };
            let context = Context { world: &world, settings: &settings, dice: Dice::new(1), number, now: at(0) };
            let mut rows: Vec<&Push> = pushes.iter().rev().collect();
            context.sort(&mut rows);
            rows.iter().map(|push| (push.stream.clone(), push.started_at)).collect::<Vec<_>>()
        };
        assert!(sorted(Order::ByName, 1).is_sorted());
        assert!(sorted(Order::ByStart, 1).is_sorted_by_key(|(_, start)| Reverse(*start)));
        let shuffled = sorted(Order::Shuffled, 1);
        assert_eq!(shuffled, sorted(Order::Shuffled, 1));
        assert_ne!(shuffled, sorted(Order::Shuffled, 2));
        assert_ne!(shuffled, sorted(Order::ByName, 1));
    }

    #[test]
    fn times_are_cut_to_whole_seconds() {
        assert_eq!(format_time(at(0) + TimeDelta::milliseconds(999)), "2026-11-27T03:15:00Z");
    }
}
