//! The rules of folding, as properties over random histories of one session.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use streamtally::model::session::{EndSource, Flag, Status};
use streamtally::session::entry::Receipt;
use streamtally::session::lifecycle;
use streamtally::session::outcome::{EarlierOutcome, Outcome, Outcomes};
use streamtally::session::{Details, Entry, Fact, Session, Unlisted, fold};

/// The push began at this second.
const START: i64 = 1_700_000_000;

fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(START * 1000 + milliseconds).unwrap()
}

fn started_at() -> DateTime<Utc> {
    at(0)
}

fn fold_all<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Session {
    let mut session = Session::default();
    for (position, fact) in (1..).zip(facts) {
        fold(&mut session, &Entry { position, recorded_at: at(position), fact: fact.clone() });
    }
    session
}

/// What a session says, without where in the log and when it was said.
fn content(session: &Session) -> Session {
    Session {
        outcomes: Outcomes::default(),
        first_position: 0,
        last_position: 0,
        last_recorded_at: DateTime::default(),
        ..session.clone()
    }
}

/// Few different values, so that equal and nearly equal ones meet often.
fn receipt() -> impl Strategy<Value = Receipt> {
    let texts =
        ["203.0.113.1", "203.0.113.2", "203.0.113.1:80", "203.0.*.*", "*.*.*.1", "203.1.*.*", "2001:db8::1", "odd"];
    let address = proptest::option::of(proptest::sample::select(texts.to_vec()).prop_map(str::to_owned));
    let template = prop_oneof![6 => Just(None), 1 => Just(Some("lud".to_owned()))];
    let details = (address.clone(), address, template).prop_map(|(client_ip, node_ip, rendition_template)| Details {
        client_ip,
        node_ip,
        rendition_template,
        ..Details::default()
    });
    let shares = proptest::bool::weighted(0.1);
    (-5_000_i64..20_000, proptest::option::of(-3_i64..20), shares, details).prop_map(
        |(received, expires, shares_signature, details)| Receipt {
            received_at: at(received),
            signature_expires_at: expires.map(|seconds| at(seconds * 1000)),
            shares_signature,
            details,
        },
    )
}

/// What the provider's callbacks, its history and missing rows of its lists say, and what is inferred: everything that may come
/// in any order.
fn unordered_fact() -> impl Strategy<Value = Fact> {
    let time = (0_i64..20).prop_map(|seconds| at(seconds * 1000));
    prop_oneof![
        4 => receipt().prop_map(Fact::Started),
        4 => receipt().prop_map(Fact::Ended),
        1 => Just(Fact::Unknown),
        1 => Just(Fact::Quarantined),
        1 => time.clone().prop_map(|ended_at| Fact::Superseded { ended_at }),
        1 => time.clone().prop_map(|ended_at| Fact::TimedOut { ended_at }),
        1 => (time.clone(), time.clone())
            .prop_map(|(unlisted_at, ended_at)| Fact::Unlisted(Unlisted { unlisted_at, ended_at })),
        1 => time.prop_map(|ended_at| Fact::History { ended_at }),
        1 => Just(Fact::Replaced),
    ]
}

fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        6 => unordered_fact(),
        1 => (-5_i64..20).prop_map(|seconds| Fact::OperatorEnd { ended_at: at(seconds * 1000) }),
        1 => Just(Fact::OperatorEndWithdrawn),
        1 => (-5_i64..20).prop_map(|seconds| Fact::OperatorConfirmed { confirmed_at: at(seconds * 1000) }),
        1 => (-5_i64..20).prop_map(|seconds| Fact::Listed { listed_at: at(seconds * 1000) }),
    ]
}

/// When the session timed out, or was superseded, read off a whole history: a confirmation cancels what it contradicts, also
/// later.
fn inferred(
    facts: &[Fact],
    end: impl Fn(&Fact) -> Option<DateTime<Utc>>,
    confirmation: impl Fn(&Fact) -> Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let (mut confirmed, mut ended) = (None, None);
    for fact in facts {
        confirmed = confirmed.max(confirmation(fact));
        let found = end(fact).filter(|at| confirmed.is_none_or(|confirmed| *at > confirmed));
        ended = [ended, found].into_iter().flatten().min();
        ended = ended.filter(|at| confirmed.is_none_or(|confirmed| *at > confirmed));
    }
    ended
}

fn confirmed_at(fact: &Fact) -> Option<DateTime<Utc>> {
    match fact {
        Fact::OperatorConfirmed { confirmed_at } => Some(*confirmed_at),
        fact => listed_at(fact),
    }
}

fn listed_at(fact: &Fact) -> Option<DateTime<Utc>> {
    if let Fact::Listed { listed_at } = fact { Some(*listed_at) } else { None }
}

fn timed_out(facts: &[Fact]) -> Option<DateTime<Utc>> {
    inferred(facts, |fact| if let Fact::TimedOut { ended_at } = fact { Some(*ended_at) } else { None }, confirmed_at)
}

fn superseded(facts: &[Fact]) -> Option<DateTime<Utc>> {
    inferred(facts, |fact| if let Fact::Superseded { ended_at } = fact { Some(*ended_at) } else { None }, listed_at)
}

/// The last time that the list missed it counts, unless it was confirmed at that time or later.
fn unlisted(facts: &[Fact]) -> Option<DateTime<Utc>> {
    let last = facts
        .iter()
        .filter_map(|fact| if let Fact::Unlisted(unlisted) = fact { Some(*unlisted) } else { None })
        .max()?;
    let confirmed = facts.iter().filter_map(confirmed_at).max();
    confirmed.is_none_or(|confirmed| last.unlisted_at > confirmed).then_some(last.ended_at)
}

/// The contract's rules, read off a whole history at once.
fn model(facts: &[Fact]) -> (Status, Option<(DateTime<Utc>, EndSource)>) {
    let messages = facts.iter().filter(|fact| matches!(fact, Fact::Started(_) | Fact::Ended(_))).count();
    let has = |is_so: fn(&Fact) -> bool| facts.iter().any(is_so);
    let is_of_history = has(|fact| matches!(fact, Fact::History { .. })) && !has(|fact| matches!(fact, Fact::Replaced));
    if messages == 0 && !is_of_history {
        return (Status::Unseen, None);
    }
    let operator = facts.iter().rev().find_map(|fact| match fact {
        Fact::OperatorEnd { ended_at } => Some(Some(*ended_at)),
        Fact::OperatorEndWithdrawn => Some(None),
        _ => None,
    });
    let noticed = facts.iter().filter_map(|fact| match fact {
        Fact::Ended(receipt) => {
            let received = DateTime::from_timestamp(receipt.received_at.timestamp(), 0).unwrap();
            Some(receipt.signature_expires_at.unwrap_or(received).min(received))
        }
        _ => None,
    });
    let history = facts.iter().filter_map(|fact| match fact {
        Fact::History { ended_at } => Some(*ended_at),
        _ => None,
    });
    let inferred = [
        superseded(facts).map(|at| (at, EndSource::Superseded)),
        timed_out(facts).map(|at| (at, EndSource::TimedOut)),
        unlisted(facts).map(|at| (at, EndSource::Unlisted)),
    ];
    let end = operator
        .flatten()
        .map(|at| (at, EndSource::Operator))
        .or(noticed.min().map(|at| (at, EndSource::Notification)))
        .or(history.max().map(|at| (at, EndSource::ProviderHistory)))
        .or(inferred.into_iter().flatten().min_by_key(|(at, _)| *at));
    let end = end.map(|(at, source)| (at.max(started_at()), source));
    (if end.is_some() { Status::Ended } else { Status::Live }, end)
}

fn outcome(session: &Session) -> (Status, Option<(DateTime<Utc>, EndSource)>) {
    (lifecycle::status(session, started_at()), lifecycle::end(session, started_at()))
}

/// What a session's outcome is now, if it has one.
fn outcome_of(session: &Session) -> Option<Outcome> {
    let (status, end) = outcome(session);
    let rendition_template = session.details.rendition_template.clone();
    (status != Status::Unseen).then_some(Outcome { end, rendition_template })
}

/// What a session's outcome was at a moment, by what is kept of it.
fn told_at(session: &Session, moment: DateTime<Utc>) -> Option<Outcome> {
    let outcomes = &session.outcomes;
    let own = outcome_of(session).zip(outcomes.seen_at).zip(outcomes.outcome_at);
    let own = own.and_then(|((now, seen_at), outcome_at)| {
        if moment >= outcome_at {
            Some(now)
        } else {
            (moment >= seen_at && !outcomes.revised).then_some(Outcome { end: None, ..now })
        }
    });
    let held = |earlier: &&EarlierOutcome| earlier.known_from <= moment && moment < earlier.known_until;
    let earlier = outcomes.earlier.iter().filter(held).map(|earlier| {
        let Outcome { end, rendition_template } = earlier.outcome.clone();
        Outcome { end: end.map(|(at, source)| (at.max(started_at()), source)), rendition_template }
    });
    let mut told = own.into_iter().chain(earlier);
    let first = told.next();
    assert!(told.next().is_none(), "one outcome holds at a time");
    first
}

/// Histories that once failed are tried first ever after.
fn failures() -> Box<dyn FailurePersistence> {
    Box::new(FileFailurePersistence::Direct("tests/fixtures/fold-failures.txt"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: Some(failures()), ..ProptestConfig::default() })]

    #[test]
    fn order_cannot_matter(
        (facts, shuffled) in vec(unordered_fact(), 0..12).prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
    ) {
        prop_assert_eq!(content(&fold_all(&facts)), content(&fold_all(&shuffled)));
    }

    #[test]
    fn a_repeat_counts_as_a_delivery_and_as_nothing_else(
        before in vec(any_fact(), 0..6),
        message in prop_oneof![receipt().prop_map(Fact::Started), receipt().prop_map(Fact::Ended)],
        after in vec(any_fact(), 0..6),
    ) {
        let history = || before.iter().chain([&message]).chain(&after);
        let mut once = content(&fold_all(history()));
        let twice = content(&fold_all(history().chain([&message])));
        match message {
            Fact::Started(_) => once.start_deliveries += 1,
            _ => once.end_deliveries += 1,
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn the_outcome_is_what_the_contract_says_of_the_whole_history(facts in vec(any_fact(), 0..12)) {
        prop_assert_eq!(outcome(&fold_all(&facts)), model(&facts));
    }

    #[test]
    fn at_every_moment_the_outcome_is_told_that_the_log_had_until_then(
        facts in vec((any_fact(), proptest::bool::weighted(0.7)), 0..12),
    ) {
        // Entries that are appended together are recorded at one moment.
        let mut recorded = 0;
        let entries: Vec<Entry> = (1..)
            .zip(&facts)
            .map(|(position, (fact, later))| {
                recorded += i64::from(*later);
                Entry { position, recorded_at: at(recorded), fact: fact.clone() }
            })
            .collect();
        let mut session = Session::default();
        for entry in &entries {
            fold(&mut session, entry);
        }
        for moment in (-1..=recorded + 1).map(at) {
            let until_then = fold_all(entries.iter().filter(|entry| entry.recorded_at <= moment).map(|entry| &entry.fact));
            prop_assert_eq!(told_at(&session, moment), outcome_of(&until_then), "at {}", moment);
        }
    }

    #[test]
    fn a_session_never_ends_before_it_starts_and_never_comes_back_by_a_message(
        facts in vec(any_fact(), 0..10),
        more in vec(unordered_fact(), 0..5),
    ) {
        let before = fold_all(&facts);
        let after = fold_all(facts.iter().chain(&more));
        if let Some((ended_at, source)) = lifecycle::end(&before, started_at()) {
            prop_assert!(ended_at >= started_at());
            let is_replaced = after.replaced && after.start_deliveries == 0 && after.end_deliveries == 0;
            let status = if is_replaced { Status::Unseen } else { Status::Ended };
            prop_assert_eq!(lifecycle::status(&after, started_at()), status);
            if source == EndSource::Notification {
                prop_assert!(!is_replaced);
                let (later, _) = lifecycle::end(&after, started_at()).unwrap();
                prop_assert!(later <= ended_at, "a message moved an end later");
            }
        }
    }

    #[test]
    fn what_is_released_counts_as_if_it_had_been_accepted(
        before in vec(any_fact(), 0..6),
        between in vec(unordered_fact(), 0..6),
        message in prop_oneof![receipt().prop_map(Fact::Started), receipt().prop_map(Fact::Ended), Just(Fact::Unknown)],
    ) {
        let released = Fact::Released(Box::new(message.clone()));
        let history = before.iter().chain([&Fact::Quarantined]).chain(&between).chain([&released]);
        let accepted = before.iter().chain([&message]).chain(&between);
        prop_assert_eq!(content(&fold_all(history)), content(&fold_all(accepted)));
    }

    #[test]
    fn a_time_out_before_a_confirmation_has_no_effect_whichever_comes_first(
        facts in vec(any_fact().prop_filter("not timed out", |fact| !matches!(fact, Fact::TimedOut { .. })), 0..8),
        (ended, confirmed) in (-5_i64..20, -5_i64..20),
    ) {
        let timed_out = Fact::TimedOut { ended_at: at(ended * 1000) };
        let confirmation = Fact::OperatorConfirmed { confirmed_at: at(confirmed * 1000) };
        let first = fold_all(facts.iter().chain([&timed_out, &confirmation]));
        let last = fold_all(facts.iter().chain([&confirmation, &timed_out]));
        prop_assert_eq!(content(&first), content(&last));
        if ended <= confirmed {
            prop_assert_eq!(content(&last), content(&fold_all(facts.iter().chain([&confirmation]))));
        }
    }

    #[test]
    fn a_withdrawn_end_leaves_what_there_was(facts in vec(unordered_fact(), 0..8), seconds in -5_i64..20) {
        let ended = Fact::OperatorEnd { ended_at: at(seconds * 1000) };
        let without = content(&fold_all(&facts));
        let with = fold_all(facts.iter().chain([&ended]));
        prop_assert_eq!(with.operator_ended_at, Some(at(seconds * 1000)));
        prop_assert_eq!(content(&fold_all(facts.iter().chain([&ended, &Fact::OperatorEndWithdrawn]))), without);
    }
}

fn message(received: i64, expires: Option<i64>, client_ip: &str) -> Receipt {
    Receipt {
        received_at: at(received),
        signature_expires_at: expires.map(|seconds| at(seconds * 1000)),
        shares_signature: false,
        details: Details { client_ip: Some(client_ip.to_owned()), ..Details::default() },
    }
}

#[test]
fn a_session_keeps_where_in_the_log_it_begins_and_where_it_ends() {
    let mut session = Session::default();
    for position in [3, 5, 9] {
        fold(&mut session, &Entry { position, recorded_at: at(position), fact: Fact::Unknown });
    }
    assert_eq!((session.first_position, session.last_position), (3, 9));
}

#[test]
fn an_end_is_the_first_receipt_or_the_expiry_whichever_is_earlier_in_whole_seconds() {
    for (received, expires, expected) in
        [(10_999, None, 10), (10_999, Some(12), 10), (10_999, Some(7), 7), (10_000, Some(10), 10)]
    {
        let session = fold_all(&[Fact::Ended(message(received, expires, "a"))]);
        assert_eq!(lifecycle::end(&session, started_at()), Some((at(expected * 1000), EndSource::Notification)));
    }
}

#[test]
fn the_first_start_received_gives_the_details_and_an_end_only_for_want_of_one() {
    let (first, second) = (Fact::Started(message(1, None, "first")), Fact::Started(message(2, None, "second")));
    let end = Fact::Ended(message(0, None, "end"));
    for facts in [[&first, &second, &end], [&end, &second, &first], [&second, &end, &first]] {
        let session = fold_all(facts);
        assert_eq!(session.details.client_ip.as_deref(), Some("first"));
        assert!(session.key_conflict);
    }
    assert_eq!(fold_all([&end]).details.client_ip.as_deref(), Some("end"));
    assert!(!fold_all([&end, &first]).key_conflict);
}

#[test]
fn starts_conflict_when_their_addresses_contradict_each_other_and_not_when_one_is_absent_or_masked() {
    let start = |received, client_ip: Option<&str>| {
        let receipt = message(received, None, "");
        let details = Details { client_ip: client_ip.map(str::to_owned), ..Details::default() };
        Fact::Started(Receipt { details, ..receipt })
    };
    for (texts, conflict) in [
        (&[Some("203.0.113.7"), None][..], false),
        (&[Some("203.0.113.7"), Some("203.0.*.*")], false),
        (&[Some("203.0.113.7"), Some("203.0.113.7:4711"), Some("::ffff:203.0.113.7")], false),
        (&[Some("203.0.113.7"), Some("198.51.*.*")], true),
        (&[None, Some("203.0.113.7"), Some("203.0.113.8")], true),
        (&[Some("203.0.*.*"), Some("203.0.113.7"), Some("203.0.113.8")], true),
        (&[Some("203.*.*.*"), Some("203.0.*.*"), Some("203.1.*.*")], true),
    ] {
        for turn in 0..texts.len() {
            let mut facts: Vec<_> = (0..).zip(texts).map(|(received, text)| start(received, *text)).collect();
            facts.rotate_left(turn);
            let session = fold_all(&facts);
            assert_eq!(session.key_conflict, conflict, "{texts:?} {turn}");
            assert_eq!(session.details.client_ip.as_deref(), texts[0], "the first is shown");
        }
    }
    let session = fold_all([&start(1, None), &start(2, Some("[2001:DB8::1]:80"))]);
    assert_eq!(session.addresses.client.as_deref(), Some("2001:db8::1"));
}

#[test]
fn what_is_no_longer_kept_conflicts_with_nothing() {
    let redacted = |received| {
        let receipt = message(received, None, "");
        Fact::Started(Receipt { details: Details { redacted: true, ..Details::default() }, ..receipt })
    };
    let (first, second) = (Fact::Started(message(2, None, "first")), Fact::Started(message(3, None, "second")));
    for facts in [[&redacted(1), &first], [&first, &redacted(1)], [&redacted(4), &second]] {
        assert!(!fold_all(facts).key_conflict);
    }
    let shown = |facts: [&Fact; 2]| fold_all(facts).details;
    assert_eq!(shown([&first, &redacted(1)]), Details { redacted: true, ..Details::default() });
    assert_eq!(shown([&first, &redacted(4)]).client_ip.as_deref(), Some("first"));
}

#[test]
fn flags_say_what_a_reader_should_know() {
    let start = Fact::Started(message(1, None, "a"));
    let end = Fact::Ended(message(5_000, None, "a"));
    let early_end = Fact::Ended(message(-1, None, "a"));
    let flags = |facts: &[&Fact]| lifecycle::flags(&fold_all(facts.iter().copied()), started_at());
    assert_eq!(flags(&[&start, &end]), []);
    assert_eq!(flags(&[&end]), [Flag::StartMissing]);
    let history = Fact::History { ended_at: at(5_000) };
    assert_eq!(flags(&[&history]), [Flag::StartListed]);
    assert_eq!(flags(&[&history, &Fact::Replaced]), []);
    assert_eq!(flags(&[&history, &start]), []);
    assert_eq!(flags(&[&history, &end]), [Flag::StartMissing]);
    assert_eq!(flags(&[&start, &early_end]), [Flag::EndBeforeStart]);
    assert_eq!(flags(&[&start, &Fact::Quarantined]), [Flag::QuarantinedMessages]);
    let sharing = Fact::Ended(Receipt { shares_signature: true, ..message(5_000, None, "a") });
    assert_eq!(flags(&[&start, &sharing]), [Flag::SharedSignature]);
}

#[test]
fn a_live_session_is_unconfirmed_after_the_setting_and_lasts_until_the_moment_of_asking() {
    let hour = TimeDelta::hours(1);
    let unconfirmed =
        |seconds: i64, ended_at| lifecycle::is_unconfirmed(started_at(), ended_at, at(seconds * 1000), hour);
    assert!(!unconfirmed(3600, None) && unconfirmed(3601, None) && !unconfirmed(3601, Some(at(5_000))));
    assert_eq!(lifecycle::duration_seconds(started_at(), None, at(5_999)), 5);
    assert_eq!(lifecycle::duration_seconds(started_at(), Some(at(7_000)), at(90_000)), 7);
    assert_eq!(lifecycle::duration_seconds(started_at(), None, at(-5_000)), 0);
}
