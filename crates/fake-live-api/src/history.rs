//! `GET /v2/{project}/stats/history/streams`: pushes that are over.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::{
    dice::seconds_within,
    lists::{Context, Page, add_rows, format_time},
    message::Request,
    respond::Rejection,
    settings::UnknownDomain,
    world::{Push, PushSource},
};

/// The longest window of a request.
const MAX_SPAN: TimeDelta = TimeDelta::days(1);

/// How long the provider keeps the history.
const MAX_AGE: TimeDelta = TimeDelta::days(7);

const MAX_DOMAINS: usize = 100;

/// The period that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Window {
    fn of(request: &Request, now: DateTime<Utc>) -> Result<Self, Rejection> {
        let time = |name| {
            let parsed = request.parameter(name).map(|text| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%SZ"));
            parsed.transpose().map_err(|_| Rejection::invalid(name)).map(|time| time.map(|time| time.and_utc()))
        };
        let (start, end) = match (time("start_time")?, time("end_time")?) {
            (Some(start), Some(end)) => (start, end),
            (Some(start), None) => (start, start + MAX_SPAN),
            (None, end) => {
                let end = end.unwrap_or(now);
                (end - MAX_SPAN, end)
            }
        };
        if end <= start || end - start > MAX_SPAN {
            return Err(Rejection::invalid("end_time"));
        }
        if start < now - MAX_AGE {
            return Err(Rejection::invalid("start_time"));
        }
        Ok(Self { start, end })
    }
}

/// # Errors
///
/// The request is invalid or a domain is unknown.
pub(crate) fn list(context: &Context<'_>, request: &Request) -> Result<Value, Rejection> {
    let domains: Vec<String> =
        request.parameters("domain").flat_map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>()).collect();
    if domains.is_empty() || domains.len() > MAX_DOMAINS || domains.iter().any(String::is_empty) {
        return Err(Rejection::invalid("domain"));
    }
    let window = Window::of(request, context.now)?;
    let Page { offset, limit } = Page::of(request)?;
    let is_known = |domain: &String| context.world.knows(domain);
    if !domains.iter().all(is_known) && context.settings.unknown_domain == UnknownDomain::NotFound {
        return Err(Rejection::unknown_domain());
    }
    let [app, stream] = ["app", "stream"].map(|name| request.parameter(name));
    let is_asked_for = |push: &&Push| {
        domains.contains(&push.domain)
            && is_known(&push.domain)
            && app.as_ref().is_none_or(|app| *app == push.app)
            && stream.as_ref().is_none_or(|stream| *stream == push.stream)
            && context.is_of_listed_kind(push)
    };
    let mut pushes: Vec<&Push> = context.world.pushes().map(|(_, push)| push).filter(is_asked_for).collect();
    context.sort(&mut pushes);
    let rows: Vec<Value> = pushes.iter().filter_map(|push| row(context, window, push)).collect();
    let mut body = Map::new();
    body.insert("total".to_owned(), rows.len().into());
    let rows = rows.into_iter().skip(offset.saturating_mul(limit)).take(limit).collect();
    add_rows(&mut body, "history_stream_list", rows, context.settings.empty_list);
    Ok(Value::Object(body))
}

/// `None` if the push is not over, is not in the history yet, or is outside of the window.
fn row(context: &Context<'_>, window: Window, push: &Push) -> Option<Value> {
    let Context { settings, dice, now, .. } = *context;
    let delay = seconds_within(&mut dice.ask_about(push, "history", 0), &settings.history_delay_seconds);
    let ended_at = push.ended_at.filter(|ended_at| *ended_at + delay <= now)?;
    if ended_at < window.start || push.started_at >= window.end {
        return None;
    }
    let mut differences = dice.ask_about(push, "history_times", 0);
    let mut differ = |time| time + seconds_within(&mut differences, &settings.history_difference_seconds);
    let [mut start, mut end] = [differ(push.started_at), differ(ended_at)];
    if settings.history_is_clipped {
        start = start.max(window.start);
        end = end.min(window.end);
    }
    let source = match push.source {
        PushSource::Encoder => 0,
        PushSource::ThirdParty => 1,
    };
    Some(json!({
        "domain": push.domain,
        "app": push.app,
        "stream": push.stream,
        "type": source,
        "video_codec": "H264",
        "audio_codec": "AAC",
        "client_ip": push.client_ip,
        "start_time": format_time(start),
        "end_time": format_time(end.max(start)),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        FakeApi, Settings,
        settings::{EmptyList, Order},
        testing::{DOMAIN, PROJECT, at, fake, get, history_target},
    };

    const HOUR: i64 = 3_600;

    fn window(start: i64, end: i64) -> String {
        format!("&limit=100&start_time={}&end_time={}", format_time(at(start)), format_time(at(end)))
    }

    /// Stream, start and end of each row, in seconds.
    fn rows(api: &mut FakeApi, query: &str, now: i64) -> Vec<(String, i64, i64)> {
        let body = get(api, &history_target(query), at(now)).json().unwrap();
        let seconds = |row: &Value, name: &str| {
            let time: DateTime<Utc> = row[name].as_str().unwrap().parse().unwrap();
            (time - at(0)).num_seconds()
        };
        let list = body["history_stream_list"].as_array().unwrap();
        let row = |row: &Value| {
            (row["stream"].as_str().unwrap().to_owned(), seconds(row, "start_time"), seconds(row, "end_time"))
        };
        list.iter().map(row).collect()
    }

    fn push(stream: &str, start: i64, end: i64) -> Push {
        Push::new(DOMAIN, "live", stream, at(start)).ending(at(end))
    }

    #[test]
    fn only_ended_pushes_of_the_window_are_listed_after_the_delay() {
        let mut api = fake(Settings { history_delay_seconds: 600..=600, ..Settings::default() });
        api.world.add_push(push("ended", 100, 160));
        api.world.add_push(push("later", 100, 9_000));
        api.world.add_push(Push::new(DOMAIN, "live", "live", at(100)));
        assert_eq!(rows(&mut api, &window(0, HOUR), 759), []);
        assert_eq!(rows(&mut api, &window(0, HOUR), 760), [("ended".to_owned(), 100, 160)]);
        assert_eq!(rows(&mut api, &window(200, HOUR), HOUR), []);
        assert_eq!(rows(&mut api, &window(0, 100), HOUR), []);
    }

    #[test]
    fn times_are_clipped_to_the_window_if_set() {
        let whole = ("room1".to_owned(), -HOUR, 2 * HOUR);
        for (is_clipped, expected) in [(true, ("room1".to_owned(), 0, HOUR)), (false, whole)] {
            let mut api = fake(Settings { history_is_clipped: is_clipped, ..Settings::default() });
            api.world.add_push(push("room1", -HOUR, 2 * HOUR));
            assert_eq!(rows(&mut api, &window(0, HOUR), 3 * HOUR), [expected]);
        }
    }

    #[test]
    fn windows_are_of_one_day_at_most_and_begin_seven_days_ago_at_most() {
        let mut api = fake(Settings::default());
        api.world.add_domain(DOMAIN);
        let day = 24 * HOUR;
        let mut status = |query: &str| get(&mut api, &history_target(query), at(0)).status;
        assert_eq!(status(""), 200);
        assert_eq!(status(&window(-day, 0)), 200);
        assert_eq!(status(&window(-day - 1, 0)), 400);
        assert_eq!(status(&window(-7 * day, -6 * day)), 200);
        assert_eq!(status(&window(-7 * day - 1, -6 * day - 1)), 400);
        assert_eq!(status(&window(0, 0)), 400);
        assert_eq!(status("&start_time=2026-11-27"), 400);
        assert_eq!(status("&limit=101"), 400);
    }

    #[test]
    fn the_default_window_is_the_last_day() {
        let mut api = fake(Settings::default());
        api.world.add_push(push("room1", -30 * HOUR, -HOUR));
        assert_eq!(rows(&mut api, "", 0), [("room1".to_owned(), -24 * HOUR, -HOUR)]);
    }

    #[test]
    fn offsets_count_pages() {
        let mut api = fake(Settings::default());
        for number in 0..25 {
            api.world.add_push(push(&format!("room{number:02}"), number, number + 1));
        }
        for (offset, expected) in [(0, 10), (1, 10), (2, 5), (3, 0)] {
            let body = get(&mut api, &history_target(&format!("&offset={offset}")), at(HOUR)).json().unwrap();
            let list = body["history_stream_list"].as_array().unwrap();
            assert_eq!((&body["total"], list.len()), (&json!(25), expected));
            assert!(list.is_empty() || list[0]["stream"] == format!("room{offset}0"));
        }
    }

    #[test]
    fn several_domains_third_parties_and_names_are_distinguished() {
        let settings = Settings { order: Order::ByStart, empty_list: EmptyList::Absent, ..Settings::default() };
        let mut api = fake(settings);
        api.world.add_push(push("room1", 0, 1));
        let third = Push { source: PushSource::ThirdParty, domain: "b.example.com".to_owned(), ..push("room2", 1, 2) };
        api.world.add_push(third);
        for query in [format!("domain={DOMAIN},b.example.com"), format!("domain={DOMAIN}&domain=b.example.com")] {
            let body = get(&mut api, &format!("/v2/{PROJECT}/stats/history/streams?{query}"), at(HOUR)).json().unwrap();
            let types: Vec<_> =
                body["history_stream_list"].as_array().unwrap().iter().map(|row| &row["type"]).collect();
            assert_eq!(types, [1, 0]);
        }
        assert_eq!(rows(&mut api, "&stream=room1&app=live", HOUR).len(), 1);
        let none = get(&mut api, &history_target("&stream=room2"), at(HOUR)).json().unwrap();
        assert_eq!(none, json!({"total": 0}));
        assert_eq!(get(&mut api, &history_target(",unknown.example.com"), at(HOUR)).status, 404);
        assert_eq!(get(&mut api, &format!("/v2/{PROJECT}/stats/history/streams"), at(HOUR)).status, 400);
    }
}
