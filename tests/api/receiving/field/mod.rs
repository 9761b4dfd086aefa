//! Callbacks as they arrive in the field: nothing but what counts may cost a customer a push.

use test_support::messages::{DOMAIN, Push};

mod addresses;
mod bodies;
mod pushes;

use std::io::Write;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Response;
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::reconciler::infer::{InferencePolicy, infer};
use streamtally::reconciler::rebuild::Purpose;

use crate::folding::rebuild::differences;
use crate::helpers::TestApp;

const PATH: &str = "/callbacks/huawei";
const DOMAIN_PATH: &str = "/v1/domains/push.example.com";

fn now() -> i64 {
    clock::now().timestamp()
}

/// Infers as if `seconds` had passed, and folds.
async fn infer_in(app: &TestApp, seconds: i64) -> usize {
    let rules = InferencePolicy { supersede_after: TimeDelta::seconds(300), close_unconfirmed_after: None };
    let found = infer(&app.pool, &rules, clock::now() + TimeDelta::seconds(seconds)).await.unwrap();
    app.fold().await;
    found
}

async fn session_of(app: &TestApp, push: &Push) -> Value {
    app.fold().await;
    app.session(&format!("stream={}&publish_timestamp={}", push.stream, push.publish_timestamp)).await
}

async fn reasons(app: &TestApp) -> Vec<Value> {
    let quarantined = app.list("/v1/events?disposition=quarantined").await;
    quarantined.iter().map(|event| event["reason"].clone()).collect()
}

/// Bills of the month's push seconds.
async fn push_seconds(app: &TestApp) -> Value {
    app.get("/v1/reports/push-duration?from=2020-01-01&to=2100-01-01", 200).await["totals"]["push_seconds"].clone()
}

async fn assert_rebuilt(app: &TestApp) {
    app.fold().await;
    assert_eq!(differences(app, Purpose::Verify).await, []);
}

/// One situation of the fixture.
struct Case {
    about: Value,
    told: Value,
    now: i64,
}

impl Case {
    fn all() -> Vec<Self> {
        let fixture: Value = serde_json::from_str(include_str!("../../../fixtures/field.json")).unwrap();
        let cases = fixture["cases"].as_array().unwrap();
        cases.iter().map(|case| Self { about: fixture.clone(), told: case.clone(), now: now() }).collect()
    }

    fn name(&self) -> &str {
        self.told["name"].as_str().unwrap()
    }

    /// The push that a message names.
    fn push(&self, start: i64) -> Push {
        Push { publish_timestamp: self.now + start, ..Push::of(self.about["stream"].as_str().unwrap(), 0) }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        let prefix = hex::decode(self.told["body_prefix_hex"].as_str().unwrap_or_default()).unwrap();
        let mut bodies = Vec::new();
        for message in self.told["messages"].as_array().unwrap_or(&Vec::new()) {
            let push = self.push(message["start"].as_i64().unwrap_or_default());
            let mut body =
                push.message(message["event"].as_str().unwrap(), self.now + message["expires"].as_i64().unwrap());
            for member in ["user_args", "client_ip", "publish_timestamp"] {
                if let Some(value) = message.get(member) {
                    body[member] = value.clone();
                }
            }
            if body["publish_timestamp"] == "now-5 in milliseconds" {
                body["publish_timestamp"] = ((self.now - 5) * 1000).into();
            }
            bodies.push([&prefix, body.to_string().as_bytes()].concat());
        }
        if let Some(mut body) = self.told.get("body").cloned() {
            body["auth_timestamp"] = (self.now + 60).into();
            bodies.push(body.to_string().into_bytes());
        }
        bodies
    }

    /// Sends all of it, and folds: the statuses.
    async fn send(&self, app: &TestApp) -> Vec<u16> {
        let path = self.told["path"].as_str().unwrap_or(PATH);
        let encoding = self.told["headers"]["Content-Encoding"].as_str();
        let mut statuses = Vec::new();
        for body in self.bodies() {
            let response = match encoding {
                Some(encoding) => post(app, path, encoding, gzip(&body)).await,
                None => app.client.post(format!("{}{path}", app.address)).body(body).send().await.unwrap(),
            };
            statuses.push(response.status().as_u16());
        }
        app.fold().await;
        statuses
    }

    async fn assert_then(&self, app: &TestApp, statuses: &[u16]) {
        let expected = if ["milliseconds", "a recording callback at the wrong address"].contains(&self.name()) {
            400
        } else {
            200
        };
        assert!(statuses.iter().all(|status| *status == expected), "{statuses:?}");
        match self.name() {
            "an intruder comes and goes" => {
                infer_in(app, 301).await;
                assert_eq!(session_of(app, &self.push(-3_600)).await["status"], "live");
                assert_eq!(app.get("/v1/live", 200).await["live_streams"], 1);
            }
            "a later push that lasts supersedes" => {
                infer_in(app, 301).await;
                let session = session_of(app, &self.push(-3_600)).await;
                assert_eq!(
                    (&session["ended_at_source"], &session["duration_seconds"]),
                    (&json!("superseded"), &json!(1_800))
                );
            }
            "main and backup encoder stop together" => {
                for start in [-7_200, -3_600] {
                    assert_eq!(session_of(app, &self.push(start)).await["ended_at_source"], "notification");
                }
            }
            "connects, drops, connects again within a second" => {
                assert_eq!(session_of(app, &self.push(-3)).await["status"], "ended");
                assert_eq!(session_of(app, &self.push(-2)).await["status"], "live");
            }
            "an end that says 1970" => {
                assert_eq!(reasons(app).await, ["end_of_unknown_push"]);
                assert_eq!(push_seconds(app).await, 0);
            }
            "one delivery lacks the address" => {
                let session = session_of(app, &self.push(-5)).await;
                assert_eq!((&session["start_deliveries"], &session["flags"]), (&json!(2), &json!([])));
            }
            "address with a port" => {
                assert_eq!(app.session("client_ip=203.0.113.77").await["client_ip"], "203.0.113.77:2572");
            }
            "milliseconds" => assert_rejected(app, "milliseconds").await,
            "a recording callback at the wrong address" => assert_rejected(app, "recording callback").await,
            "user_args is a list" | "user_args holds a tab" | "byte order mark" | "gzip" | "trailing slash" => {
                assert_eq!(session_of(app, &self.push(-5)).await["status"], "live");
            }
            other => panic!("no expectation for {other:?}"),
        }
    }
}

/// That one callback was rejected, with the domain named, and advice that says this.
async fn assert_rejected(app: &TestApp, advice: &str) {
    let rejections = app.rejections(|rows| rows.len() == 1).await;
    assert_eq!(rejections[0]["domain"], DOMAIN);
    assert!(rejections[0]["advice"].as_str().unwrap().contains(advice), "{rejections:?}");
}

async fn post(app: &TestApp, path: &str, encoding: &str, body: Vec<u8>) -> Response {
    let request = app.client.post(format!("{}{path}", app.address)).header("content-encoding", encoding);
    request.body(body).send().await.unwrap()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_situation_of_the_field_ends_as_users_expect() {
    for case in Case::all() {
        let app = TestApp::start().await;
        if let Some(settings) = case.told.get("domain") {
            app.put(DOMAIN_PATH, settings, 200).await;
        }
        // Shown when the test fails.
        println!("{}", case.name());
        let statuses = case.send(&app).await;
        case.assert_then(&app, &statuses).await;
        assert_rebuilt(&app).await;
    }
}
