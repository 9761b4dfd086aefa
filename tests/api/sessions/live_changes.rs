//! Changes as they happen.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use streamtally::model::event::{Origin, Signature};
use streamtally::platform::clock;
use streamtally::session::{SessionKey, StreamKey};
use streamtally::store::log::NewEntryRow;
use test_support::messages::{DOMAIN, Push};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::helpers::{ADMIN_TOKEN, TestApp, answer, append_entries, until};

const PATH: &str = "/v1/live/changes";

/// Somebody who listens.
struct Listener {
    response: Response,
    text: String,
    /// The last id that was heard.
    id: String,
}

impl Listener {
    /// Listens from an id on, or from now on. Returns when the service has noticed.
    async fn start(app: &TestApp, token: &str, query: &str, id: Option<&str>) -> Self {
        let mut request = app.client.get(format!("{}{PATH}{query}", app.address)).bearer_auth(token);
        if let Some(id) = id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listener = Self { response, text: String::new(), id: String::new() };
        listener.block().await.unwrap();
        listener
    }

    /// What is said next, be it an event or a comment: its data; `None` when the conversation is over.
    async fn block(&mut self) -> Option<Option<Value>> {
        while !self.text.contains("\n\n") {
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let (block, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let data = field("data: ").map(|data| serde_json::from_str(&data).unwrap());
        assert_eq!(field("event: ").unwrap(), if data.is_some() { "session" } else { "position" });
        // With a line of data, or clients would not take over the id.
        assert!(field("data:").is_some());
        self.id = field("id: ").unwrap();
        self.text = String::from(rest);
        Some(data)
    }

    /// The next session that is told of; `None` when the conversation is over.
    async fn session(&mut self) -> Option<Value> {
        loop {
            if let Some(session) = self.block().await? {
                return Some(session);
            }
        }
    }

    async fn told(&mut self) -> (String, String) {
        let session = self.session().await.unwrap();
        (session["stream"].as_str().unwrap().to_owned(), session["status"].as_str().unwrap().to_owned())
    }
}

fn told(stream: &str, status: &str) -> (String, String) {
    (stream.to_owned(), status.to_owned())
}

#[tokio::test]
async fn a_session_is_told_of_whenever_it_changes() {
    let app = TestApp::start().await;
    let (room, hall) = (Push::of("room", 60), Push::of("hall", 60));
    app.receive(&[hall.start()]).await;
    let mut listener = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    app.receive(&[room.start()]).await;
    let mut heard = listener.session().await.unwrap();
    let mut read = app.session("stream=room").await;
    // A live session lasts longer from answer to answer.
    for session in [&mut heard, &mut read] {
        session["duration_seconds"].take();
    }
    assert_eq!(heard, read);
    app.receive(&[room.end()]).await;
    assert_eq!(listener.told().await, told("room", "ended"));
    let confirm = format!("/v1/sessions/{}/confirm", app.session("stream=hall").await["session_id"].as_str().unwrap());
    let confirmed = app.post(&confirm, &json!({ "reason": "seen" }), 200).await;
    app.fold().await;
    assert_eq!(listener.session().await.unwrap()["confirmed_at"], confirmed["received_at"]);
    app.receive(&[hall.end()]).await;
    assert_eq!(listener.told().await, told("hall", "ended"));
}

/// Puts the starts of so many pushes into the log, each of a stream of its own, and folds them.
async fn append(app: &TestApp, numbers: Range<u32>, user_args: &str) {
    let entry = |number: u32| {
        let stream = StreamKey { domain: DOMAIN.into(), app: "live".into(), stream: format!("many{number}") };
        let (shard, session_id) =
            (stream.shard(16), SessionKey { stream: stream.clone(), publish_timestamp: 1 }.id().0);
        NewEntryRow {
            signature: Some(Signature::Unsigned),
            user_args: Some(user_args.to_owned()),
            ..NewEntryRow::internal(shard, session_id, stream, 1, Origin::Provider, "PUBLISH", clock::now())
        }
    };
    let entries: Vec<_> = numbers.map(entry).collect();
    append_entries(&app.pool, &entries, clock::now()).await.unwrap();
    app.fold().await;
}

#[tokio::test]
async fn whoever_resumes_misses_nothing_however_long_they_were_away() {
    let mut app = TestApp::start().await;
    let room = Push::of("room", 60);
    let mut listener = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    app.receive(&[room.start()]).await;
    listener.told().await;
    let id = listener.id.clone();
    drop(listener);

    append(&app, 0..2_500, "").await;
    app.receive(&[room.end()]).await;
    app.restart(&["--roles", "receiver,api"]).await;
    let mut listener = Listener::start(&app, ADMIN_TOKEN, "", Some(&id)).await;
    let mut streams = BTreeSet::new();
    while streams.len() < 2_501 {
        streams.insert(listener.told().await.0);
    }
    app.receive(&[Push::of("afterwards", 60).start()]).await;
    assert_eq!(listener.told().await, told("afterwards", "live"));
}

#[tokio::test]
async fn a_bound_token_hears_of_its_domains_alone_and_of_personal_fields_by_scope_alone() {
    let app = TestApp::start().await;
    app.put("/v1/domains/other.example.com", &json!({}), 201).await;
    app.post("/v1/domains/other.example.com/keys", &json!({ "key": "k".repeat(32) }), 201).await;
    let other = Push { domain: "other.example.com".into(), key: "k".repeat(32), ..Push::of("room", 60) };
    let plain = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let personal = app.make_token(&["read", "personal"], Some(&["other.example.com"])).await;
    let mut plain = Listener::start(&app, &plain, "", None).await;
    let mut personal = Listener::start(&app, &personal, "", None).await;
    app.receive(&[other.start(), Push::of("ours", 60).start()]).await;

    let session = plain.session().await.unwrap();
    assert_eq!(session["stream"], "ours");
    assert!(session.get("client_ip").is_none() && session.get("user_args").is_none());
    let session = personal.session().await.unwrap();
    assert_eq!((&session["domain"], &session["client_ip"]), (&"other.example.com".into(), &"203.0.113.7".into()));
}

#[tokio::test]
async fn a_heartbeat_comes_and_moves_the_resume_point_while_only_others_change() {
    let app = TestApp::start().await;
    app.put("/v1/domains/other.example.com", &json!({}), 201).await;
    app.post("/v1/domains/other.example.com/keys", &json!({ "key": "k".repeat(32) }), 201).await;
    let bound = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let mut bound = Listener::start(&app, &bound, "", None).await;
    let mut all = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    let begin = bound.id.clone();
    let others_change = async {
        for number in 0.. {
            let stream = format!("other{number}");
            let push = Push { domain: "other.example.com".into(), key: "k".repeat(32), ..Push::of(&stream, 60) };
            app.receive(&[push.start()]).await;
            assert_eq!(all.told().await, told(&stream, "live"));
        }
    };
    tokio::select! {
        heartbeat = timeout(Duration::from_secs(20), bound.block()) => assert_eq!(heartbeat, Ok(Some(None))),
        () = others_change => unreachable!("it goes on"),
    }
    assert_ne!(bound.id, begin);
    let mut resumed = Listener::start(&app, ADMIN_TOKEN, "", Some(&bound.id)).await;
    app.receive(&[Push::of("afterwards", 60).start()]).await;
    assert_ne!(resumed.told().await, told("other0", "live"));
}

#[tokio::test]
async fn changes_are_filtered() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "rendition_templates": ["lud"] }), 200).await;
    let mut of_vod = Listener::start(&app, ADMIN_TOKEN, "?app=vod", None).await;
    let mut of_sources =
        Listener::start(&app, ADMIN_TOKEN, &format!("?domain={DOMAIN}&renditions=exclude"), None).await;
    let mut of_renditions = Listener::start(&app, ADMIN_TOKEN, "?renditions=only", None).await;
    let mut of_films = Listener::start(&app, ADMIN_TOKEN, "?search=FIL", None).await;
    let film = Push { app: "vod".into(), ..Push::of("film", 60) };
    app.receive(&[Push::of("room_lud", 60).start()]).await;
    app.receive(&[film.start()]).await;
    assert_eq!(of_vod.told().await, told("film", "live"));
    assert_eq!(of_sources.told().await, told("film", "live"));
    assert_eq!(of_films.told().await, told("film", "live"));
    assert_eq!(of_renditions.told().await, told("room_lud", "live"));
    app.get(&format!("{PATH}?stream=room"), 400).await;
}

#[tokio::test]
async fn only_an_id_of_this_feed_is_resumed_from() {
    let app = TestApp::start().await;
    for id in ["", "7", "not an id"] {
        let request = app.client.get(format!("{}{PATH}", app.address)).bearer_auth(ADMIN_TOKEN);
        let refusal = request.header("Last-Event-ID", id).send().await.unwrap();
        let refusal = answer(&Method::GET, PATH, refusal, 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], "Last-Event-ID");
    }
}

#[tokio::test]
async fn what_the_log_no_longer_reaches_back_to_is_not_resumed_from() {
    let app = TestApp::start().await;
    let listener = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    append(&app, 0..100, "").await;
    sqlx::query("update log_horizon set position = 1, personal_position = 1").execute(&app.pool).await.unwrap();
    let request = app.client.get(format!("{}{PATH}", app.address)).bearer_auth(ADMIN_TOKEN);
    let refusal = request.header("Last-Event-ID", &listener.id).send().await.unwrap();
    let refusal = answer(&Method::GET, PATH, refusal, 400).await;
    assert_eq!(refusal["invalid_parameters"][0]["name"], "Last-Event-ID");
}

#[tokio::test]
async fn a_revoked_token_hears_no_more() {
    let app = TestApp::start().await;
    let created = app.post("/v1/tokens", &json!({ "name": "wall", "scopes": ["read"], "domains": null }), 201).await;
    let mut listener = Listener::start(&app, created["token"].as_str().unwrap(), "", None).await;
    app.delete(&format!("/v1/tokens/{}", created["token_id"].as_str().unwrap()), 204).await;
    app.receive(&[Push::of("room", 60).start()]).await;
    assert_eq!(listener.session().await.map(|_| "heard"), None);
}

#[tokio::test]
async fn who_listens_does_not_keep_the_service_from_stopping() {
    let mut app = TestApp::start().await;
    let mut listener = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    app.stop().await;
    assert_eq!(listener.session().await, None);
}

#[tokio::test]
async fn who_does_not_keep_up_is_cut_off_and_misses_nothing_by_resuming() {
    let app = TestApp::start().await;
    let mut slow = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    let mut quick = Listener::start(&app, ADMIN_TOKEN, "", None).await;
    // More bytes than the system keeps for a reader, and then more changes than the service does.
    let long = "cdn=hw&".repeat(600);
    let mut sent = 0;
    for at_once in [1_000; 4].into_iter().chain([1; 20]) {
        append(&app, sent..sent + at_once, &long).await;
        sent += at_once;
        for _ in 0..at_once {
            quick.session().await.expect("who keeps up is not cut off");
        }
    }
    let mut heard = BTreeSet::new();
    let mut cuts = 0;
    while heard.len() < sent as usize {
        if let Some(session) = slow.session().await {
            heard.insert(session["session_id"].to_string());
        } else {
            cuts += 1;
            let id = slow.id.clone();
            slow = Listener::start(&app, ADMIN_TOKEN, "", Some(&id)).await;
        }
    }
    assert!(cuts > 0);
}

/// The longest chunk of HTTP that is sent until so many sessions were told.
async fn longest_chunk(app: &TestApp, id: &str, sessions: usize) -> usize {
    let host = app.address.trim_start_matches("http://");
    let mut stream = BufReader::new(TcpStream::connect(host).await.unwrap());
    let request = format!(
        "GET {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nLast-Event-ID: {id}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
    }
    let (mut told, mut longest) = (0, 0);
    while told < sessions {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await.unwrap();
        told += String::from_utf8(chunk).unwrap().matches("event: session").count();
        longest = longest.max(size);
    }
    longest
}

#[tokio::test]
async fn what_was_missed_is_told_in_small_pieces_each_read_when_the_one_before_is_taken() {
    let app = TestApp::start().await;
    let id = Listener::start(&app, ADMIN_TOKEN, "", None).await.id;
    append(&app, 0..1_000, &"cdn=hw&".repeat(600)).await;
    assert!(longest_chunk(&app, &id, 1_000).await < 64 * 1024);
}

#[tokio::test]
async fn a_token_and_the_service_may_have_only_so_many_listeners() {
    let limits = ["--max-listeners", "3", "--max-listeners-per-token", "2"];
    let app = TestApp::start_with(&[&["--roles", "receiver,api"][..], &limits].concat()).await;
    let [one, other] = [app.make_token(&["read"], None).await, app.make_token(&["read"], None).await];
    let assert_refused = async |token: &str, limit: &str| {
        let refused = app.client.get(format!("{}{PATH}", app.address)).bearer_auth(token).send().await.unwrap();
        assert!(refused.headers().contains_key("retry-after"));
        let problem = answer(&Method::GET, PATH, refused, 429).await;
        assert_eq!((&problem["code"], &problem["detail"]), (&"too_many_requests".into(), &limit.into()));
    };
    let first = Listener::start(&app, &one, "", None).await;
    let _second = Listener::start(&app, &one, "", None).await;
    assert_refused(&one, "the token has reached its limit of 2 listeners to changes").await;
    let _third = Listener::start(&app, &other, "", None).await;
    assert_refused(&other, "the service has reached its limit of 3 listeners to changes").await;
    drop(first);
    until(async || {
        // That somebody has left is noticed when they are told something.
        app.receive(&[Push::of("room", 60).start()]).await;
        let url = format!("{}{PATH}", app.address);
        app.client.get(url).bearer_auth(&other).send().await.unwrap().status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_thousand_may_listen_to_one_process() {
    let app = TestApp::start().await;
    let mut listeners = Vec::new();
    for _ in 0..1_000 {
        listeners.push(Listener::start(&app, ADMIN_TOKEN, "", None).await);
    }
    app.receive(&[Push::of("room", 60).start()]).await;
    for listener in &mut listeners {
        assert_eq!(listener.told().await, told("room", "live"));
    }
}
