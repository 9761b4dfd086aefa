//! What one caller has under way does not keep others waiting.

use futures_util::future::join_all;
use reqwest::Method;
use test_support::messages::Push;

use crate::helpers::{TestApp, until};

/// How many statements wait for a lock.
async fn blocked_statements(app: &TestApp) -> i64 {
    let blocked = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(blocked).fetch_one(&app.pool).await.unwrap()
}

#[tokio::test]
async fn slow_requests_of_one_token_leave_connections_to_those_of_others() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    let (slow, other) = (app.make_token(&["read"], None).await, app.make_token(&["read"], None).await);
    let held = app.hold_table("stream").await;
    let request = || app.client.get(format!("{}/v1/streams", app.address)).bearer_auth(&slow).send();
    let statuses = async { join_all((0..30).map(async |_| request().await.unwrap().status().as_u16())).await };
    let others = async {
        until(async || blocked_statements(&app).await == 6).await;
        assert_eq!(app.with_token(&other).get("/v1/live", 200).await["live_sessions"], 1);
        let refused = app.with_token(&slow).get("/v1/sessions", 429).await;
        assert_eq!(refused["detail"], "the token has reached its limit of 6 concurrent requests");
        assert_eq!(blocked_statements(&app).await, 6);
        drop(held);
    };
    let (statuses, ()) = tokio::join!(statuses, others);
    // The others had come before, and so have given up.
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 6, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    app.with_token(&slow).get("/v1/streams", 200).await;
}

#[tokio::test]
async fn a_query_whose_caller_has_left_is_given_up_by_the_database() {
    let app = TestApp::start().await;
    let _held = app.hold_table("stream").await;
    app.send_and_leave(Method::GET, "/v1/streams", "", app.wait_for_a_blocked_statement()).await;
    until(async || blocked_statements(&app).await == 0).await;
}
