//! The pushes: when they start and end, when their callbacks arrive, and which callbacks are lost.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamtally::simulation::duration_profile::{Course, Habits};
use streamtally::simulation::push_lifecycle::What;

/// Pushes of some minutes, so that a run of less than an hour has many. Their breaks are not used.
const HABITS: Habits = Habits { median_seconds: 300.0, spread: 0.6, break_seconds: 1.0 };

/// Longer pushes are drawn again, so that a run ends.
const LONGEST_MILLIS: i64 = 12 * 60_000;

/// The shares of pushes that lose their end, and both callbacks.
const LOSE_END: f64 = 0.05;
const LOSE_BOTH: f64 = 0.02;

/// Which callbacks of a push are never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    None,
    End,
    Both,
}

/// A push as it is: what callbacks say of it may differ.
#[derive(Debug, Clone)]
pub struct PlannedPush {
    pub stream: String,
    /// At a full second.
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub loss: Loss,
}

impl PlannedPush {
    /// Between the full seconds of its start and its end.
    pub fn true_seconds(&self) -> i64 {
        self.ended_at.timestamp() - self.started_at.timestamp()
    }
}

/// A callback to send.
#[derive(Debug, Clone)]
pub struct PlannedCallback {
    pub due: DateTime<Utc>,
    pub happened_at: DateTime<Utc>,
    pub stream: String,
    pub publish_timestamp: i64,
    pub what: What,
}

/// What happens in a run.
pub struct Schedule {
    pub begin: DateTime<Utc>,
    pub pushes: Vec<PlannedPush>,
    /// In the order of sending.
    pub callbacks: Vec<PlannedCallback>,
}

impl Schedule {
    /// Pushes that start within this time after `begin`, each of a stream of its own: no later push supersedes one.
    pub fn new(seed: u64, begin: DateTime<Utc>, within: TimeDelta, number: u32) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut schedule = Self { begin, pushes: Vec::new(), callbacks: Vec::new() };
        for number in 0..number {
            let after = random.random_range(0..within.num_milliseconds().max(1));
            let started_at = (begin + TimeDelta::milliseconds(after)).trunc_subsecs(0);
            let course = draw(&mut random);
            let loss = match random.random::<f64>() {
                share if share < LOSE_BOTH => Loss::Both,
                share if share < LOSE_BOTH + LOSE_END => Loss::End,
                // Some ends are lost in every simulation.
                _ if course.ends_told.is_empty() => Loss::End,
                _ => Loss::None,
            };
            schedule.add(format!("push-{number}"), started_at, &course, loss);
        }
        schedule.callbacks.sort_by_key(|callback| callback.due);
        schedule
    }

    fn add(&mut self, stream: String, started_at: DateTime<Utc>, course: &Course, loss: Loss) {
        let at = |millis: i64| started_at + TimeDelta::milliseconds(millis);
        let starts = if loss == Loss::Both { &[] } else { course.starts_told.as_slice() };
        let ends = if loss == Loss::None { course.ends_told.as_slice() } else { &[] };
        for (what, happened_at, times) in [(What::Start, at(0), starts), (What::End, at(course.length), ends)] {
            self.callbacks.extend(times.iter().map(|millis| PlannedCallback {
                due: at(*millis),
                happened_at,
                stream: stream.clone(),
                publish_timestamp: started_at.timestamp(),
                what,
            }));
        }
        self.pushes.push(PlannedPush { stream, started_at, ended_at: at(course.length), loss });
    }

    /// When the last push is over.
    pub fn last_end(&self) -> DateTime<Utc> {
        self.pushes.iter().map(|push| push.ended_at).max().unwrap_or(self.begin)
    }
}

fn draw(random: &mut StdRng) -> Course {
    loop {
        let course = HABITS.course(random);
        if course.length <= LONGEST_MILLIS {
            return course;
        }
    }
}
