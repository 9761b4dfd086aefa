//! When a failed delivery is attempted again. Pure: the caller passes the number of attempts and a random number.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::webhook::WebhookKind;

/// Pauses after the first, second, … failed attempt of an event while other events of its endpoint succeed: 75 hours.
const EVENT_PAUSES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];

/// The same for a relayed callback. Receivers check how old it is, so the first attempts follow soon.
const RELAY_PAUSES: [TimeDelta; 13] = [
    TimeDelta::seconds(1),
    TimeDelta::seconds(5),
    TimeDelta::seconds(30),
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::hours(1),
    TimeDelta::hours(6),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
];

/// Pauses between the probes of an endpoint that is down; the last one repeats.
const PROBE_PAUSES: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
];

/// A pause is longer or shorter by up to this part, so that failed deliveries do not come back together.
const JITTER: f64 = 0.2;

/// The longest `Retry-After` that is followed.
const MAX_RETRY_AFTER: TimeDelta = TimeDelta::hours(1);

/// The pause after `attempts` failed attempts; `None` when there are no more. `random` is between 0 and 1. The receiver
/// may ask for a longer pause (`retry_after`).
pub fn pause_after(
    kind: WebhookKind,
    attempts: usize,
    retry_after: Option<TimeDelta>,
    random: f64,
) -> Option<TimeDelta> {
    let pauses: &[TimeDelta] = match kind {
        WebhookKind::Events => &EVENT_PAUSES,
        WebhookKind::Relay => &RELAY_PAUSES,
    };
    let pause = spread(*pauses.get(attempts.checked_sub(1)?)?, random);
    Some(retry_after.map_or(pause, |asked| pause.max(asked.min(MAX_RETRY_AFTER))))
}

/// The pause after `probes` failed probes of an endpoint that is down.
pub fn probe_pause(probes: usize, random: f64) -> Duration {
    let last = PROBE_PAUSES.len() - 1;
    let pause = PROBE_PAUSES.get(probes.saturating_sub(1).min(last)).copied().unwrap_or(Duration::from_mins(5));
    pause.mul_f64(1.0 + JITTER * (2.0 * random - 1.0))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "days in milliseconds are far below 2^52"
)]
fn spread(pause: TimeDelta, random: f64) -> TimeDelta {
    let factor = 1.0 + JITTER * (2.0 * random - 1.0);
    TimeDelta::milliseconds((pause.num_milliseconds() as f64 * factor) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_is_attempted_for_three_days_and_a_callback_as_long() {
        for (kind, attempts) in [(WebhookKind::Events, 10), (WebhookKind::Relay, 14)] {
            let pauses = (1..attempts).map(|attempt| pause_after(kind, attempt, None, 0.5).unwrap());
            let hours = pauses.sum::<TimeDelta>().num_hours();
            assert!((67..=76).contains(&hours), "{kind:?}: {hours}");
            assert_eq!(pause_after(kind, attempts, None, 0.5), None);
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_what_the_receiver_asks_for_within_an_hour(
            attempts in 1..10_usize, asked in 0..1_000_000_i64, random in 0.0..1.0,
        ) {
            let asked = TimeDelta::seconds(asked);
            let own = pause_after(WebhookKind::Events, attempts, None, random).unwrap();
            let pause = pause_after(WebhookKind::Events, attempts, Some(asked), random).unwrap();
            prop_assert!(pause >= own && pause <= own.max(TimeDelta::hours(1)));
            prop_assert!(pause >= asked.min(TimeDelta::hours(1)));
        }

        #[test]
        fn probes_are_at_most_six_minutes_apart(probes: usize, random in 0.0..1.0) {
            prop_assert!(probe_pause(probes, random) <= Duration::from_mins(6));
        }
    }
}
