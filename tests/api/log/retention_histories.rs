//! Whatever happens, and however much of it is dropped and blanked: what is live is what the log says.
//!
//! `STREAMTALLY_TEST_SEEDS=100..200` tries other histories.

use chrono::{DateTime, TimeDelta};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::reconciler;
use streamtally::reconciler::infer::{self, infer};
use streamtally::reconciler::rebuild::Purpose;
use streamtally::reconciler::retention::RetentionPolicy;
use test_support::messages::Push;

use super::retention::{age, late, retain_now, shown, value};
use crate::folding::rebuild::differences;
use crate::helpers::TestApp;
use crate::server::shards_a_transaction;

const ACTS: usize = 80;

/// What must hold of the tables at any time.
const INVARIANT: &str = "
    select not exists (
            select 1 from log_horizon horizon join fold_progress using (shard) join shard_head head using (shard)
            where not (horizon.position <= personal_position and personal_position <= fold_progress.position
                and fold_progress.position <= head.position))
        and not exists (
            select 1 from log_entry join log_horizon horizon using (shard)
            where log_entry.position <= horizon.position or log_entry.position <= personal_position
                and num_nonnulls(client_ip, node_ip, source_ip, user_args, extra) > 0)
        and not exists (
            select 1 from stream_session session join log_horizon using (shard)
            where session.last_position <= personal_position and num_nonnulls(client_ip, node_ip, user_args) > 0)
        and not exists (select 1 from stream_session group by session_id having count(*) > 1)";

struct History {
    app: TestApp,
    chance: StdRng,
    pushes: Vec<Push>,
}

impl History {
    async fn begin(seed: u64) -> Self {
        let pushes = (0..4).flat_map(|stream| {
            [900, 600, 300].map(|seconds_ago| Push::of(&format!("room{stream}"), seconds_ago + 10 * stream))
        });
        Self { app: TestApp::start().await, chance: StdRng::seed_from_u64(seed), pushes: pushes.collect() }
    }

    fn push(&mut self) -> Push {
        let client_ip = ["203.0.113.7", "203.0.113.8"].choose(&mut self.chance).unwrap();
        let push = self.pushes.choose(&mut self.chance).unwrap().clone();
        Push { client_ip: (*client_ip).to_owned(), ..push }
    }

    async fn any_of(&mut self, path: &str) -> Option<Value> {
        self.app.list(path).await.choose(&mut self.chance).cloned()
    }

    /// Something happens.
    async fn act(&mut self) {
        match self.chance.random_range(0..20) {
            0..7 => self.receive().await,
            7..9 => self.release().await,
            9 => self.operate().await,
            10 => self.confirm().await,
            11 => self.infer().await,
            12..14 => drop(self.app.fold().await),
            14 => {
                let shards: Vec<i16> = (0..16).filter(|_| self.chance.random_bool(0.2)).collect();
                for shards in shards.chunks(shards_a_transaction()) {
                    reconciler::step(&self.app.pool, shards, self.chance.random_range(1..4)).await.unwrap();
                }
            }
            15..17 => age(&self.app, self.chance.random_range(1..30)).await,
            17..19 => self.retain().await,
            _ => self.verify().await,
        }
    }

    async fn receive(&mut self) {
        let push = self.push();
        let message = [push.start(), push.start(), push.end(), late(&push)].choose(&mut self.chance).unwrap().clone();
        self.app.callback(&message, 200).await;
    }

    async fn release(&mut self) {
        let Some(event) = self.any_of("/v1/events?disposition=quarantined&limit=500").await else { return };
        let expected = if event["released_at"].is_null() { 200 } else { 409 };
        let path = format!("/v1/events/{}/release", event["event_id"].as_str().unwrap());
        self.app.post(&path, &json!({}), expected).await;
    }

    async fn operate(&mut self) {
        let Some(session) = self.any_of("/v1/sessions").await else { return };
        let path = format!("/v1/sessions/{}/end", session["session_id"].as_str().unwrap());
        let ended_at = DateTime::from_timestamp(session["publish_timestamp"].as_i64().unwrap() + 60, 0).unwrap();
        self.app.post(&path, &json!({ "ended_at": ended_at, "reason": "seen" }), 200).await;
        if self.chance.random() {
            self.app.post(&path, &json!({ "ended_at": null, "reason": "mistaken" }), 200).await;
        }
    }

    async fn confirm(&mut self) {
        let Some(session) = self.any_of("/v1/sessions").await else { return };
        let path = format!("/v1/sessions/{}/confirm", session["session_id"].as_str().unwrap());
        let can_be_live = session["ended_at_source"].is_null() || session["ended_at_source"] == "timed_out";
        self.app.post(&path, &json!({ "reason": "seen" }), if can_be_live { 200 } else { 409 }).await;
    }

    async fn infer(&mut self) {
        let rules = infer::InferencePolicy {
            supersede_after: TimeDelta::seconds(300),
            close_unconfirmed_after: Some(TimeDelta::seconds(self.chance.random_range(100..10_000))),
        };
        infer(&self.app.pool, &rules, clock::now() + TimeDelta::hours(1)).await.unwrap();
    }

    /// What is dropped and blanked changes nothing else.
    async fn retain(&mut self) {
        let before = shown(&self.app).await;
        let mut days = |from| self.chance.random::<bool>().then(|| TimeDelta::days(self.chance.random_range(from..90)));
        let rules = RetentionPolicy { keep_events: days(31), keep_personal: days(1) };
        retain_now(&self.app, rules).await;
        assert_eq!(shown(&self.app).await, before);
        assert!(value::<bool>(&self.app, INVARIANT).await);
    }

    async fn verify(&mut self) {
        let purpose = *[Purpose::Verify, Purpose::Replace].choose(&mut self.chance).unwrap();
        assert_eq!(differences(&self.app, purpose).await, []);
    }
}

#[tokio::test]
async fn whatever_is_dropped_and_blanked_all_is_as_the_log_says() {
    let seeds = std::env::var("STREAMTALLY_TEST_SEEDS").map_or(1..4, |seeds| {
        let (from, to) = seeds.split_once("..").unwrap();
        from.parse().unwrap()..to.parse().unwrap()
    });
    for seed in seeds {
        // Shown when the test fails.
        println!("the history of seed {seed}");
        let mut history = History::begin(seed).await;
        for _ in 0..ACTS {
            history.act().await;
        }
        history.verify().await;
        history.app.fold().await;
        history.retain().await;
        history.verify().await;
    }
}
