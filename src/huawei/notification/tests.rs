use super::*;

fn with(member: &str, value: &str) -> Result<Notification, ParseError> {
    with_bytes(member, value.as_bytes())
}

fn with_bytes(member: &str, value: &[u8]) -> Result<Notification, ParseError> {
    let mut members: Vec<(&str, &[u8])> = vec![
        ("domain", br#""push.example.com""#),
        ("app", br#""live""#),
        ("stream", br#""room""#),
        ("publish_timestamp", br#""1587954134""#),
        ("event", br#""PUBLISH""#),
    ];
    members.retain(|(name, _)| *name != member);
    if !value.is_empty() {
        members.push((member, value));
    }
    let body: Vec<Vec<u8>> =
        members.iter().map(|(name, value)| [format!("\"{name}\":").as_bytes(), value].concat()).collect();
    parse(&[b"{", body.join(&b',').as_slice(), b"}"].concat()).map_err(|error| error.problem)
}

#[test]
fn timestamps_are_read_from_strings_and_integers_alike() {
    for value in ["1587954134", r#""1587954134""#] {
        assert_eq!(with("publish_timestamp", value).map(|n| n.publish_timestamp), Ok(1_587_954_134));
        assert_eq!(with("auth_timestamp", value).map(|n| n.auth_timestamp), Ok(Some(1_587_954_134)));
    }
}

#[test]
fn timestamp_text_has_one_spelling_and_a_number_is_what_it_is_worth() {
    for value in
        ["01587954134", "+1587954134", " 1587954134", "1587954134 ", "1.5e9", "-1", "", "0x5ea6", "1587954134.0"]
    {
        assert!(with("publish_timestamp", &format!("\"{value}\"")).is_err(), "{value:?}");
    }
    for value in
        ["1587954134.5", "1.5879541345e9", "-1", "-0", "1e-9", "true", "[1587954134]", "null", "1e99", "1e99999999999"]
    {
        assert!(with("publish_timestamp", value).is_err(), "{value}");
    }
    for (value, seconds) in [
        ("1587954134.0", 1_587_954_134),
        ("1.587954134E9", 1_587_954_134),
        ("15879541340e-1", 1_587_954_134),
        ("1.79E+9", 1_790_000_000),
        ("0.0", 0),
        ("0e7", 0),
    ] {
        assert_eq!(with("publish_timestamp", value).map(|n| n.publish_timestamp), Ok(seconds), "{value}");
        assert_eq!(with("auth_timestamp", value).map(|n| n.auth_timestamp), Ok(Some(seconds)), "{value}");
    }
}

#[test]
fn a_time_in_milliseconds_is_named() {
    for value in ["1587954134000", r#""1587954134000""#, "1.587954134e12"] {
        assert_eq!(with("publish_timestamp", value).err(), Some(ParseError::Milliseconds("publish_timestamp")));
    }
    assert!(matches!(with("publish_timestamp", "15879541340000"), Err(ParseError::Malformed { .. })));
}

#[test]
fn empty_signature_members_are_absent() {
    for member in ["auth_timestamp", "auth_sign"] {
        let parsed = with(member, r#""""#).expect("well-formed");
        assert_eq!((parsed.auth_timestamp, parsed.auth_sign), (None, None));
    }
    assert_eq!(with("auth_sign", "[1]").map(|n| n.auth_sign), Ok(Some("1".to_owned())));
}

#[test]
fn every_member_of_a_key_is_required_and_bounded() {
    for member in ["domain", "app", "stream", "event", "publish_timestamp"] {
        assert_eq!(with(member, "").err(), Some(ParseError::Missing(member)));
        assert!(with(member, "{}").is_err());
    }
    for (member, most) in [("domain", 255), ("app", 255), ("stream", 512), ("event", 64)] {
        assert!(with(member, &format!("\"{}\"", "a".repeat(most))).is_ok());
        assert!(with(member, &format!("\"{}\"", "a".repeat(most + 1))).is_err());
        assert!(with(member, r#""""#).is_err());
    }
    assert!(with("stream", &format!("\"{}\"", "字".repeat(512))).is_ok());
}

#[test]
fn a_repeated_member_is_rejected_and_one_within_an_unsigned_member_is_not() {
    assert!(parse(br#"{"domain":"a","domain":"a"}"#).is_err());
    assert!(parse(br#"{"domain":"a","d\u006fmain":"a"}"#).is_err());
    let parsed = with("more", r#"{"a":1,"b":[{"c":1,"c":2}]}"#).expect("well-formed");
    assert_eq!(Value::Object(parsed.extra), serde_json::json!({ "more": { "a": 1, "b": [{ "c": 2 }] } }));
    assert_eq!(parsed.altered, [AlteredMember::Undocumented]);
    assert_eq!(with("more", r#"{"a":1,"b":[{"c":1},{"c":1}]}"#).map(|n| n.altered), Ok(vec![]));
}

#[test]
fn control_characters_are_rejected_in_what_is_signed_and_escaped_elsewhere() {
    for (escape, kept) in [("\\u0000", "\\u{0}"), ("\\n", "\\n"), ("\\u007f", "\\u{7f}"), ("\\u0085", "\\u{85}")] {
        assert!(with("stream", &format!("\"a{escape}\"")).is_err(), "{escape}");
        let parsed = with("user_args", &format!("\"a{escape}\"")).expect("well-formed");
        assert_eq!((parsed.user_args, parsed.altered), (Some(format!("a{kept}")), vec![AlteredMember::UserArgs]));
        let parsed = with("more", &format!("[{{\"a{escape}\":1}}]")).expect("well-formed");
        assert_eq!(parsed.extra["more"][0][format!("a{kept}")], 1);
    }
}

#[test]
fn an_unsigned_member_of_any_shape_is_kept_as_far_as_it_can_be_read() {
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for (value, kept) in [
        (r#""a=1&b=2""#, Some("a=1&b=2")),
        ("[]", None),
        ("{}", None),
        ("7", Some("7")),
        ("false", Some("false")),
        (r#"["a=1",["b=2"]]"#, Some("a=1&b=2")),
        (r#"{"a":1,"b":{"c":"d"}}"#, Some("a=1&b=c=d")),
        ("1e999", None),
        (&deep, None),
    ] {
        let parsed = with("user_args", value).expect("well-formed");
        assert_eq!(parsed.user_args.as_deref(), kept, "{value}");
        assert_eq!(parsed.altered.is_empty(), value.starts_with('"'), "{value}");
        assert!(with("more", value).is_ok());
    }
    assert_eq!(with("client_ip", r#"["203.0.113.7"]"#).map(|n| n.client_ip), Ok(Some("203.0.113.7".to_owned())));
    assert_eq!(with("client_ip", r#""""#).map(|n| (n.client_ip, n.altered)), Ok((None, vec![])));
    let long = with("node_ip", &format!("\"{}\"", "é".repeat(200))).expect("well-formed");
    assert_eq!(long.node_ip, Some(format!("{}…", "é".repeat(127))));
    assert_eq!(long.altered, [AlteredMember::NodeIp]);
}

#[test]
fn bytes_that_json_does_not_allow_cost_no_push_unless_something_signed_holds_them() {
    for (bytes, kept) in [
        (&b"\"a=\xb9\xe3&b=2\""[..], "a=\u{fffd}\u{fffd}&b=2"),
        (b"\"a=1\tb\"", "a=1\\tb"),
        (b"\"a=\x00\x1f\"", "a=\\u{0}\\u{1f}"),
        (b"\"a=\\x41\\'\"", "a=\u{fffd}x41\u{fffd}'"),
        (b"\"a=\\ud800&b=\\ud83d\\ude00&c=\\u00e9\"", "a=\u{fffd}&b=😀&c=é"),
    ] {
        let parsed = with_bytes("user_args", bytes).expect("well-formed");
        assert_eq!(parsed.user_args.as_deref(), Some(kept));
        assert_eq!(parsed.altered, [AlteredMember::UserArgs]);
        assert!(with_bytes("stream", bytes).is_err());
    }
    // U+FFFD is allowed in a name if nothing was replaced.
    assert!(with("stream", "\"a\u{fffd}\"").is_ok());
}

#[test]
fn a_byte_order_mark_and_a_final_nul_are_skipped() {
    let body = br#"{"domain":"a","app":"b","stream":"c","event":"PUBLISH","publish_timestamp":1}"#;
    let parsed = parse(body).expect("well-formed");
    for odd in [[b"\xef\xbb\xbf", &body[..]].concat(), [&body[..], b"\0"].concat()] {
        assert!(parse(&odd).is_ok_and(|other| other == parsed));
    }
}

#[test]
fn what_is_not_known_is_kept_up_to_a_bound() {
    let parsed = with("quality", r#"{"fps":25}"#).expect("well-formed");
    assert_eq!(serde_json::to_string(&parsed.extra).expect("json"), r#"{"quality":{"fps":25}}"#);
    assert_eq!(with("event", r#""PUBLISHED""#).map(|n| n.event), Ok(Event::Other("PUBLISHED".into())));
    let kept = with("more", &format!("\"{}\"", "x".repeat(8_000))).expect("well-formed");
    assert!(kept.extra.contains_key("more") && kept.altered.is_empty());
    let dropped = with("more", &format!("\"{}\"", "x".repeat(8_192))).expect("well-formed");
    assert_eq!((dropped.extra.len(), dropped.altered), (0, vec![AlteredMember::Undocumented]));
}

#[test]
fn the_domain_is_named_as_far_as_the_body_can_be_read() {
    for (body, domain) in [
        (r#"{"domain":"a","app":1}"#, Some("a")),
        (r#"{"domain":"a","app":"b""#, Some("a")),
        (r#"{"app":"b","domain":"a","domain":"a"}"#, Some("a")),
        (r#"{"publish_domain":"a","event_type":"RECORD_START"}"#, Some("a")),
        (r#"{"app":"b","domain":["#, None),
        (r#"{"domain":"a\u0000"}"#, None),
        (r#"["domain"]"#, None),
    ] {
        let error = parse(body.as_bytes()).err().expect("not a notification");
        assert_eq!(error.claimed_domain.as_deref(), domain, "{body}");
    }
    let recording = br#"{"publish_domain":"a","event_type":"RECORD_START","app":"b","stream":"c"}"#;
    assert_eq!(parse(recording).err().map(|error| error.problem), Some(ParseError::OtherCallback));
}

#[test]
fn errors_never_quote_the_message() {
    let body = br#"{"auth_sign":"s3cret","user_args":["s3cret"],"domain":"a","app":"b","stream":["s3cret"],"event":"PUBLISH"}"#;
    let error = parse(body).err().expect("a list is no name");
    assert!(!error.problem.to_string().contains("s3cret"));
}
