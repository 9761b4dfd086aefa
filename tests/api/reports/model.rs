//! Reports as anyone would count them by hand: plain loops over what was said, without SQL, sweeps or histories.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};
use streamtally::session::SessionKey;

use super::ledger::{Said, Say};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Question {
    pub from: i64,
    pub to: i64,
    pub zone: Tz,
    pub window: &'static str,
    pub group_by: &'static str,
    pub domain: Option<&'static str>,
    pub app: Option<&'static str>,
    pub stream: Option<&'static str>,
    pub renditions: &'static str,
    pub as_of: DateTime<Utc>,
}

/// A push as it was known: `None` for an end that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub key: SessionKey,
    pub ended: Option<(i64, &'static str)>,
}

impl Known {
    fn started(&self) -> i64 {
        self.key.publish_timestamp
    }

    fn ends(&self) -> i64 {
        self.ended.map_or(i64::MAX, |(at, _)| at)
    }

    fn kind(&self) -> &'static str {
        match self.ended {
            None => "open_seconds",
            Some((_, "notification" | "operator")) => "confirmed_seconds",
            Some(_) => "estimated_seconds",
        }
    }

    fn seconds(&self, from: i64, to: i64) -> i64 {
        (self.ends().min(to) - self.started().max(from)).max(0)
    }
}

/// Every push that counts, as the log knew it then.
pub fn known(said: &[Said], question: &Question) -> Vec<Known> {
    let mut by_push: BTreeMap<String, Vec<&Said>> = BTreeMap::new();
    for said in said.iter().filter(|said| said.recorded_at <= question.as_of) {
        by_push.entry(format!("{:?}", said.key)).or_default().push(said);
    }
    let mut pushes: Vec<Known> = by_push.values().filter_map(|said| known_push(said, question)).collect();
    pushes.sort_by_key(|push| (push.started(), push.key.id().0));
    pushes
}

fn known_push(said: &[&Said], question: &Question) -> Option<Known> {
    let key = said[0].key.clone();
    let messages = |end: bool| {
        let is = move |said: &&&Said| {
            matches!(said.what, Say::End(_)) == end && matches!(said.what, Say::Start | Say::End(_))
        };
        said.iter().filter(is).min_by_key(|said| said.received_at)
    };
    let first = messages(false).or(messages(true))?;
    let names =
        [(question.domain, &key.stream.domain), (question.app, &key.stream.app), (question.stream, &key.stream.stream)];
    let wanted = match question.renditions {
        "include" => true,
        "only" => first.template.is_some(),
        _ => first.template.is_none(),
    };
    if !wanted || names.iter().any(|(asked, name)| asked.is_some_and(|asked| asked != *name)) {
        return None;
    }
    let mut operator = None;
    let (mut noticed, mut inferred) = (Vec::new(), Vec::new());
    let (mut confirmed, mut timed_out) = (None, None);
    for said in said {
        match said.what {
            Say::OperatorEnd(at) => operator = Some(at),
            Say::Withdrawn => operator = None,
            Say::End(at) => noticed.push(at),
            Say::Superseded(at) => inferred.push((at, 0, "superseded")),
            Say::TimedOut(at) if confirmed.is_some_and(|confirmed| at <= confirmed) => {}
            Say::TimedOut(at) => timed_out = timed_out.min(Some(at)).or(Some(at)),
            Say::Confirmed(at) => {
                confirmed = confirmed.max(Some(at));
                timed_out = timed_out.filter(|timed_out| *timed_out > at);
            }
            Say::Start | Say::Quarantined => {}
        }
    }
    inferred.extend(timed_out.map(|at| (at, 1, "timed_out")));
    let ended = match (operator, noticed.into_iter().min(), inferred.into_iter().min()) {
        (Some(at), _, _) => Some((at, "operator")),
        (_, Some(at), _) => Some((at, "notification")),
        (_, _, Some((at, _, source))) => Some((at, source)),
        _ => None,
    };
    let ended = ended.map(|(at, source)| (at.max(key.publish_timestamp), source));
    Some(Known { key, ended })
}

/// The windows of the period, found by looking at the zone's clock each minute.
pub fn windows(question: &Question) -> Vec<(i64, i64)> {
    let label = |at: i64| {
        let time = question.zone.timestamp_opt(at, 0).unwrap();
        match question.window {
            "none" => (0, 0, 0),
            "month" => (time.year(), time.month(), 0),
            "day" => (time.year(), time.ordinal(), 0),
            _ => (time.year(), time.ordinal(), time.hour()),
        }
    };
    let strikes = |at: i64| question.window == "hour" && question.zone.timestamp_opt(at, 0).unwrap().minute() == 0;
    let mut bounds = vec![question.from];
    let mut minute = question.from - question.from.rem_euclid(60) + 60;
    while minute < question.to {
        if label(minute - 60) != label(minute) || strikes(minute) {
            bounds.push(minute);
        }
        minute += 60;
    }
    bounds.push(question.to);
    bounds.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// What is counted of pushes in a window.
fn count(pushes: &[&Known], from: i64, to: i64, known_to: i64) -> Map<String, Value> {
    let until = to.min(known_to);
    let here: Vec<_> = pushes
        .iter()
        .filter(|push| from < until && push.started() < until && (push.ends() > from || push.started() >= from))
        .collect();
    let sum = |kind: &str| -> i64 {
        here.iter().filter(|push| push.kind() == kind).map(|push| push.seconds(from, until)).sum()
    };
    let streams: BTreeSet<_> = here.iter().map(|push| format!("{:?}", push.key.stream)).collect();
    let mut on_air = 0;
    for stream in streams {
        let mut spans: Vec<_> = here
            .iter()
            .filter(|push| format!("{:?}", push.key.stream) == stream)
            .map(|push| (push.started().max(from), push.ends().min(until)))
            .collect();
        spans.sort_unstable();
        let mut reached = from;
        for (begin, end) in spans {
            on_air += (end - begin.max(reached)).max(0);
            reached = reached.max(end);
        }
    }
    let live_at = |at: i64| here.iter().filter(|push| push.started() <= at && at < push.ends()).count();
    let instants = here.iter().map(|push| push.started().max(from));
    let (confirmed, estimated, open) = (sum("confirmed_seconds"), sum("estimated_seconds"), sum("open_seconds"));
    let counts = json!({
        "sessions": here.len(),
        "sessions_started": here.iter().filter(|push| push.started() >= from).count(),
        "push_seconds": confirmed + estimated + open,
        "confirmed_seconds": confirmed,
        "estimated_seconds": estimated,
        "open_seconds": open,
        "on_air_seconds": on_air,
        "peak_live_sessions": instants.map(live_at).max().unwrap_or(0),
    });
    counts.as_object().unwrap().clone()
}

fn time(at: i64) -> Value {
    json!(DateTime::from_timestamp(at, 0).unwrap())
}

/// The rows, and what is counted of the whole.
pub fn push_duration(said: &[Said], question: &Question) -> (Vec<Value>, Value) {
    let pushes = known(said, question);
    let known_to = question.as_of.timestamp();
    let members: Vec<&str> = question.group_by.split(',').collect();
    let name = |push: &Known| {
        let stream = &push.key.stream;
        [("domain", &stream.domain), ("app", &stream.app), ("stream", &stream.stream)]
            .map(|(member, name)| members.contains(&member).then(|| name.clone()))
    };
    let mut rows = Vec::new();
    for (begin, end) in windows(question) {
        let mut groups: BTreeMap<_, Vec<&Known>> = BTreeMap::new();
        for push in &pushes {
            groups.entry(name(push)).or_default().push(push);
        }
        for (names, pushes) in groups {
            let mut row = count(&pushes, begin, end, known_to);
            if row["push_seconds"] == 0 {
                continue;
            }
            row.insert("window_start".into(), time(begin));
            row.insert("window_end".into(), time(end));
            for (member, name) in ["domain", "app", "stream"].into_iter().zip(names) {
                if let Some(name) = name {
                    row.insert(member.into(), name.into());
                }
            }
            rows.push(Value::Object(row));
        }
    }
    let all: Vec<&Known> = pushes.iter().collect();
    (rows, Value::Object(count(&all, question.from, question.to, known_to)))
}

/// The sessions that count, each with its seconds.
pub fn counted(said: &[Said], question: &Question) -> Vec<(String, i64)> {
    let until = question.to.min(question.as_of.timestamp());
    known(said, question)
        .into_iter()
        .filter(|push| question.from < until && push.started() < until)
        .filter(|push| push.ends() > question.from || push.started() >= question.from)
        .map(|push| (push.key.id().0.to_string(), push.seconds(question.from, until)))
        .collect()
}

/// What was on air at each step, and the first instant at which the most pushes were.
pub fn concurrency(said: &[Said], question: &Question, step: i64) -> (Vec<Value>, Value) {
    let pushes = known(said, question);
    let point = |at: i64| {
        let live: Vec<_> = pushes.iter().filter(|push| push.started() <= at && at < push.ends()).collect();
        let streams: BTreeSet<_> = live.iter().map(|push| format!("{:?}", push.key.stream)).collect();
        (at, live.len(), streams.len())
    };
    let view = |(at, sessions, streams): (i64, usize, usize)| json!({ "at": time(at), "live_sessions": sessions, "live_streams": streams });
    let until = question.to.min(question.as_of.timestamp() + 1);
    let steps = (0..).map(|number| question.from + number * step).take_while(|at| *at < until);
    let instants = pushes.iter().map(|push| push.started().max(question.from)).filter(|at| *at < until);
    let best = instants.map(point).filter(|point| point.1 > 0).max_by_key(|(at, sessions, _)| (*sessions, -at));
    (steps.map(point).map(view).collect(), best.map_or(Value::Null, view))
}
