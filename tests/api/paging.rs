//! Lists that are read page by page while sessions begin and end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use streamtally::platform::clock;
use streamtally::session::{SessionKey, StreamKey};
use streamtally::store::log::NewEntryRow;

use crate::helpers::{TestApp, append_entries};
use crate::messages::DOMAIN;

/// Second at which the first of these pushes began; each later one begins a second later.
const BEGIN: i64 = 1_700_000_000;

fn entry(number: i64, event: &str) -> NewEntryRow {
    let stream = StreamKey { domain: DOMAIN.into(), app: "live".into(), stream: format!("room{}", number % 977) };
    let publish_timestamp = BEGIN + number;
    let (shard, key) = (stream.shard(16), SessionKey { stream: stream.clone(), publish_timestamp });
    NewEntryRow {
        signature: Some("unsigned".into()),
        client_ip: Some(if number % 3 == 0 { "203.0.113.3" } else { "203.0.113.4" }.into()),
        rendition_template: (number % 5 == 0).then(|| "lud".into()),
        ..NewEntryRow::of_ours(shard, key.id().0, stream, publish_timestamp, "provider", event, clock::now())
    }
}

async fn append(app: &TestApp, entries: impl IntoIterator<Item = NewEntryRow>) {
    let entries: Vec<_> = entries.into_iter().collect();
    for some in entries.chunks(2_000) {
        append_entries(&app.pool, some, clock::now()).await.unwrap();
    }
    app.fold().await;
}

/// Sessions by their ids: what callers see but for how long they have lasted, which goes on while they are live.
type Seen = BTreeMap<String, Value>;

fn take(page: &Value, seen: &mut Seen) {
    for session in page["data"].as_array().unwrap() {
        let mut session = session.clone();
        if session["status"] == "live" {
            session["duration_seconds"].take();
        }
        let id = session["session_id"].as_str().unwrap().to_owned();
        assert!(seen.insert(id, session).is_none(), "a row is seen once");
    }
}

/// The list, and what is done before each page but the first.
async fn read(app: &TestApp, filters: &str, mut meanwhile: impl AsyncFnMut(i64)) -> Seen {
    let mut seen = Seen::new();
    let mut page = app.get(&format!("/v1/sessions?{filters}"), 200).await;
    let as_of = page["as_of"].clone();
    for number in 0.. {
        take(&page, &mut seen);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        meanwhile(number).await;
        page = app.get(&format!("/v1/sessions?{filters}&cursor={cursor}"), 200).await;
        assert_eq!(page["as_of"], as_of, "the list is of one moment");
    }
    seen
}

#[tokio::test]
async fn who_pages_while_ten_thousand_sessions_begin_and_end_sees_each_that_was_there_once() {
    const SESSIONS: i64 = 10_000;
    let app = TestApp::start().await;
    append(&app, (0..SESSIONS).map(|number| entry(2 * number, "PUBLISH"))).await;
    let filters = "status=live&limit=500";
    let there: BTreeSet<String> = read(&app, filters, async |_| {}).await.into_keys().collect();
    assert_eq!(there.len(), 10_000);
    let seen = read(&app, filters, async |page| {
        // Of these, one in twenty ends before each page; and as many begin, before, between and after them.
        let some = || (0..SESSIONS).filter(|number| number % 20 == page);
        append(&app, some().map(|number| entry(2 * number, "PUBLISH_DONE"))).await;
        append(&app, some().map(|number| entry(2 * number + 1, "PUBLISH"))).await;
    })
    .await;
    assert_eq!(seen.keys().cloned().collect::<BTreeSet<_>>(), there);
    assert!(seen.values().all(|session| session["status"] == "live"));
}

#[tokio::test]
async fn whatever_is_asked_for_the_list_is_of_the_moment_of_its_first_page() {
    let app = TestApp::start().await;
    append(&app, (0..600).map(|number| entry(number, "PUBLISH"))).await;
    append(&app, (0..600).filter(|number| number % 2 == 0).map(|number| entry(number, "PUBLISH_DONE"))).await;
    let middle = chrono::DateTime::from_timestamp(BEGIN + 300, 0).unwrap().format("%FT%TZ");
    for (round, filters) in [
        String::new(),
        "sort=started_at".into(),
        "status=ended".into(),
        "status=live".into(),
        "unconfirmed=true".into(),
        "ended_at_source=notification".into(),
        "flag=quarantined_messages".into(),
        "client_ip=203.0.113.3".into(),
        "renditions=exclude&status=live".into(),
        "renditions=only".into(),
        "min_duration_seconds=1000".into(),
        "max_duration_seconds=999999999&status=ended&sort=started_at".into(),
        format!("from={middle}"),
        format!("to={middle}&status=live"),
        format!("from={middle}&time_field=ended_at"),
        format!("to={middle}&time_field=started_at"),
        format!("at={middle}"),
    ]
    .into_iter()
    .enumerate()
    {
        let filters = format!("{filters}&limit=50").trim_start_matches('&').to_owned();
        let there = read(&app, &filters, async |_| {}).await;
        let seen = read(&app, &filters, async |page| {
            if page != 1 {
                return;
            }
            // Of every third session something changes: it ends, ends once more, or begins once more.
            let round = i64::try_from(round).unwrap();
            let ends = (0..600).filter(|number| number % 6 == round % 6).map(|number| entry(number, "PUBLISH_DONE"));
            let again = (0..600).filter(|number| number % 6 == (round + 1) % 6).map(|number| entry(number, "PUBLISH"));
            append(&app, ends.chain(again)).await;
        })
        .await;
        assert_eq!(seen, there, "{filters}");
    }
}
