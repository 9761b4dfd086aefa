//! `GET /v1/{project}/realtime/streams`: what is on air, with the lag of the provider.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::{
    dice::{Dice, happens, seconds_within},
    lists::{Context, Page, add_rows, format_time},
    message::Request,
    respond::Rejection,
    settings::{OutageKind, SameName, Settings, UnknownDomain},
    world::Push,
};

/// Whether the list has this push now, if nothing else hides it: a rendition that is not listed, or a newer push of its
/// name.
pub(crate) fn is_visible(push: &Push, settings: &Settings, dice: Dice, now: DateTime<Utc>) -> bool {
    let appears =
        push.started_at + seconds_within(&mut dice.ask_about(push, "appears", 0), &settings.appearing_lag_seconds);
    if now < appears {
        return false;
    }
    let disappearing = &settings.disappearing_lag_seconds;
    let is_over = |ended_at| now >= ended_at + seconds_within(&mut dice.ask_about(push, "disappears", 0), disappearing);
    if push.ended_at.is_some_and(is_over) {
        return false;
    }
    let minute = now.timestamp().div_euclid(60);
    !happens(&mut dice.ask_about(push, "flaps", minute), settings.flapping) && !is_lost(push, settings, dice, now)
}

fn is_lost(push: &Push, settings: &Settings, dice: Dice, now: DateTime<Utc>) -> bool {
    match settings.outage.as_ref().filter(|outage| outage.is_active(now)).map(|outage| &outage.kind) {
        Some(OutageKind::MissingStreams(share)) => happens(&mut dice.ask_about(push, "lost", 0), *share),
        Some(OutageKind::Failure(_)) | None => false,
    }
}

/// # Errors
///
/// The request is invalid or its domain is unknown.
pub(crate) fn list(context: &Context<'_>, request: &Request, request_id: &str) -> Result<Value, Rejection> {
    let domain = request.parameter("publish_domain").filter(|domain| !domain.is_empty());
    let domain = domain.ok_or_else(|| Rejection::invalid("publish_domain"))?;
    let [app, stream] = ["app", "stream"].map(|name| request.parameter(name));
    if stream.is_some() && app.is_none() {
        return Err(Rejection::invalid("app"));
    }
    let Page { offset, limit } = Page::of(request)?;
    if !context.world.knows(&domain) && context.settings.unknown_domain == UnknownDomain::NotFound {
        return Err(Rejection::unknown_domain());
    }
    let mut pushes = visible_pushes(context, &domain);
    pushes.retain(|push| app.as_ref().is_none_or(|app| *app == push.app));
    pushes.retain(|push| stream.as_ref().is_none_or(|stream| *stream == push.stream));
    context.sort(&mut pushes);
    let rows: Vec<Value> = pushes.iter().skip(offset).take(limit).map(|push| row(context, push)).collect();
    let mut body = Map::new();
    body.insert("total_page".to_owned(), pushes.len().div_ceil(limit).into());
    body.insert("total_num".to_owned(), pushes.len().into());
    body.insert("offset".to_owned(), offset.into());
    body.insert("limit".to_owned(), limit.into());
    body.insert("request_id".to_owned(), request_id.into());
    add_rows(&mut body, "streams", rows, context.settings.empty_list);
    Ok(Value::Object(body))
}

fn visible_pushes<'a>(context: &Context<'a>, domain: &'a str) -> Vec<&'a Push> {
    let Context { world, settings, dice, now, .. } = *context;
    if !world.knows(domain) {
        return Vec::new();
    }
    let is_listed = |push: &&Push| context.is_of_listed_kind(push) && is_visible(push, settings, dice, now);
    let mut pushes: Vec<&Push> = world.pushes_of(domain).filter(is_listed).collect();
    if settings.same_name == SameName::NewestPush {
        pushes.sort_by(|one, other| {
            (&one.app, &one.stream, other.started_at).cmp(&(&other.app, &other.stream, one.started_at))
        });
        pushes.dedup_by(|later, first| (&later.app, &later.stream) == (&first.app, &first.stream));
    }
    pushes
}

fn row(context: &Context<'_>, push: &Push) -> Value {
    let mut generator = context.dice.ask_about(push, "start_time", 0);
    let difference = seconds_within(&mut generator, &context.settings.start_difference_seconds);
    json!({
        "publish_domain": push.domain,
        "app": push.app,
        "stream": push.stream,
        "video_codec": "H264",
        "audio_codec": "AAC",
        "video_frame_rate": 25,
        "audio_frame_rate": 43,
        "video_bitrate": 1_500,
        "audio_bitrate": 128,
        "resolution": "1280x720",
        "client_ip": push.client_ip,
        "start_time": format_time(push.started_at + difference),
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        FakeApi,
        settings::{EmptyList, Order, Outage},
        testing::{DOMAIN, at, fake, get, streams_target},
    };

    fn body(api: &mut FakeApi, query: &str, now: i64) -> Value {
        let answer = get(api, &streams_target(query), at(now));
        assert_eq!(answer.status, 200, "{query}");
        answer.json().unwrap()
    }

    /// The names in the list, from all pages.
    fn names(api: &mut FakeApi, now: i64) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let body = body(api, &format!("&limit=100&offset={}", names.len()), now);
            let rows = body["streams"].as_array().unwrap();
            names.extend(rows.iter().map(|row| row["stream"].as_str().unwrap().to_owned()));
            if rows.is_empty() || names.len() >= usize::try_from(body["total_num"].as_u64().unwrap()).unwrap() {
                return names;
            }
        }
    }

    /// Pushes that begin at 0 and end at 1000.
    fn with_rooms(settings: Settings, number: usize) -> FakeApi {
        let mut api = fake(settings);
        for number in 0..number {
            api.world.add_push(Push::new(DOMAIN, "live", &format!("room{number:03}"), at(0)).ending(at(1_000)));
        }
        api
    }

    #[test]
    fn a_push_is_listed_from_4_minutes_after_its_start_until_4_minutes_after_its_end_at_most() {
        let mut api = with_rooms(Settings::default(), 100);
        let mut counts = Vec::new();
        for now in (0..1_300).step_by(10) {
            let count = names(&mut api, now).len();
            match now {
                ..120 | 1_240.. => assert_eq!(count, 0, "{now}"),
                240..1_000 => assert_eq!(count, 100, "{now}"),
                _ => counts.push(count),
            }
        }
        assert!(counts.iter().filter(|count| (1..100).contains(*count)).count() > 10, "lags differ: {counts:?}");
    }

    #[test]
    fn a_push_that_ends_before_it_appears_may_never_be_listed() {
        let settings = Settings { disappearing_lag_seconds: 0..=0, ..Settings::default() };
        let mut api = fake(settings);
        api.world.add_push(Push::new(DOMAIN, "live", "short", at(0)).ending(at(119)));
        assert!((0..600).all(|now| names(&mut api, now).is_empty()));
    }

    #[test]
    fn a_flapping_push_is_missing_for_whole_minutes() {
        let mut api = with_rooms(Settings { flapping: 0.3, ..Settings::default() }, 20);
        let minute = at(0).timestamp().rem_euclid(60);
        let mut missing = 0;
        for start in (300..900).step_by(60).map(|now| now - minute) {
            let first = names(&mut api, start);
            assert_eq!(first, names(&mut api, start + 59));
            missing += 20 - first.len();
        }
        assert!((30..90).contains(&missing), "{missing}");
    }

    #[test]
    fn offsets_count_rows() {
        let mut api = with_rooms(Settings::default(), 25);
        for (query, rows, first) in
            [("", 10, 0), ("&offset=9&limit=7", 7, 9), ("&offset=20", 5, 20), ("&offset=25", 0, 0)]
        {
            let body = body(&mut api, query, 500);
            let list = body["streams"].as_array().unwrap();
            assert_eq!((list.len(), &body["total_num"]), (rows, &json!(25)), "{query}");
            assert!(rows == 0 || list[0]["stream"] == format!("room{first:03}"), "{query}");
        }
        assert_eq!(body(&mut api, "&limit=7", 500)["total_page"], 4);
        for wrong in ["&limit=0", "&limit=101", "&offset=-1", "&stream=room1"] {
            let answer = get(&mut api, &streams_target(wrong), at(500));
            assert_eq!((answer.status, answer.json().unwrap()["error_code"].as_str()), (400, Some("LIVE.100011001")));
        }
    }

    #[test]
    fn a_single_stream_can_be_asked_for() {
        let mut api = with_rooms(Settings::default(), 3);
        let one = body(&mut api, "&app=live&stream=room001", 500);
        assert_eq!((&one["total_num"], &one["streams"][0]["stream"]), (&json!(1), &json!("room001")));
        assert_eq!(body(&mut api, "&app=other", 500)["total_num"], 0);
        assert_eq!(body(&mut api, "&app=live&stream=room9", 500)["total_num"], 0);
    }

    #[test]
    fn the_newest_push_of_a_name_has_the_row_unless_set_otherwise() {
        let mut api = with_rooms(Settings { disappearing_lag_seconds: 240..=240, ..Settings::default() }, 2);
        let again = Push::new(DOMAIN, "live", "room000", at(990));
        api.world.add_push(Push { started_at: at(990) + TimeDelta::milliseconds(700), ..again });
        let starts = |api: &mut FakeApi| {
            let body = body(api, "", 1_235);
            let rows = body["streams"].as_array().unwrap();
            rows.iter().map(|row| row["start_time"].as_str().unwrap()[11..19].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(starts(&mut api), ["03:31:30", "03:15:00"]);
        api.settings.same_name = SameName::EveryPush;
        assert_eq!(starts(&mut api), ["03:15:00", "03:31:30", "03:15:00"]);
        api.settings.order = Order::ByStart;
        api.settings.start_difference_seconds = 2..=2;
        assert_eq!(starts(&mut api), ["03:31:32", "03:15:02", "03:15:02"]);
    }

    #[test]
    fn renditions_are_listed_only_if_set() {
        let mut api = with_rooms(Settings::default(), 1);
        let rendition = Push { rendition: Some("sd".to_owned()), ..Push::new(DOMAIN, "live", "room000_sd", at(0)) };
        api.world.add_push(rendition);
        assert_eq!(names(&mut api, 500), ["room000"]);
        api.settings.lists_renditions = true;
        assert_eq!(names(&mut api, 500), ["room000", "room000_sd"]);
    }

    #[test]
    fn empty_lists_and_unknown_domains_are_answered_as_set() {
        let mut api = fake(Settings::default());
        let answer = get(&mut api, &streams_target(""), at(0));
        assert_eq!((answer.status, answer.json().unwrap()["error_code"].as_str()), (404, Some("LIVE.103011019")));
        api.settings.unknown_domain = UnknownDomain::Empty;
        for (empty, expected) in
            [(EmptyList::Array, Some(json!([]))), (EmptyList::Null, Some(Value::Null)), (EmptyList::Absent, None)]
        {
            api.settings.empty_list = empty;
            let body = body(&mut api, "", 0);
            assert_eq!((body.get("streams"), &body["total_num"]), (expected.as_ref(), &json!(0)));
        }
        api.world.add_push(Push::new(DOMAIN, "live", "room1", at(0)));
        api.world.remove_domain(DOMAIN);
        assert_eq!(body(&mut api, "", 500)["total_num"], 0);
    }

    #[test]
    fn streams_are_missing_during_an_outage_of_the_list() {
        let outage = |share| Some(Outage { from: at(500), until: at(600), kind: OutageKind::MissingStreams(share) });
        let mut api = with_rooms(Settings { outage: outage(1.0), ..Settings::default() }, 100);
        let counts = [499, 500, 599, 600].map(|now| names(&mut api, now).len());
        assert_eq!(counts, [100, 0, 0, 100]);
        api.settings.outage = outage(0.4);
        let some = names(&mut api, 500);
        assert!((20..80).contains(&some.len()), "{}", some.len());
        assert_eq!(some, names(&mut api, 599));
    }
}
