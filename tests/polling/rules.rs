//! The rules, each over many worlds.

use chrono::TimeDelta;
use fake_live_api::{Api, EmptyList, FaultKind, Order, Outage, OutageKind, SameName, Settings, busiest_period};
use proptest::prelude::*;
use streamtally::model::session::EndSource;

use super::provider::LISTS;
use super::world::{Chances, World};

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

/// A world takes as long as a thousand cases of other properties.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: (default.cases / 50).max(16), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    /// Also when lists fail, or come in any order.
    #[test]
    fn a_stream_on_air_is_not_ended(
        seed: u64,
        settings in behavior(),
        streams in prop_oneof![Just(3_usize), Just(12), Just(120)],
    ) {
        let mut world = World::new(seed, settings, Chances { streams, ..CHANCES });
        while world.provider.now().at < world.begin + TimeDelta::hours(5) {
            world.turn();
            prop_assert_eq!(world.wrongly_ended(), []);
        }
        let requests = world.provider.api.lock().unwrap().take_requests();
        prop_assert!(busiest_period(&requests, Api::Streams, TimeDelta::minutes(1)) <= LISTS);
    }

    /// The lists are empty for a while, although streams are on air. Where few were listed, that cannot be told from their end.
    #[test]
    fn a_mass_disappearance_ends_nothing_at_once_and_what_was_ended_comes_back(
        seed: u64,
        settings in behavior(),
        (from, minutes) in (60..150_i64, 1..60_i64),
        streams in prop_oneof![Just(3_usize), Just(60)],
    ) {
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
    }

    /// Of every push that was listed, whatever callbacks were lost. Another push of the stream can hide it, which supersedes it.
    #[test]
    fn a_lost_end_is_found_within_minutes_and_close_to_the_truth(seed: u64, settings in behavior()) {
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
    }
}
