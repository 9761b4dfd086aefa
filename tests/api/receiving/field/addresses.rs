//! Addresses as encoders, relays and the provider write them.

use serde_json::{Value, json};
use test_support::messages::Push;

use super::{assert_rebuilt, session_of};
use crate::helpers::TestApp;

#[tokio::test]
async fn an_absent_or_masked_address_is_no_conflict_and_another_one_is() {
    let app = TestApp::start().await;
    for (stream, second, conflict) in [
        ("absent", Value::Null, false),
        ("empty", json!(""), false),
        ("masked", json!("203.0.*.*"), false),
        ("port", json!("203.0.113.7:4711"), false),
        ("mapped", json!("::ffff:203.0.113.7"), false),
        ("elsewhere", json!("198.51.*.*"), true),
        ("other", json!("203.0.113.8"), true),
    ] {
        let push = Push::of(stream, 5);
        let mut message = push.start();
        message["client_ip"] = second;
        for pair in [[push.start(), message.clone()], [message, push.start()]] {
            app.receive(&pair).await;
        }
        let session = session_of(&app, &push).await;
        assert_eq!(session["flags"], if conflict { json!(["key_conflict"]) } else { json!([]) }, "{stream}");
        assert_eq!(session["client_ip"], "203.0.113.7", "{stream}");
    }
    assert_rebuilt(&app).await;
}

#[tokio::test]
async fn sessions_are_found_by_an_address_in_any_spelling_and_show_it_as_received() {
    let app = TestApp::start().await;
    for (stream, received) in [
        ("v4", "203.0.113.77:2572"),
        ("v6", "[2001:DB8:0:0::1]:443"),
        ("zone", "fe80::1%eth0"),
        ("mapped", "::ffff:198.51.100.9"),
        ("masked", "203.0.*.*"),
        ("odd", "relay-7"),
    ] {
        let push = Push { client_ip: received.to_owned(), ..Push::of(stream, 5) };
        app.receive(&[push.start()]).await;
    }
    for (stream, spelled) in [
        ("v4", "203.0.113.77"),
        ("v4", "::ffff:203.0.113.77"),
        ("v6", "2001:db8::1"),
        ("v6", "2001:0db8:0000:0000:0000:0000:0000:0001"),
        ("zone", "fe80::1"),
        ("mapped", "198.51.100.9"),
        ("masked", "203.0.*.*"),
        ("odd", "relay-7"),
    ] {
        let session = app.session(&format!("client_ip={spelled}")).await;
        assert_eq!(session["stream"], stream, "{spelled}");
    }
    assert_eq!(app.session("stream=v6").await["client_ip"], "[2001:DB8:0:0::1]:443");
    // What the first start lacked, a later one told.
    let push = Push::of("late", 5);
    let mut without = push.start();
    without["client_ip"] = Value::Null;
    let with = Push { client_ip: "192.0.2.1:1".to_owned(), ..push }.start();
    app.receive(&[without, with]).await;
    assert_eq!(app.session("client_ip=192.0.2.1").await["client_ip"], "192.0.2.1");
    assert_rebuilt(&app).await;
}
