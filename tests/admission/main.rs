//! Whatever the bytes, parsing and admission neither panic nor believe what does not verify.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail by panicking")]

mod oracle;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use oracle::{DOMAIN, NOW, body, check};

/// A timestamp near one of the borders that admission draws, or anything at all, in one of the forms it may have.
fn timestamp() -> impl Strategy<Value = Value> {
    let borders = [-86_400, -600, -2, 0, 5, 300, 600, 86_400];
    let near = (select(borders.to_vec()), -3..=3_i64).prop_map(|(border, off)| NOW + border + off);
    let odd = select(vec![0, 1, 999_999_999, 9_999_999_999, 10_000_000_000, 17_000_000_000, 170_000_000, i64::MAX]);
    let seconds = prop_oneof![8 => near, 1 => odd, 1 => any::<i64>()];
    (seconds, 0..8_u8).prop_map(|(seconds, form)| match form {
        0 => json!(format!("0{seconds}")),
        1..=3 => json!(seconds.to_string()),
        _ => json!(seconds),
    })
}

fn word(usual: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => select(usual).prop_map(|word| json!(word)),
        1 => any::<String>().prop_map(|text| json!(text)),
        1 => "[a-z0-9_+/*-]{1,20}".prop_map(|text| json!(text)),
        1 => select(vec![Value::Null, json!(1), json!(1.5e9), json!([]), json!({}), json!(["a\t", {"b": []}])]),
    ]
}

/// A body that is nearly, or truly, a notification.
fn nearly_a_notification() -> impl Strategy<Value = Vec<u8>> {
    (
        word(&[DOMAIN, "push.example.co", "_DONEpush.example.com"]),
        word(&["live", "live2"]),
        word(&["room", "room1", "2room", "a+b", "名前"]),
        word(&["PUBLISH", "PUBLISH_DONE", "RECORD"]),
        timestamp(),
        timestamp(),
        word(&["", "token=1"]),
        (any::<prop::sample::Index>(), any::<u8>(), 0..10_u8),
    )
        .prop_map(
            |(domain, app, stream, event, publish_timestamp, auth_timestamp, user_args, (at, byte, damage))| {
                let mut bytes = body(&[
                    ("domain", domain),
                    ("app", app),
                    ("stream", stream),
                    ("event", event),
                    ("publish_timestamp", publish_timestamp),
                    ("auth_timestamp", auth_timestamp),
                    ("user_args", user_args),
                ]);
                let at = at.index(bytes.len());
                match damage {
                    0 => bytes[at] = byte,
                    1 => bytes.truncate(at),
                    _ => {}
                }
                bytes
            },
        )
}

proptest! {

    #[test]
    fn no_bytes_are_believed_that_do_not_verify(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn no_text_is_believed_that_does_not_verify(text in "\\{(\"(domain|app|event|auth_sign)\":(\"[a-z]{0,5}\"|[0-9]{1,12}|null|\\{\\}),?){0,6}\\}") {
        check(text.as_bytes());
    }

    #[test]
    fn nothing_like_a_notification_is_believed_but_what_verifies(bytes in nearly_a_notification()) {
        check(&bytes);
    }
}

#[test]
fn honest_messages_are_accepted_so_that_all_this_says_something() {
    for event in ["PUBLISH", "PUBLISH_DONE", "RECORD"] {
        let honest = body(&[
            ("domain", json!(DOMAIN)),
            ("app", json!("live")),
            ("stream", json!("room")),
            ("event", json!(event)),
            ("publish_timestamp", json!(NOW - 5)),
            ("auth_timestamp", json!(NOW + 5)),
        ]);
        // Signed with either key and joined in either way: by the policies of that joiner through two paths, and by the
        // policy without signatures through its secret path always.
        assert!(check(&honest) > 15, "{event}: {}", check(&honest));
    }
}

#[test]
fn the_corpus_of_the_fuzzer_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/notification");
    let mut accepted = 0;
    let mut bodies = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        accepted += check(&std::fs::read(entry.unwrap().path()).unwrap());
        bodies += 1;
    }
    assert!(bodies >= 20 && accepted > 0, "{bodies} {accepted}");
}
