//! The rules, each over many worlds.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fake_live_api::{Api, EmptyList, FaultKind, Order, Outage, OutageKind, Push, SameName, Settings, busiest_period};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use streamtally::model::session::EndSource;
use streamtally::session::lifecycle;

use super::provider::{HISTORIES, LISTS};
use super::world::{Chances, World, id};

const CHANCES: Chances = Chances { streams: 12, lost_starts: 0.05, lost_ends: 0.3, minutes: 90, hours: 4 };

/// How a provider may behave that lists what is on air.
fn behavior() -> impl Strategy<Value = Settings> {
    let order = prop_oneof![Just(Order::ByName), Just(Order::ByStart), Just(Order::Shuffled)];
    let empty = prop_oneof![Just(EmptyList::Array), Just(EmptyList::Null), Just(EmptyList::Absent)];
    let same_name = prop_oneof![Just(SameName::NewestPush), Just(SameName::EveryPush)];
    (order, empty, same_name, 0..=3_i64, prop_oneof![Just(0.0), 0.0..0.5_f64]).prop_map(
        |(order, empty_list, same_name, difference, faults)| Settings {
            order,
            empty_list,
            same_name,
            start_difference_seconds: 0..=difference,
            faults,
            fault_kinds: FaultKind::ALL.to_vec(),
            ..Settings::default()
        },
    )
}

/// Tries a rule in some worlds, as many as `scripts/worlds` asks for. A world takes too long for the number of cases that other
/// properties are tried with.
fn check<S: Strategy>(chances: S, rule: impl Fn(S::Value) -> TestCaseResult) {
    let cases = std::env::var("STREAMTALLY_TEST_WORLDS").map_or(10, |worlds| worlds.parse().unwrap());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&chances, rule);
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Also when lists fail, for some time all of them, or come in any order.
#[test]
fn a_stream_on_air_is_not_ended() {
    let chances = (any::<u64>(), behavior(), prop_oneof![Just(3_usize), Just(12), Just(120)], (0..200_i64, 0..120_i64));
    check(chances, |(seed, settings, streams, (from, minutes))| {
        let mut world = World::new(seed, settings, Chances { streams, ..CHANCES });
        let from = world.begin + TimeDelta::minutes(from);
        let (until, kind) = (from + TimeDelta::minutes(minutes), OutageKind::Failure(FaultKind::ALL.to_vec()));
        world.provider.api.lock().unwrap().settings.outage = Some(Outage { from, until, kind });
        while world.provider.now().at < world.begin + TimeDelta::hours(5) {
            world.turn();
            let _ = world.look_up();
            prop_assert_eq!(world.wrongly_ended(), []);
        }
        let requests = world.provider.api.lock().unwrap().take_requests();
        prop_assert!(busiest_period(&requests, Api::Streams, TimeDelta::minutes(1)) <= LISTS);
        Ok(())
    });
}

/// Streams are missing from lists at times, though they are on air. What that ends is live again once it is listed.
#[test]
fn a_stream_that_is_listed_is_live() {
    let chances = (any::<u64>(), behavior(), 0.0..0.7_f64);
    check(chances, |(seed, settings, flapping)| {
        let mut world = World::new(seed, Settings { flapping, ..settings }, CHANCES);
        while world.provider.now().at < world.begin + TimeDelta::hours(5) {
            let turn = world.turn();
            let sighted: BTreeMap<_, _> = world.polling.sightings().collect();
            for (push, end) in world.wrongly_ended() {
                let sighting = sighted.get(&id(&push.stream, push.started_at.timestamp()));
                let is_listed = sighting.is_some_and(|listed_at| *listed_at >= turn.begun_at);
                prop_assert!(!is_listed, "{push:?} is listed, and ended by {end:?}");
            }
        }
        Ok(())
    });
}

/// The lists are empty for a while, although streams are on air. Where few were listed, that cannot be told from their end.
#[test]
fn a_mass_disappearance_ends_nothing_at_once_and_what_was_ended_comes_back() {
    let chances = (any::<u64>(), behavior(), (60..150_i64, 1..60_i64), prop_oneof![Just(3_usize), Just(60)]);
    check(chances, |(seed, settings, (from, minutes), streams)| {
        let mut world = World::new(seed, Settings { faults: 0.0, ..settings }, Chances { streams, ..CHANCES });
        let from = world.begin + TimeDelta::minutes(from);
        let until = from + TimeDelta::minutes(minutes);
        world.provider.api.lock().unwrap().settings.outage =
            Some(Outage { from, until, kind: OutageKind::MissingStreams(1.0) });
        let mut listed = 0;
        while world.provider.now().at < world.begin + TimeDelta::hours(5) {
            let turn = world.turn();
            if turn.begun_at < from {
                listed = turn.matched;
            }
            let now = world.provider.now().at;
            let is_held = now < from || (listed > 5 && now < (from + TimeDelta::minutes(15)).min(until));
            let is_over = now > until + TimeDelta::minutes(3);
            prop_assert!(!(is_held || is_over) || world.wrongly_ended().is_empty(), "at {now}, {listed} listed");
        }
        Ok(())
    });
}

/// For every push that was listed, also if its callbacks were lost. Another push of the stream can hide it, which supersedes it.
#[test]
fn a_lost_end_is_found_within_minutes_and_close_to_the_truth() {
    let chances = (any::<u64>(), behavior());
    check(chances, |(seed, settings)| {
        let settings = Settings { faults: 0.0, order: Order::ByName, same_name: SameName::EveryPush, ..settings };
        let mut world = World::new(seed, settings, Chances { lost_starts: 0.0, lost_ends: 0.5, ..CHANCES });
        while world.provider.now().at < world.begin + TimeDelta::hours(6) {
            world.turn();
            let now = world.provider.now().at;
            for told in &world.told {
                let (push, ended_at) = (&told.push, told.ended_at());
                let was_listed = ended_at - push.started_at > TimeDelta::minutes(6);
                let Some((shown, source)) = world.shown(push) else {
                    let is_found = !was_listed || now < ended_at + TimeDelta::minutes(12) || world.is_back(push);
                    prop_assert!(is_found, "{push:?} is still live at {now}");
                    continue;
                };
                let difference = shown - ended_at;
                let (earliest, latest) = match source {
                    EndSource::Notification => (-1, 121),
                    EndSource::Unlisted => (-70, 241),
                    // By the first later push that has lasted, however much later it began.
                    EndSource::Superseded => (-1, i64::MAX),
                    EndSource::TimedOut | EndSource::Operator | EndSource::ProviderHistory => unreachable!("{source}"),
                };
                prop_assert!(
                    (earliest..=latest).contains(&difference.num_seconds()),
                    "{push:?} ended at {shown} by {source}"
                );
            }
        }
        Ok(())
    });
}

/// Also if callbacks were lost: each push is a session, and each end is that of its callback or of the history.
#[test]
fn after_some_hours_the_sessions_are_the_pushes() {
    let chances = (any::<u64>(), behavior(), (0..=1_200_i64, 0..=3_i64), any::<bool>(), any::<bool>());
    check(chances, |(seed, settings, (delay, difference), history_is_clipped, exact)| {
        let difference = if exact { 0 } else { difference };
        let settings = Settings {
            history_delay_seconds: 0..=delay,
            history_difference_seconds: 0..=difference,
            history_is_clipped,
            ..settings
        };
        let mut world = World::new(seed, settings, Chances { lost_starts: 0.1, ..CHANCES });
        while world.provider.now().at < world.begin + TimeDelta::hours(13) {
            world.turn();
            // What failed is tried again in the next minute.
            let _ = world.look_up();
        }
        let told = world.told.clone();
        let is_of_its_own = |push: &Push| {
            let is_near = |other: &Push| (other.started_at - push.started_at).abs() < TimeDelta::seconds(12);
            told.iter().filter(|other| other.push.stream == push.stream && is_near(&other.push)).count() == 1
        };
        // Its session may end as late as its end callback arrives: what is short and follows soon is taken for a part of it.
        let is_hidden = |push: &Push| {
            let middle = push.started_at + (push.ended_at.unwrap() - push.started_at) / 2;
            let hides = |other: &Push| {
                other.started_at < push.started_at && other.ended_at.unwrap() + TimeDelta::minutes(2) >= middle
            };
            told.iter().any(|other| other.push.stream == push.stream && hides(&other.push))
        };
        for told in told.iter().filter(|told| is_of_its_own(&told.push) && !is_hidden(&told.push)) {
            let start = told.push.started_at.timestamp();
            let near = world
                .sessions
                .range((told.push.stream.clone(), start)..=(told.push.stream.clone(), start + difference));
            let shown: Vec<_> = near.filter_map(|((_, start), session)| lifecycle::end(session, at(*start))).collect();
            prop_assert_eq!(shown.len(), 1, "{:?} is {:?}", &told.push, &shown);
            let (ended_at, source) = shown[0];
            let late = (ended_at - told.ended_at()).num_milliseconds();
            match source {
                EndSource::Notification => {
                    prop_assert!((-1_000..=121_000).contains(&late), "{:?}: {late} ms", &told.push);
                }
                EndSource::ProviderHistory => {
                    prop_assert!((-1_000..=difference * 1_000).contains(&late), "{:?}: {late} ms", &told.push);
                }
                source => prop_assert!(false, "{:?} ends by {source}", &told.push),
            }
        }
        let requests = world.provider.api.lock().unwrap().take_requests();
        prop_assert!(busiest_period(&requests, Api::History, TimeDelta::minutes(1)) <= HISTORIES);
        prop_assert!(busiest_period(&requests, Api::Streams, TimeDelta::minutes(1)) <= LISTS);
        Ok(())
    });
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}
