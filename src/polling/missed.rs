//! Finds pushes in the provider's history for which no callback was received, ends that are not known, and ends that
//! differ from those of the callbacks.
//!
//! Pure: the caller reads the history and the sessions.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::history::Period;
use crate::huawei::live_api::answer::PastPush;
use crate::huawei::live_api::{START_TOLERANCE, is_same_start};
use crate::huawei::notification::are_names;
use crate::model::session::EndSource;
use crate::store::polling::ToldSessionRow;

/// Ends that are no further apart are the same.
const SAME_END: TimeDelta = TimeDelta::minutes(1);

/// The lists have a push for so long after its end, at most. One that they had later is another, and on air.
const LISTED_AFTER_END: TimeDelta = TimeDelta::minutes(5);

/// A session that began within this time of a push is probably the same push.
const NEAR: TimeDelta = TimeDelta::minutes(5);

/// How many starts must agree before a push without a session counts as missed.
const AGREEING_STARTS: usize = 10;

/// What a period of the history and the callbacks say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison<'a> {
    pub discrepancies: Vec<Discrepancy<'a>>,
    /// Whether at least ten pushes began with a session, and at most one in twenty just near one. If not, the provider may
    /// mean something else by the start of a push, and one that seems to be missed may be that of a session.
    pub starts_agree: bool,
}

/// Where the history and the callbacks disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discrepancy<'a> {
    /// No callback of the push was received.
    Missed(&'a PastPush),
    /// Its end is not known, or is an estimate.
    Ended { session: &'a ToldSessionRow, ended_at: DateTime<Utc> },
    /// The end callback came at another time.
    EndDiffers { session: &'a ToldSessionRow, ended_at: DateTime<Utc> },
}

/// Compares a period of a domain's history with the domain's sessions that began in it, or within the tolerance around it.
/// `listed` says when the lists last contained each session.
///
/// Pushes that began before `since` are passed over: no callback was expected. So are those that may be cut at a bound of the
/// period, those that cannot be told apart from another, and those for half of which the stream had a session.
pub fn compare<'a>(
    period: &'a Period,
    sessions: &'a [ToldSessionRow],
    listed: &BTreeMap<Uuid, DateTime<Utc>>,
    since: DateTime<Utc>,
) -> Comparison<'a> {
    let mut told: HashMap<(&str, &str), Vec<&ToldSessionRow>> = HashMap::new();
    for session in sessions {
        told.entry((&session.app, &session.stream)).or_default().push(session);
    }
    let mut pushes: HashMap<(&str, &str), Vec<&PastPush>> = HashMap::new();
    for push in period.pushes.iter().filter(|push| push.from_encoder && are_names(&push.app, &push.stream)) {
        pushes.entry((&push.app, &push.stream)).or_default().push(push);
    }
    let is_whole = |push: &PastPush| {
        period.from < push.started_at && push.started_at <= push.ended_at && push.ended_at < period.to
    };
    let (mut found, mut agreeing, mut near_only) = (Vec::new(), 0, 0);
    for (name, pushes) in &pushes {
        let told = told.get(name).map(Vec::as_slice).unwrap_or_default();
        for push in pushes.iter().filter(|push| is_whole(push) && push.started_at >= since) {
            match told.iter().map(|session| (session.started_at - push.started_at).abs()).min() {
                Some(difference) if difference <= START_TOLERANCE => agreeing += 1,
                Some(difference) if difference <= NEAR => near_only += 1,
                Some(_) | None => {}
            }
            let mut near = told.iter().filter(|session| is_same_start(session.started_at, push.started_at));
            let is_alone = pushes.iter().filter(|other| is_same_start(other.started_at, push.started_at)).count() == 1;
            match (near.next(), near.next()) {
                (None, _) if told.iter().any(|session| covers(session, push)) => {}
                (None, _) => found.push(Discrepancy::Missed(push)),
                (Some(session), None) if is_alone => found.extend(compare_ends(session, push, listed)),
                (Some(_), _) => {}
            }
        }
    }
    let starts_agree = agreeing >= AGREEING_STARTS && near_only * 20 <= agreeing + near_only;
    Comparison { discrepancies: found, starts_agree }
}

/// Whether the session was live for half of the push at least.
fn covers(session: &ToldSessionRow, push: &PastPush) -> bool {
    let from = session.started_at.max(push.started_at);
    let to = session.ended_at.map_or(push.ended_at, |ended_at| ended_at.min(push.ended_at));
    (to - from) * 2 >= push.ended_at - push.started_at
}

/// Whether the lists had a session so long after an end that it is the end of another push.
pub fn was_listed_after(listed: &BTreeMap<Uuid, DateTime<Utc>>, session_id: Uuid, ended_at: DateTime<Utc>) -> bool {
    listed.get(&session_id).is_some_and(|at| *at > ended_at + LISTED_AFTER_END)
}

fn compare_ends<'a>(
    session: &'a ToldSessionRow,
    push: &PastPush,
    listed: &BTreeMap<Uuid, DateTime<Utc>>,
) -> Option<Discrepancy<'a>> {
    let ended_at = push.ended_at;
    match session.ended_at.zip(session.ended_at_source) {
        Some((told, EndSource::Notification)) => {
            ((told - ended_at).abs() > SAME_END).then_some(Discrepancy::EndDiffers { session, ended_at })
        }
        Some((_, EndSource::Operator | EndSource::ProviderHistory)) => None,
        None | Some((_, EndSource::Superseded | EndSource::TimedOut | EndSource::Unlisted)) => {
            (!was_listed_after(listed, session.session_id, ended_at))
                .then_some(Discrepancy::Ended { session, ended_at })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn push(started: i64, ended: i64) -> PastPush {
        let (app, stream) = ("live".to_owned(), "room1".to_owned());
        PastPush { app, stream, started_at: at(started), ended_at: at(ended), from_encoder: true }
    }

    fn told(started: i64, end: Option<(i64, EndSource)>) -> ToldSessionRow {
        ToldSessionRow {
            shard: 0,
            session_id: Uuid::nil(),
            app: "live".to_owned(),
            stream: "room1".to_owned(),
            publish_timestamp: at(started).timestamp(),
            started_at: at(started),
            ended_at: end.map(|(ended, _)| at(ended)),
            ended_at_source: end.map(|(_, source)| source),
            history_ended_at: None,
        }
    }

    /// The starts of missed pushes, and the ends that are found or differ.
    fn found(pushes: &[PastPush], sessions: &[ToldSessionRow]) -> (Vec<i64>, Vec<i64>) {
        found_though_listed(pushes, sessions, None)
    }

    fn found_though_listed(
        pushes: &[PastPush],
        sessions: &[ToldSessionRow],
        listed: Option<i64>,
    ) -> (Vec<i64>, Vec<i64>) {
        let period = Period { from: at(0), to: at(86_400), pushes: pushes.to_vec() };
        let listed = listed.map(|seconds| (Uuid::nil(), at(seconds))).into_iter().collect();
        let (mut missed, mut differ) = (Vec::new(), Vec::new());
        for discrepancy in compare(&period, sessions, &listed, at(50)).discrepancies {
            match discrepancy {
                Discrepancy::Missed(push) => missed.push((push.started_at - at(0)).num_seconds()),
                Discrepancy::Ended { ended_at, .. } | Discrepancy::EndDiffers { ended_at, .. } => {
                    differ.push((ended_at - at(0)).num_seconds());
                }
            }
        }
        (missed, differ)
    }

    const NONE: (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());

    #[test]
    fn a_push_without_a_session_that_begins_with_it_was_missed() {
        assert_eq!(found(&[push(100, 200)], &[]), (vec![100], vec![]));
        for started in [95, 100, 105] {
            let ended = Some((200, EndSource::Notification));
            assert_eq!(found(&[push(100, 200)], &[told(started, ended)]), NONE);
        }
        let ended = |started, at| told(started, Some((at, EndSource::Notification)));
        assert_eq!(found(&[push(100, 200)], &[ended(60, 94), ended(206, 300)]), (vec![100], vec![]));
    }

    #[test]
    fn a_push_was_not_missed_if_its_stream_had_a_session_for_half_of_it() {
        let ended = |started, at| told(started, Some((at, EndSource::Notification)));
        for session in [told(94, None), ended(110, 200), ended(106, 156), ended(0, 150), ended(0, 300)] {
            assert_eq!(found(&[push(100, 200)], std::slice::from_ref(&session)), NONE, "{session:?}");
        }
        for session in [told(151, None), ended(106, 155), ended(0, 149), ended(300, 400)] {
            assert_eq!(found(&[push(100, 200)], std::slice::from_ref(&session)), (vec![100], vec![]), "{session:?}");
        }
    }

    #[test]
    fn starts_agree_when_at_least_ten_and_nineteen_in_twenty_do() {
        let agree = |same: i64, near: i64, far: i64| {
            let starts = (0..same).map(|_| 5).chain((0..near).map(|_| 6)).chain((0..far).map(|_| 301));
            let (mut pushes, mut sessions) = (Vec::new(), Vec::new());
            for (index, difference) in starts.enumerate() {
                let begin = 1_000 * (1 + i64::try_from(index).unwrap());
                pushes.push(push(begin, begin + 400));
                sessions.push(told(begin + difference, Some((begin + 400, EndSource::Notification))));
            }
            let period = Period { from: at(0), to: at(86_400), pushes };
            compare(&period, &sessions, &BTreeMap::new(), at(0)).starts_agree
        };
        assert!(agree(10, 0, 0) && agree(10, 0, 9) && agree(19, 1, 0) && agree(40, 2, 0));
        assert!(!agree(0, 0, 0) && !agree(9, 0, 0) && !agree(18, 1, 0) && !agree(37, 2, 0));
    }

    #[test]
    fn what_may_be_cut_or_is_older_than_the_domain_was_not_missed() {
        for (started, ended) in [(0, 200), (100, 86_400), (49, 200), (200, 100)] {
            assert_eq!(found(&[push(started, ended)], &[]), NONE, "{started} to {ended}");
        }
    }

    #[test]
    fn neither_third_parties_nor_names_that_no_callback_has_count() {
        let named = |app: &str, stream: &str| PastPush { app: app.into(), stream: stream.into(), ..push(100, 200) };
        let long = "x".repeat(513);
        for (app, stream) in [("live", ""), ("live", "a\0b"), ("li/ve", "room1"), ("", "room1"), ("live", &long)] {
            assert_eq!(found(&[named(app, stream)], &[]), NONE, "{app:?} {stream:?}");
        }
        assert_eq!(found(&[named("live", "<b>a room</b>")], &[]), (vec![100], vec![]));
        assert_eq!(found(&[PastPush { from_encoder: false, ..push(100, 200) }], &[]), NONE);
    }

    #[test]
    fn an_end_differs_by_more_than_a_minute_from_that_of_the_callback_alone() {
        let ended = |at, source| [told(100, Some((at, source)))];
        assert_eq!(found(&[push(100, 300)], &ended(361, EndSource::Notification)), (vec![], vec![300]));
        assert_eq!(found(&[push(100, 300)], &ended(360, EndSource::Notification)), NONE);
        assert_eq!(found(&[push(100, 300)], &ended(900, EndSource::Operator)), NONE);
        let two = [push(100, 300), push(102, 600)];
        assert_eq!(found(&two, &ended(900, EndSource::Notification)), NONE, "they cannot be told apart");
    }

    #[test]
    fn an_end_that_is_not_known_is_found_unless_the_session_was_listed_later() {
        for session in [told(100, None), told(100, Some((500, EndSource::Unlisted)))] {
            let of_listed = |at| found_though_listed(&[push(100, 300)], std::slice::from_ref(&session), at);
            assert_eq!(of_listed(None), (vec![], vec![300]));
            assert_eq!(of_listed(Some(600)), (vec![], vec![300]));
            assert_eq!(of_listed(Some(601)), NONE, "another push is on air");
        }
    }
}
