//! Thousands of random histories, zones, windows, groupings and moments: the service says what the model says.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::session::SessionKey;

use super::ledger::{Ledger, Say, push};
use super::model::{self, Question};
use crate::helpers::TestApp;

/// How many histories, unless `STREAMTALLY_TEST_HISTORIES` says otherwise, and questions about each.
const HISTORIES: u64 = 6;
const QUESTIONS: usize = 40;

/// Around these the clocks of some zone were changed, a month ended, or a day was leapt.
const TIMES: [&str; 6] = [
    "2026-03-29T00:00:00Z",
    "2026-10-25T00:00:00Z",
    "2026-04-04T12:00:00Z",
    "2026-10-03T12:00:00Z",
    "2024-02-29T12:00:00Z",
    "2011-12-30T10:00:00Z",
];

const ZONES: [Tz; 8] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kathmandu,
    Tz::Asia__Kolkata,
    Tz::Pacific__Apia,
    Tz::America__St_Johns,
];

const DOMAINS: [&str; 2] = ["push.a.example", "push.b.example"];
const APPS: [&str; 2] = ["live", "event"];
const STREAMS: [&str; 3] = ["room", "=room", "room 2"];

struct World {
    random: StdRng,
    /// When things happen, more or less.
    around: i64,
    span: i64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        // Some histories reach to the moment at which they are written.
        let around = match random.random_range(0..TIMES.len() + 3) {
            choice if choice < TIMES.len() => TIMES[choice].parse::<DateTime<Utc>>().unwrap().timestamp(),
            _ => clock::now().timestamp() - 3_600,
        };
        let span = [3_600, 86_400, 3 * 86_400][random.random_range(0..3)];
        Self { random, around, span }
    }

    fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.random.random_range(0..things.len())]
    }

    fn time(&mut self) -> i64 {
        let time = self.around + self.random.random_range(-self.span..self.span);
        if self.random.random_bool(0.3) { time - time.rem_euclid(900) } else { time }
    }

    fn key(&mut self) -> SessionKey {
        let (domain, app, stream) = (self.one_of(&DOMAINS), self.one_of(&APPS), self.one_of(&STREAMS));
        push(domain, app, stream, self.time().min(clock::now().timestamp()))
    }

    /// What is said of a push, in order.
    fn history(&mut self, key: &SessionKey) -> Vec<(Say, Option<&'static str>)> {
        let started = key.publish_timestamp;
        let length = [0, 1, 600, 86_400, 40 * 86_400][self.random.random_range(0..5)];
        let end = started + self.random.random_range(0..=length);
        let near = end + self.random.random_range(-700..700);
        let template = self.random.random_bool(0.15).then_some("lud");
        let mut history = vec![(Say::Start, template)];
        match self.random.random_range(0..12) {
            0 => history = vec![(Say::End(end), template)],
            1 => history.insert(0, (Say::End(end), template)),
            2 => history.push((Say::Superseded(end), None)),
            3 => history.extend([(Say::Superseded(near), None), (Say::End(end), template)]),
            4 => history.extend([(Say::TimedOut(end), None), (Say::OperatorEnd(near.max(started)), None)]),
            5 => history.extend([
                (Say::End(end), template),
                (Say::OperatorEnd(near.max(started)), None),
                (Say::OperatorEnd(started), None),
                (Say::Withdrawn, None),
            ]),
            6 => history = vec![(Say::Quarantined, None)],
            7 => history.extend([(Say::End(near), template), (Say::End(end), template), (Say::Start, Some("lsd"))]),
            8 => {}
            9 => history.extend([
                (Say::TimedOut(end), None),
                (Say::Confirmed(near), None),
                (Say::TimedOut(near + self.random.random_range(-60..600)), None),
            ]),
            _ => history.push((Say::End(end), template)),
        }
        history
    }

    fn question(&mut self, moments: &[DateTime<Utc>]) -> Question {
        let (mut from, mut to) = (self.time(), self.time() + self.one_of(&[0, 60, 86_400]));
        if from >= to {
            (from, to) = (to, from + 1);
        }
        Question {
            from,
            to,
            zone: self.one_of(&ZONES),
            window: self.one_of(&["none", "hour", "day", "month"]),
            group_by: self.one_of(&[
                "domain",
                "app",
                "stream",
                "domain,app",
                "domain,app,stream",
                "domain,stream",
                "app,stream",
            ]),
            domain: self.random.random_bool(0.3).then_some(DOMAINS[0]),
            app: self.random.random_bool(0.2).then_some(APPS[1]),
            stream: self.random.random_bool(0.2).then_some(STREAMS[1]),
            renditions: self.one_of(&["exclude", "exclude", "include", "only"]),
            as_of: self.one_of(moments) - TimeDelta::microseconds(self.one_of(&[0, 0, 1])),
        }
    }
}

fn time(at: DateTime<Utc>, format: SecondsFormat) -> String {
    at.to_rfc3339_opts(format, true)
}

/// The parameters of a question that every report has.
fn query(question: &Question) -> String {
    let second = |at: i64| time(DateTime::from_timestamp(at, 0).unwrap(), SecondsFormat::Secs);
    let mut query = format!(
        "from={}&to={}&time_zone={}&renditions={}&as_of={}",
        second(question.from),
        second(question.to),
        question.zone.name().replace('+', "%2B"),
        question.renditions,
        time(question.as_of, SecondsFormat::Micros)
    );
    for (name, value) in [("domain", question.domain), ("app", question.app), ("stream", question.stream)] {
        if let Some(value) = value {
            query = format!("{query}&{name}={}", value.replace('=', "%3D").replace(' ', "%20"));
        }
    }
    query
}

/// All pages of a list.
async fn pages(app: &TestApp, path: &str, limit: usize) -> (Vec<Value>, Value) {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}&limit={limit}{cursor}"), 200).await;
        rows.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (rows, page),
        }
    }
}

async fn ask(ledger: &Ledger<'_>, world: &mut World, question: &Question, seed: u64) {
    let (app, said) = (ledger.app, &ledger.said);
    let path = format!(
        "/v1/reports/push-duration?{}&window={}&group_by={}",
        query(question),
        question.window,
        question.group_by
    );
    let what = format!("history {seed}: {path}");
    let (expected, totals) = model::push_duration(said, question);
    let limit = world.one_of(&[1, 3, 500]);
    // With one row a page only a few pages.
    let limit = if expected.len() > 20 * limit { 500 } else { limit };
    let (rows, last) = pages(app, &path, limit).await;
    assert_eq!(json!(rows), json!(expected), "{what}");
    assert_eq!(last["totals"], totals, "{what}");

    let path = format!("/v1/reports/push-duration/sessions?{}", query(question));
    let (sessions, _) = pages(app, &path, world.one_of(&[2, 500])).await;
    let sessions: Vec<_> = sessions
        .iter()
        .map(|row| (row["session_id"].as_str().unwrap().to_owned(), row["counted_seconds"].as_i64().unwrap()))
        .collect();
    assert_eq!(sessions, model::counted(said, question), "{what}");
    assert_eq!(sessions.iter().map(|(_, seconds)| seconds).sum::<i64>(), totals["push_seconds"], "{what}");

    let (duration, step) = world.one_of(&[("7m", 420), ("1h", 3_600), ("1d", 86_400)]);
    let path = format!("/v1/reports/concurrency?{}&step={duration}", query(question));
    let report = app.get(&path, 200).await;
    let (points, peak) = model::concurrency(said, question, step);
    assert_eq!(report["data"], json!(points), "{what}");
    assert_eq!(report["peak"], peak, "{what}");
}

#[tokio::test]
async fn whatever_the_history_reports_say_what_anyone_would_count_by_hand() {
    let histories = std::env::var("STREAMTALLY_TEST_HISTORIES").map_or(HISTORIES, |number| number.parse().unwrap());
    for seed in 0..histories {
        let app = TestApp::start().await;
        let mut world = World::new(seed);
        let mut ledger = Ledger::new(&app);
        let mut unsaid = Vec::new();
        for _ in 0..world.random.random_range(5..60) {
            let key = world.key();
            let again = world.random.random_bool(0.2).then(|| {
                let after = key.publish_timestamp + world.random.random_range(0..900);
                SessionKey { publish_timestamp: after.min(clock::now().timestamp()), ..key.clone() }
            });
            for key in [Some(key), again].into_iter().flatten() {
                unsaid.push((key.clone(), world.history(&key)));
            }
        }
        let mut moments = vec![clock::now() - TimeDelta::days(1), clock::now()];
        while !unsaid.is_empty() {
            let mut batch = Vec::new();
            for _ in 0..world.random.random_range(1..20) {
                if unsaid.is_empty() {
                    break;
                }
                let place = world.random.random_range(0..unsaid.len());
                let (key, history) = &mut unsaid[place];
                let (what, template) = history.remove(0);
                batch.push((key.clone(), what, template));
                if history.is_empty() {
                    unsaid.swap_remove(place);
                }
            }
            ledger.say(&batch).await;
            moments.push(ledger.said.last().unwrap().recorded_at);
        }
        for _ in 0..QUESTIONS {
            let question = world.question(&moments);
            ask(&ledger, &mut world, &question, seed).await;
        }
    }
}
