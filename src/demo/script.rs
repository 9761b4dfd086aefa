//! What the simulation does not bring about: callbacks that are quarantined or rejected, anomalies of sessions, and
//! operators' actions. Times are seconds before the demo's first start.

use super::demo_streams::{EVENTS, UNKNOWN, WRONG_KEY, ZHIBO};
use super::provider::DemoCallback;
use crate::session::{SessionKey, StreamKey};
use crate::simulation::push_lifecycle::What;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A callback at a fixed time before the demo's first start.
#[derive(Clone, Copy)]
pub struct ScriptedCallback {
    domain: &'static str,
    app: &'static str,
    pub stream: &'static str,
    what: What,
    arrives: i64,
    starts: i64,
    signed: i64,
    client: u8,
}

/// The start of a push. Its callback is sent at once.
const fn start(at: i64, stream: &'static str) -> ScriptedCallback {
    let what = What::Start;
    ScriptedCallback { domain: EVENTS, app: "live", stream, what, arrives: at, starts: at, signed: at, client: 7 }
}

/// The end of a push.
const fn end(at: i64, of: ScriptedCallback) -> ScriptedCallback {
    ScriptedCallback { what: What::End, arrives: at, signed: at, ..of }
}

const fn of(domain: &'static str, app: &'static str, callback: ScriptedCallback) -> ScriptedCallback {
    ScriptedCallback { domain, app, ..callback }
}

/// Its end was lost, and an operator sets it.
const REHEARSAL: ScriptedCallback = start(30 * HOUR, "rehearsal");
const EVENING_CLASS: ScriptedCallback = of(ZHIBO, "ketang", start(2 * DAY, "考研英语-冲刺班"));

/// Its end arrived too late, and an operator releases it.
const CHARITY_RUN: ScriptedCallback = start(26 * HOUR, "charity-run");

const STAGE: ScriptedCallback = start(3 * HOUR, "stage-left");
const PANEL: ScriptedCallback = start(5 * HOUR, "panel");
const PANEL_TWIN: ScriptedCallback = ScriptedCallback { arrives: 5 * HOUR - 1, starts: 5 * HOUR - 1, ..PANEL };
const ZHAO: ScriptedCallback = of(ZHIBO, "live", start(4 * HOUR, "赵六的直播间-上海"));
const AUCTION_HALL: ScriptedCallback = start(7 * HOUR, "auction-hall");
const FAST_CLOCK: ScriptedCallback = ScriptedCallback { starts: 9 * HOUR - 20, ..start(9 * HOUR, "fast-clock") };

const SCRIPT: [ScriptedCallback; 32] = [
    // Live for days; and a push without an end that times out.
    start(6 * DAY, "lobby-camera"),
    start(45 * DAY, "trade-fair"),
    REHEARSAL,
    EVENING_CLASS,
    // The start was lost.
    end(5 * HOUR, start(6 * HOUR, "press-briefing")),
    // Two encoders start in the same second.
    STAGE,
    ScriptedCallback { client: 9, ..STAGE },
    end(HOUR, STAGE),
    // Two pushes share a signature.
    PANEL,
    PANEL_TWIN,
    end(4 * HOUR, PANEL),
    end(4 * HOUR - 2, PANEL_TWIN),
    // The provider's clock is ahead: the end is noticed before the start.
    FAST_CLOCK,
    end(9 * HOUR - 10, FAST_CLOCK),
    // Quarantined: the signature expired.
    CHARITY_RUN,
    ScriptedCallback { signed: 25 * HOUR, ..end(22 * HOUR, CHARITY_RUN) },
    ZHAO,
    ScriptedCallback { signed: 2 * HOUR, ..end(40 * MINUTE, ZHAO) },
    ScriptedCallback { signed: 3 * HOUR, starts: 3 * HOUR, ..start(50 * MINUTE, "open-air-cinema") },
    // Quarantined: the push started long before it was signed.
    ScriptedCallback { starts: 32 * HOUR, ..start(2 * HOUR, "poetry-slam") },
    // Quarantined: the push started after the signature had expired.
    ScriptedCallback { starts: 80 * MINUTE, ..end(85 * MINUTE, start(85 * MINUTE, "book-fair")) },
    // Quarantined: a signature is used again, for another stream and for another push.
    start(6 * HOUR, "2-gala"),
    end(5 * HOUR, start(6 * HOUR, "2-gala")),
    of(EVENTS, "live2", ScriptedCallback { arrives: 6 * HOUR - 30, ..start(6 * HOUR, "-gala") }),
    AUCTION_HALL,
    end(6 * HOUR, AUCTION_HALL),
    ScriptedCallback { arrives: 6 * HOUR - 5 * MINUTE, starts: 8 * HOUR, ..end(6 * HOUR, AUCTION_HALL) },
    // Quarantined: nothing is known of the push.
    end(70 * MINUTE, start(40 * DAY, "winter-market")),
    // Rejected.
    of(WRONG_KEY, "live", start(25 * MINUTE, "first-test")),
    of(WRONG_KEY, "live", start(24 * MINUTE, "first-test")),
    of(UNKNOWN, "live", start(3 * HOUR, "city-council")),
    of(UNKNOWN, "live", end(2 * HOUR, start(3 * HOUR, "city-council"))),
];

/// An end that an operator sets.
pub struct ScriptedEnd {
    pub of: ScriptedCallback,
    pub lasted_seconds: i64,
    pub reason: &'static str,
}

pub const OPERATOR_ENDS: [ScriptedEnd; 2] = [
    ScriptedEnd {
        of: REHEARSAL,
        lasted_seconds: 2 * HOUR + 15 * MINUTE,
        reason: "The encoder lost power; the customer confirmed the end by phone.",
    },
    ScriptedEnd {
        of: EVENING_CLASS,
        lasted_seconds: 90 * MINUTE,
        reason: "老师确认课程已按时结束，编码器断网未上报。",
    },
];

/// The stream whose quarantined callbacks an operator releases, and why.
pub const RELEASE: (ScriptedCallback, &str) =
    (CHARITY_RUN, "Delayed by an outage of the provider; the recording confirms the end.");

impl ScriptedCallback {
    /// The callback of a demo that first started at `set_up_at` (Unix milliseconds).
    fn to_callback(self, set_up_at: i64) -> DemoCallback {
        DemoCallback {
            sent_at: set_up_at - self.arrives * 1_000,
            signed_at: set_up_at - self.signed * 1_000,
            domain: self.domain,
            app: self.app,
            stream: self.stream.to_owned(),
            what: self.what,
            publish_timestamp: set_up_at.div_euclid(1_000) - self.starts,
            client: self.client,
        }
    }

    /// Its session.
    pub fn session(self, set_up_at: i64) -> SessionKey {
        let DemoCallback { domain, app, stream, publish_timestamp, .. } = self.to_callback(set_up_at);
        SessionKey { stream: StreamKey { domain: domain.to_owned(), app: app.to_owned(), stream }, publish_timestamp }
    }
}

pub fn callbacks(set_up_at: i64) -> impl Iterator<Item = DemoCallback> {
    SCRIPT.into_iter().map(move |scripted| scripted.to_callback(set_up_at))
}
