//! The domains and streams of the demo.

use chrono::TimeDelta;

use super::provider::DemoCallback;
use crate::simulation::duration_profile::Habits;
use crate::simulation::push_lifecycle::{StreamGroup, Telling};

const CITY: &str = "push.demo.example";
pub const ZHIBO: &str = "push.zhibo.example";
const STUDIO: &str = "push.studio.example";
pub const EVENTS: &str = "push.events.example";

/// A domain that is registered with another key than the provider has.
pub const WRONG_KEY: &str = "push.next.example";

/// A domain that is not registered: a dot was mistyped.
pub const UNKNOWN: &str = "push-demo.example";

pub struct DemoDomain {
    pub name: &'static str,
    /// Accepted apps; all if empty.
    pub apps: &'static [&'static str],
    pub templates: &'static [&'static str],
}

pub const DOMAINS: [DemoDomain; 5] = [
    DemoDomain { name: CITY, apps: &["live", "sport"], templates: &[] },
    DemoDomain { name: ZHIBO, apps: &["live", "ketang"], templates: &[] },
    DemoDomain { name: STUDIO, apps: &["studio"], templates: &["lud", "lhd"] },
    DemoDomain { name: EVENTS, apps: &[], templates: &[] },
    DemoDomain { name: WRONG_KEY, apps: &["live"], templates: &[] },
];

/// Streams that behave alike.
pub struct DemoStreamProfile {
    domain: &'static str,
    app: &'static str,
    streams: &'static [&'static str],
    /// The templates of renditions that are reported with each stream.
    renditions: &'static [&'static str],
    habits: Habits,
    /// How many hours before the demo's first start they begin; `None`: with the history. It bounds the number of
    /// callbacks of busy streams.
    hours: Option<i64>,
}

const PROFILES: [DemoStreamProfile; 9] = [
    DemoStreamProfile {
        domain: CITY,
        app: "live",
        streams: &[
            "city-council",
            "concert-hall",
            "keynote",
            "lecture-101",
            "lecture-207",
            "newsroom",
            "parliament",
            "town-square",
        ],
        renditions: &[],
        habits: Habits { median_seconds: 6_000.0, spread: 1.3, break_seconds: 16_000.0 },
        hours: None,
    },
    DemoStreamProfile {
        domain: CITY,
        app: "live",
        streams: &["harbor-camera", "library", "museum", "planetarium"],
        renditions: &[],
        habits: Habits { median_seconds: 28_000.0, spread: 0.9, break_seconds: 4_000.0 },
        hours: None,
    },
    DemoStreamProfile {
        domain: CITY,
        app: "sport",
        streams: &["pitch-1", "pitch-2", "pitch-3", "pool", "rink", "velodrome"],
        renditions: &[],
        habits: Habits { median_seconds: 5_400.0, spread: 0.4, break_seconds: 30_000.0 },
        hours: None,
    },
    DemoStreamProfile {
        domain: ZHIBO,
        app: "live",
        streams: &["张三的直播间-深圳", "李四的直播间-广州", "王五聊财经", "美食探店-成都", "山里的日子", "晚间新闻"],
        renditions: &[],
        habits: Habits { median_seconds: 14_000.0, spread: 0.5, break_seconds: 16_000.0 },
        hours: None,
    },
    DemoStreamProfile {
        domain: ZHIBO,
        app: "ketang",
        streams: &["高一数学-第三讲", "英语口语-陈老师", "少儿编程入门", "书法课堂"],
        renditions: &[],
        habits: Habits { median_seconds: 2_700.0, spread: 0.3, break_seconds: 40_000.0 },
        hours: None,
    },
    DemoStreamProfile {
        domain: STUDIO,
        app: "studio",
        streams: &["main-stage", "green-room", "interview"],
        renditions: &["lud", "lhd"],
        habits: Habits { median_seconds: 14_000.0, spread: 0.5, break_seconds: 16_000.0 },
        hours: None,
    },
    DemoStreamProfile {
        domain: EVENTS,
        app: "live",
        streams: &["auction", "match-point", "quiz", "request-show", "snooker", "speed-dating"],
        renditions: &[],
        habits: Habits { median_seconds: 150.0, spread: 0.6, break_seconds: 420.0 },
        hours: Some(36),
    },
    DemoStreamProfile {
        domain: ZHIBO,
        app: "live",
        streams: &["秒杀专场", "抽奖直播"],
        renditions: &[],
        habits: Habits { median_seconds: 240.0, spread: 0.5, break_seconds: 360.0 },
        hours: Some(36),
    },
    // Its network fails every few minutes.
    DemoStreamProfile {
        domain: EVENTS,
        app: "live",
        streams: &["backpack-camera"],
        renditions: &[],
        habits: Habits { median_seconds: 80.0, spread: 1.0, break_seconds: 30.0 },
        hours: Some(12),
    },
];

/// The simulated streams, of a history that begins at `from`, for a demo that first started at `set_up_at` (Unix
/// milliseconds).
pub fn groups(from: i64, set_up_at: i64) -> Vec<StreamGroup> {
    let group = |profile: &DemoStreamProfile| StreamGroup {
        streams: u32::try_from(profile.streams.len()).unwrap_or_default(),
        habits: profile.habits,
        from: profile.hours.map_or(from, |hours| set_up_at - TimeDelta::hours(hours).num_milliseconds()),
    };
    PROFILES.iter().map(group).collect()
}

/// The callbacks that tell of an event: one of the stream, and one of each rendition.
pub fn callbacks_of(telling: Telling) -> impl Iterator<Item = DemoCallback> {
    let mut all = PROFILES.iter().flat_map(|profile| profile.streams.iter().map(move |name| (profile, *name)));
    let named = all.nth(usize::try_from(telling.stream).unwrap_or_default());
    named.into_iter().flat_map(move |(profile, name)| {
        let renditions = profile.renditions.iter().map(move |template| format!("{name}_{template}"));
        std::iter::once(name.to_owned()).chain(renditions).map(move |stream| DemoCallback {
            sent_at: telling.sent_at,
            signed_at: telling.happened_at,
            domain: profile.domain,
            app: profile.app,
            stream,
            what: telling.what,
            publish_timestamp: telling.publish_timestamp,
            client: u8::try_from(telling.stream % 250 + 1).unwrap_or_default(),
        })
    })
}
