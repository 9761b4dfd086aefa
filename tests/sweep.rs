//! The rules of counting pushes by window and group, as properties over random ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use streamtally::model::report::Certainty;
use streamtally::report::push::Push;
use streamtally::report::sweep::{Row, Sweep, WindowTotals};

const PERIOD: (i64, i64) = (100, 400);

/// Pushes of two groups with two streams each, around the period, in the order of their starts.
fn pushes() -> impl Strategy<Value = Vec<Push>> {
    let push = (0_u32..4, 0_i64..450, prop_oneof![1 => Just(None), 6 => (0_i64..200).prop_map(Some)], any::<bool>());
    let push = push.prop_map(|(stream, started, length, confirmed)| Push {
        group: stream / 2,
        stream,
        started,
        ended: length.map_or(i64::MAX, |length| started + length),
        certainty: match (length, confirmed) {
            (None, _) => Certainty::Open,
            (Some(_), true) => Certainty::Confirmed,
            (Some(_), false) => Certainty::Estimated,
        },
    });
    vec(push, 0..30).prop_map(|mut pushes| {
        pushes.sort_by_key(|push| push.started);
        pushes
    })
}

fn sweep(pushes: &[Push], bounds: &[i64], horizon: i64) -> (Vec<Row>, WindowTotals) {
    let mut sweep = Sweep::new(bounds.to_vec(), horizon);
    let by_name = |one: u32, other: u32| one.cmp(&other);
    for push in pushes {
        sweep.add(push, by_name);
    }
    let whole = loop {
        if let Some(whole) = sweep.finish(by_name) {
            break whole;
        }
    };
    (sweep.take_rows(), whole)
}

/// What adds up: each kind of seconds, and starts.
fn sums(rows: &[Row]) -> [i64; 5] {
    let sum = |of: fn(&WindowTotals) -> i64| rows.iter().map(|row| of(&row.counts)).sum();
    [
        sum(|counts| counts.confirmed_seconds),
        sum(|counts| counts.estimated_seconds),
        sum(|counts| counts.open_seconds),
        sum(|counts| counts.on_air_seconds),
        sum(WindowTotals::push_seconds),
    ]
}

fn of_group(rows: &[Row], group: u32) -> Vec<Row> {
    rows.iter().filter(|row| row.group == group).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_add_up_to_the_whole_and_adjacent_periods_to_their_union(
        pushes in pushes(),
        cuts in proptest::collection::btree_set(101_i64..400, 0..12),
        horizon in 50_i64..450,
    ) {
        let (from, to) = PERIOD;
        let bounds: Vec<i64> = [from].into_iter().chain(cuts.iter().copied().filter(|cut| *cut < horizon)).chain([to]).collect();
        let (whole, totals) = sweep(&pushes, &[from, to], horizon);
        let (windows, same_totals) = sweep(&pushes, &bounds, horizon);
        prop_assert_eq!(totals, same_totals);
        for group in 0..2 {
            prop_assert_eq!(sums(&of_group(&windows, group)), sums(&of_group(&whole, group)));
            let peak = |rows: &[Row]| of_group(rows, group).iter().map(|row| row.counts.peak_live_sessions).max();
            prop_assert_eq!(peak(&windows), peak(&whole));
        }
        let periods: Vec<Row> = bounds.windows(2).flat_map(|period| sweep(&pushes, period, horizon).0).collect();
        prop_assert_eq!(&periods, &windows);
        prop_assert_eq!(sums(&whole)[4], totals.push_seconds());
        prop_assert_eq!(sums(&whole)[3], totals.on_air_seconds);
    }

    #[test]
    fn each_second_counts_what_is_on_air_in_it(pushes in pushes(), horizon in 50_i64..450) {
        let (from, to) = PERIOD;
        let (rows, totals) = sweep(&pushes, &[from, to], horizon);
        for group in 0..2 {
            let mut counts = WindowTotals::default();
            let here: Vec<_> = pushes.iter().filter(|push| push.group == group).collect();
            for second in from..to.min(horizon) {
                let on_air: Vec<_> = here.iter().filter(|push| push.started <= second && second < push.ended).collect();
                let of = |certainty| -> i64 { on_air.iter().filter(|push| push.certainty == certainty).count().try_into().unwrap() };
                counts.confirmed_seconds += of(Certainty::Confirmed);
                counts.estimated_seconds += of(Certainty::Estimated);
                counts.open_seconds += of(Certainty::Open);
                let streams = (0..4).filter(|stream| on_air.iter().any(|push| push.stream == *stream)).count();
                counts.on_air_seconds += i64::try_from(streams).unwrap();
                counts.peak_live_sessions = counts.peak_live_sessions.max(i64::try_from(on_air.len()).unwrap());
            }
            let until = to.min(horizon);
            let begin_in = |push: &&&Push| push.started >= from && push.started < until;
            counts.sessions_started = here.iter().filter(begin_in).count().try_into().unwrap();
            let carried = here.iter().filter(|push| push.started < from && push.ended > from && from < horizon).count();
            counts.sessions = counts.sessions_started + i64::try_from(carried).unwrap();
            let row = rows.iter().find(|row| row.group == group).map(|row| row.counts);
            prop_assert_eq!(row, (counts.push_seconds() > 0).then_some(counts));
        }
        prop_assert_eq!(sums(&rows)[4], totals.push_seconds());
    }
}
