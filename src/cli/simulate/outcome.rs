//! The results of a load test.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use console::{Alignment, measure_text_width, pad_str};
use hdrhistogram::Histogram;
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::supply::Prepared;
use super::verify::Verified;
use crate::simulation::push_lifecycle::What;

/// Which callbacks of a session were answered 200.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acknowledged {
    pub start: bool,
    pub end: bool,
}

/// Upper limit of recorded times, in microseconds.
const LONGEST: u64 = 3_600_000_000;

/// Times in microseconds, with three significant digits.
pub struct Times(RefCell<Histogram<u32>>);

impl Default for Times {
    fn default() -> Self {
        Self(RefCell::new(Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are possible"))))
    }
}

impl Times {
    pub fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(LONGEST);
        let _ = self.0.borrow_mut().record(micros);
    }

    /// p50, p90, p99, p99.9 and the maximum, in milliseconds; `None` if empty.
    pub fn quantiles(&self) -> Option<[(&'static str, f64); 5]> {
        let times = self.0.borrow();
        let at = |quantile| millis(times.value_at_quantile(quantile));
        (!times.is_empty()).then(|| {
            [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("p99.9", at(0.999)), ("max", millis(times.max()))]
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "only displayed")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[derive(Default)]
pub struct LoadReport {
    /// Number of responses by status.
    pub answered: RefCell<BTreeMap<u16, u64>>,
    /// Number of callbacks that were answered 200.
    pub acknowledged: Cell<u64>,
    /// Number of callbacks without a response.
    pub failed: Cell<u64>,
    pub elapsed: Cell<Duration>,
    pub answer_times: Times,
    /// Time from sending to visibility of the session.
    pub visible_times: Times,
    /// Callbacks that were answered 200, by session.
    pub sessions: RefCell<HashMap<Uuid, Acknowledged>>,
}

impl LoadReport {
    pub fn note(&self, prepared: &Prepared, status: StatusCode, time: Duration) {
        self.answer_times.note(time);
        *self.answered.borrow_mut().entry(status.as_u16()).or_default() += 1;
        if status == StatusCode::OK {
            self.acknowledged.set(self.acknowledged.get() + 1);
            let mut sessions = self.sessions.borrow_mut();
            let session = sessions.entry(prepared.session_id).or_default();
            match prepared.what {
                What::Start => session.start = true,
                What::End => session.end = true,
            }
        }
    }

    /// Callbacks per second that were answered 200.
    #[expect(clippy::cast_precision_loss, reason = "only displayed")]
    fn rate(&self) -> f64 {
        self.acknowledged.get() as f64 / self.elapsed.get().as_secs_f64().max(1e-9)
    }

    pub fn table(&self, verified: Option<&Verified>) -> String {
        let mut rows = vec![("answered 200 per second".to_owned(), format!("{:.0}", self.rate()))];
        for (status, count) in self.answered.borrow().iter() {
            rows.push((format!("answered {status}"), count.to_string()));
        }
        rows.push(("no response".to_owned(), self.failed.get().to_string()));
        rows.push(("seconds".to_owned(), format!("{:.2}", self.elapsed.get().as_secs_f64())));
        for (what, times) in [("answer", &self.answer_times), ("visible", &self.visible_times)] {
            for (name, millis) in times.quantiles().into_iter().flatten() {
                rows.push((format!("{what} {name}, ms"), format!("{millis:.2}")));
            }
        }
        if let Some(verified) = verified {
            rows.push(("sessions".to_owned(), verified.sessions.to_string()));
            rows.push(("answered 200, quarantined".to_owned(), verified.quarantined.to_string()));
            rows.push(("answered 200, lost".to_owned(), verified.missing.to_string()));
            rows.push(("all visible after, s".to_owned(), format!("{:.2}", verified.after.as_secs_f64())));
        }
        let width = |of: fn(&(String, String)) -> &str| rows.iter().map(|row| measure_text_width(of(row))).max();
        let (labels, numbers) = (width(|row| &row.0).unwrap_or_default(), width(|row| &row.1).unwrap_or_default());
        let line = |(label, number): &(String, String)| {
            format!(
                "{}  {}",
                pad_str(label, labels, Alignment::Left, None),
                pad_str(number, numbers, Alignment::Right, None)
            )
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub fn json(&self, verified: Option<&Verified>) -> Value {
        let times = |times: &Times| times.quantiles().map(BTreeMap::from);
        json!({
            "acknowledged": self.acknowledged.get(),
            "acknowledged_per_second": self.rate(),
            "answered": self.answered.borrow().iter().map(|(status, count)| (status.to_string(), *count)).collect::<BTreeMap<_, _>>(),
            "failed": self.failed.get(),
            "elapsed_seconds": self.elapsed.get().as_secs_f64(),
            "answer_ms": times(&self.answer_times),
            "visible_ms": times(&self.visible_times),
            "sessions": verified.map(|verified| verified.sessions),
            "quarantined": verified.map(|verified| verified.quarantined),
            "missing": verified.map(|verified| verified.missing),
            "all_visible_after_seconds": verified.map(|verified| verified.after.as_secs_f64()),
        })
    }
}
