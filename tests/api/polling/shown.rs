//! What the provider's lists have shown, as the API shows it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::polling::{poller::confirm_after, watch::KnownSession, watch::Watch};
use streamtally::session::lifecycle;
use test_support::messages::{DOMAIN, Push};
use uuid::Uuid;

use super::{DOMAIN_PATH, create};
use crate::helpers::TestApp;

const OTHER: &str = "other.example.com";

/// An account, and the two domains that are polled with it. No process does: the tests say what the lists have.
pub async fn poll_both(app: &TestApp, mode: &str) {
    let id = create(app, "main", "https://live.cn-north-4.myhuaweicloud.com").await;
    let settings = json!({ "poll_mode": mode, "provider_account": id });
    app.put(DOMAIN_PATH, &settings, 200).await;
    app.put(&format!("/v1/domains/{OTHER}"), &settings, 201).await;
}

/// A push that began an hour ago and differs.
pub struct Difference<'a> {
    pub domain: &'a str,
    pub kind: &'a str,
    pub app: &'a str,
    pub stream: &'a str,
    pub session_id: Option<Uuid>,
    pub seen: TimeDelta,
    pub repaired: bool,
}

impl Default for Difference<'_> {
    fn default() -> Self {
        let (domain, kind, app, stream) = (DOMAIN, "unknown_push", "live", "unheard");
        Self { domain, kind, app, stream, session_id: None, seen: TimeDelta::zero(), repaired: false }
    }
}

impl Difference<'_> {
    pub async fn insert(self, app: &TestApp) {
        let Self { domain, kind, app: of_app, stream, session_id, seen, repaired } = self;
        let now = clock::now();
        let ended_at = (kind != "unknown_push").then_some(now - TimeDelta::minutes(30));
        let insert = "insert into poll_difference (domain, kind, app, stream, started_at, session_id, ended_at,
                          first_seen_at, last_seen_at, repaired)
                      values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)";
        let insert = sqlx::query(insert).bind(domain).bind(kind).bind(of_app).bind(stream);
        let insert = insert.bind(now - TimeDelta::hours(1)).bind(session_id).bind(ended_at);
        insert.bind(now - seen).bind(repaired).execute(&app.pool).await.unwrap();
    }
}

/// A reading some time ago.
pub async fn insert_poll(app: &TestApp, domain: &str, ago: TimeDelta, outcome: &str, mass_absence: bool) {
    let insert =
        "insert into poll (domain, begun_at, milliseconds, outcome, pages, listed, matched, error_code, mass_absence)
                  values ($1, $2, 214, $3, 2, 150, 1234, $4, $5)";
    let error_code = (outcome == "refused").then_some("APIGW.0301");
    let insert = sqlx::query(insert).bind(domain).bind(clock::now() - ago).bind(outcome);
    insert.bind(error_code).bind(mass_absence).execute(&app.pool).await.unwrap();
}

async fn insert_sighting(app: &TestApp, session_id: &Value, last_listed_at: DateTime<Utc>) {
    let insert = "insert into poll_sighting (session_id, domain, account_id, last_listed_at)
                  select session_id, domain, $2, $3 from stream_session where session_id = $1";
    let session_id: Uuid = session_id.as_str().unwrap().parse().unwrap();
    sqlx::query(insert).bind(session_id).bind(Uuid::nil()).bind(last_listed_at).execute(&app.pool).await.unwrap();
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_session_has_the_last_sighting_and_the_end_by_the_history() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 3_600).start()]).await;
    let listed = app.session("stream=room").await;
    assert_eq!((&listed["provider_ended_at"], listed.get("last_listed_at")), (&Value::Null, None));
    let path = format!("/v1/sessions/{}", listed["session_id"].as_str().unwrap());
    let session = app.get(&path, 200).await;
    assert_eq!((&session["last_listed_at"], &session["provider_ended_at"]), (&Value::Null, &Value::Null));

    let at = clock::now() - TimeDelta::minutes(2);
    insert_sighting(&app, &listed["session_id"], at).await;
    assert_eq!(time(&app.get(&path, 200).await["last_listed_at"]), at);
    // The log may know more than the sightings, which are not kept for as long.
    let (later, ended_at) = (at + TimeDelta::minutes(1), at - TimeDelta::minutes(10));
    let update = "update stream_session set listed_at = $1, history_ended_at = $2 where stream = 'room'";
    sqlx::query(update).bind(later).bind(ended_at).execute(&app.pool).await.unwrap();
    let session = app.get(&path, 200).await;
    assert_eq!(time(&session["last_listed_at"]), later);
    assert_eq!(time(&session["provider_ended_at"]), ended_at);
    assert_eq!(time(&app.session("stream=room").await["provider_ended_at"]), ended_at);
}

#[tokio::test]
async fn streams_that_only_the_provider_lists_are_counted_next_to_the_live_ones() {
    let app = TestApp::start().await;
    poll_both(&app, "observe").await;
    let minutes = TimeDelta::minutes;
    Difference::default().insert(&app).await;
    Difference { app: "vod", stream: "film", seen: minutes(4), ..Difference::default() }.insert(&app).await;
    Difference { domain: OTHER, ..Difference::default() }.insert(&app).await;
    // No longer listed, and not of the list.
    Difference { stream: "earlier", seen: minutes(6), ..Difference::default() }.insert(&app).await;
    Difference { kind: "missed_push", stream: "past", ..Difference::default() }.insert(&app).await;
    let bound = app.make_token(&["read"], Some(&[OTHER])).await;
    let count = async |query: &str| app.get(&format!("/v1/live?{query}"), 200).await["listed_only_streams"].clone();
    assert_eq!(count("").await, 3);
    assert_eq!(count("group_by=domain").await, 3);
    assert_eq!(count(&format!("domain={DOMAIN}")).await, 2);
    assert_eq!(count("app=vod").await, 1);
    assert_eq!(count("search=HEARD").await, 2);
    assert_eq!(count("domain=unknown.example.com").await, 0);
    assert_eq!(app.with_token(&bound).get("/v1/live", 200).await["listed_only_streams"], 1);
    let theirs = format!("/v1/live?domain={DOMAIN}");
    assert_eq!(app.with_token(&bound).get(&theirs, 200).await["listed_only_streams"], 0);
    // What is no longer read is not known to be listed.
    app.put(DOMAIN_PATH, &json!({}), 200).await;
    assert_eq!(count("").await, 1);
}

#[tokio::test]
async fn a_reading_says_whether_many_sessions_had_disappeared() {
    let app = TestApp::start().await;
    insert_poll(&app, DOMAIN, TimeDelta::minutes(2), "complete", true).await;
    insert_poll(&app, DOMAIN, TimeDelta::minutes(1), "complete", false).await;
    let polls = app.list(&format!("{DOMAIN_PATH}/polls")).await;
    let mass: Vec<_> = polls.iter().map(|poll| poll["mass_absence"].as_bool().unwrap()).collect();
    assert_eq!(mass, [false, true]);
}

#[test]
fn a_session_that_is_listed_without_a_break_is_never_unconfirmed() {
    use streamtally::huawei::live_api::answer::ListedStream;
    let started_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    // A pause, the longest reading, and what folding takes.
    let turn = TimeDelta::seconds(66 + 30 + 4);
    for unconfirmed_after in [TimeDelta::minutes(4), TimeDelta::hours(1), TimeDelta::hours(12)] {
        for closes_after in [None, Some(TimeDelta::minutes(5)), Some(TimeDelta::hours(24))] {
            let confirm_after = confirm_after(unconfirmed_after, closes_after);
            let mut watch = Watch::new(confirm_after, [], std::time::Duration::ZERO);
            let (mut at, mut confirmed_at) = (started_at, None);
            while at < started_at + TimeDelta::hours(30) {
                let known_live_at = lifecycle::known_live_at(started_at, confirmed_at);
                assert!(!lifecycle::is_unconfirmed(known_live_at, None, at, unconfirmed_after), "{at}");
                assert!(closes_after.is_none_or(|closes_after| at - known_live_at < closes_after), "{at}");
                let (app, stream) = ("live".to_owned(), "room".to_owned());
                let row = ListedStream { app: app.clone(), stream: stream.clone(), started_at, client_ip: None };
                let session_id = Uuid::nil();
                let session = KnownSession { session_id, app, stream, started_at, known_live_at, inferred: None };
                let steady = (at - started_at).to_std().unwrap();
                let noted = watch.note_torn(&[row], at, &[session], steady);
                confirmed_at = noted.findings.first().map(|_| at).or(confirmed_at);
                at += turn;
            }
        }
    }
}
