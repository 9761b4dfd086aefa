//! Lists that are read page by page while sessions begin and end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use streamtally::model::event::{Origin, Signature};
use streamtally::platform::clock;
use streamtally::session::{SessionKey, StreamKey};
use streamtally::store::log::NewEntryRow;
use test_support::messages::DOMAIN;

use crate::helpers::{TestApp, append_entries};

/// Second at which the first of these pushes began; each later one begins a second later.
const BEGIN: i64 = 1_700_000_000;

fn entry(number: i64, event: &str) -> NewEntryRow {
    let stream = StreamKey { domain: DOMAIN.into(), app: "live".into(), stream: format!("room{}", number % 977) };
    let publish_timestamp = BEGIN + number;
    let (shard, key) = (stream.shard(16), SessionKey { stream: stream.clone(), publish_timestamp });
    NewEntryRow {
        signature: Some(Signature::Unsigned),
        client_ip: Some(if number % 3 == 0 { "203.0.113.3" } else { "203.0.113.4" }.into()),
        rendition_template: (number % 5 == 0).then(|| "lud".into()),
        ..NewEntryRow::internal(shard, key.id().0, stream, publish_timestamp, Origin::Provider, event, clock::now())
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
    let mut as_of = page["as_of"].clone();
    for number in 0.. {
        take(&page, &mut seen);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        meanwhile(number).await;
        page = app.get(&format!("/v1/sessions?{filters}&cursor={cursor}"), 200).await;
        assert!(page["as_of"].as_str() > as_of.as_str(), "each page is as of its own reading");
        as_of = page["as_of"].clone();
    }
    seen
}

#[tokio::test]
async fn session_that_keeps_matching_is_neither_repeated_nor_skipped_while_others_begin_and_end() {
    const SESSIONS: i64 = 10_000;
    let app = TestApp::start().await;
    append(&app, (0..SESSIONS).map(|number| entry(2 * number, "PUBLISH"))).await;
    for filters in ["status=live&limit=500", "status=live&limit=500&sort=started_at"] {
        let before: BTreeSet<String> = read(&app, filters, async |_| {}).await.into_keys().collect();
        let seen: BTreeSet<String> = read(&app, filters, async |page| {
            // Of these, one in forty ends before each page; and as many begin, before, between and after them.
            let some = || (0..SESSIONS).filter(|number| number % 40 == page);
            append(&app, some().map(|number| entry(2 * number, "PUBLISH_DONE"))).await;
            append(&app, some().map(|number| entry(2 * number + 1, "PUBLISH"))).await;
        })
        .await
        .into_keys()
        .collect();
        let after: BTreeSet<String> = read(&app, filters, async |_| {}).await.into_keys().collect();
        let kept: BTreeSet<String> = before.intersection(&after).cloned().collect();
        assert!(kept.len() > 4_000 && kept.is_subset(&seen), "{} of {} kept ones were seen", seen.len(), kept.len());
    }
}
