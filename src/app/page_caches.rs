//! What many pages of the dashboard show, read at most once in some seconds for visitors who see the same domains.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::future::Cache;

use crate::model::filter::LiveFilter;
use crate::rejection::retry::Preview;
use crate::report::concurrency::Point;

/// Domains that a visitor may see; all if `None`.
pub type VisibleDomains = Option<Vec<String>>;

/// A page that is always open asks for the number each second, and every visitor has some pages open.
const PROBLEMS_LIFETIME: Duration = Duration::from_secs(2);

/// The points of the chart are quarters of an hour.
const DAYS_LIFETIME: Duration = Duration::from_secs(20);

/// Each reads all kept rejections.
const RETRIES_LIFETIME: Duration = Duration::from_secs(10);

/// Bounds the memory: a visitor can invent filters.
const MAX_DAYS: u64 = 200;
const MAX_PROBLEMS: u64 = 1_000;

/// The live sessions of the 24 hours before an instant.
#[derive(Debug)]
pub struct LastDay {
    pub until: DateTime<Utc>,
    pub points: Vec<Point>,
    /// The most sessions that were live at once.
    pub peak: u32,
}

pub struct PageCaches {
    /// The numbers of problems.
    pub problems: Cache<VisibleDomains, u32>,
    pub days: Cache<(VisibleDomains, LiveFilter), Arc<LastDay>>,
    /// What a retry of kept rejections would admit, by the version of the registry.
    pub retries: Cache<i64, Arc<Preview>>,
}

impl Default for PageCaches {
    fn default() -> Self {
        Self {
            problems: Cache::builder().max_capacity(MAX_PROBLEMS).time_to_live(PROBLEMS_LIFETIME).build(),
            days: Cache::builder().max_capacity(MAX_DAYS).time_to_live(DAYS_LIFETIME).build(),
            retries: Cache::builder().max_capacity(1).time_to_live(RETRIES_LIFETIME).build(),
        }
    }
}
