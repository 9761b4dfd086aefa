//! Puts the pages of the list of streams on air together.
//!
//! Streams come and go between two pages, so that a row can be on none of them. Each page therefore begins with the last
//! rows of the one before, and a sweep is complete only if these agree, if the total stays the same, and if there are as many
//! rows as it says. Only a [`CompleteSweep`] can show that a stream is not on air.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{ListPage, ListedStream};

/// Rows of a page: the most that the provider allows.
pub const PAGE: u32 = 100;

/// How many rows a page shares with the one before.
const OVERLAP: u32 = 10;

/// A sweep that takes longer shows no single moment.
const MAX_DURATION: TimeDelta = TimeDelta::seconds(30);

/// A list that is being read, page by page.
#[derive(Debug)]
pub struct Sweep {
    begun_at: DateTime<Utc>,
    /// The app and the name of the only stream that is asked for.
    name: Option<(String, String)>,
    total: Option<u32>,
    offset: u32,
    rows: Vec<ListedStream>,
}

/// What follows after a page.
#[derive(Debug)]
pub enum Progress {
    /// Read the page with this offset.
    Next(u32),
    Complete(CompleteSweep),
}

/// All streams of a domain that were on air at a moment, or those of some names.
#[derive(Debug)]
pub struct CompleteSweep {
    begun_at: DateTime<Utc>,
    streams: Vec<ListedStream>,
    /// The apps and names that were asked for; `None`: all.
    names: Option<BTreeSet<(String, String)>>,
}

impl CompleteSweep {
    /// Its moment: when it began, for what is listed and for what is not.
    pub fn begun_at(&self) -> DateTime<Utc> {
        self.begun_at
    }

    pub fn streams(&self) -> &[ListedStream] {
        &self.streams
    }

    /// Whether a stream that is not listed is not on air.
    pub fn covers(&self, app: &str, stream: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&(app.to_owned(), stream.to_owned())))
    }

    /// Puts lists of single streams together. `None` without any, or with one of all streams.
    pub fn together(lists: impl IntoIterator<Item = Self>) -> Option<Self> {
        lists
            .into_iter()
            .reduce(|mut one, other| {
                one.begun_at = one.begun_at.min(other.begun_at);
                one.streams.extend(other.streams);
                one.names = one.names.zip(other.names).map(|(mut one, other)| {
                    one.extend(other);
                    one
                });
                one
            })
            .filter(|together| together.names.is_some())
    }
}

/// The list changed while it was read, or contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Torn {
    #[error("the total changed between two pages")]
    Total,
    #[error("a page does not continue the one before")]
    Overlap,
    #[error("the list has fewer or more rows than its total")]
    Count,
    #[error("reading the list took too long")]
    Duration,
    #[error("the list has other streams than the one that was asked for")]
    OtherStream,
}

impl Sweep {
    /// Begins with the page at offset 0. With the app and the name of a stream, only that is asked for.
    pub fn begin(begun_at: DateTime<Utc>, name: Option<(String, String)>) -> Self {
        Self { begun_at, name, total: None, offset: 0, rows: Vec::new() }
    }

    /// The rows so far. They show that streams are on air, even if the sweep is torn.
    pub fn rows(&self) -> &[ListedStream] {
        &self.rows
    }

    /// Takes the page at the last offset.
    ///
    /// # Errors
    /// [`Torn`].
    pub fn add(&mut self, page: ListPage, now: DateTime<Utc>) -> Result<Progress, Torn> {
        let known = self.rows.len();
        let shared = known - usize::try_from(self.offset).unwrap_or(usize::MAX).min(known);
        let agrees =
            page.streams.len() >= shared && self.rows.iter().skip(known - shared).eq(page.streams.iter().take(shared));
        let full = page.streams.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        self.rows.extend(page.streams.into_iter().skip(shared));
        if !agrees {
            return Err(Torn::Overlap);
        }
        if *self.total.get_or_insert(page.total) != page.total {
            return Err(Torn::Total);
        }
        if now - self.begun_at > MAX_DURATION {
            return Err(Torn::Duration);
        }
        let rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        if rows < page.total && full {
            self.offset += PAGE - OVERLAP;
            return Ok(Progress::Next(self.offset));
        }
        let distinct: BTreeSet<&ListedStream> = self.rows.iter().collect();
        if rows != page.total || distinct.len() != self.rows.len() {
            return Err(Torn::Count);
        }
        let names = self.name.take().map(|name| BTreeSet::from([name]));
        if let Some(names) = &names
            && !self.rows.iter().all(|row| names.contains(&(row.app.clone(), row.stream.clone())))
        {
            return Err(Torn::OtherStream);
        }
        Ok(Progress::Complete(CompleteSweep {
            begun_at: self.begun_at,
            streams: std::mem::take(&mut self.rows),
            names,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(number: usize) -> ListedStream {
        ListedStream { app: "live".to_owned(), stream: format!("room{number}"), started_at: at(0), client_ip: None }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn page(list: &[ListedStream], offset: u32) -> ListPage {
        let rows = list.iter().skip(offset as usize).take(PAGE as usize);
        ListPage { total: u32::try_from(list.len()).unwrap(), streams: rows.cloned().collect() }
    }

    /// Reads lists, one for each page; the last is that of all later ones.
    fn sweep(lists: &[Vec<ListedStream>]) -> Result<Vec<ListedStream>, Torn> {
        let mut sweep = Sweep::begin(at(0), None);
        let mut offset = 0;
        for turn in 0.. {
            let list = &lists[turn.min(lists.len() - 1)];
            match sweep.add(page(list, offset), at(1))? {
                Progress::Next(next) => offset = next,
                Progress::Complete(complete) => return Ok(complete.streams().to_vec()),
            }
        }
        unreachable!("a sweep ends")
    }

    #[test]
    fn a_list_that_does_not_change_is_complete() {
        for length in [0, 1, 99, 100, 101, 190, 191, 1_000] {
            let list: Vec<_> = (0..length).map(stream).collect();
            assert_eq!(sweep(std::slice::from_ref(&list)), Ok(list), "{length}");
        }
    }

    #[test]
    fn a_list_that_contradicts_itself_is_not_complete() {
        let list: Vec<_> = (0..150).map(stream).collect();
        let add = |total, rows: &[ListedStream], seconds| {
            let mut sweep = Sweep::begin(at(0), None);
            sweep.add(ListPage { total, streams: rows.to_vec() }, at(seconds)).map(drop)
        };
        assert_eq!(add(3, &list[..2], 1), Err(Torn::Count));
        assert_eq!(add(1, &list[..2], 1), Err(Torn::Count));
        assert_eq!(add(0, &list[..1], 1), Err(Torn::Count));
        assert_eq!(add(2, &[stream(1), stream(1)], 1), Err(Torn::Count));
        assert_eq!(add(2, &list[..2], 31), Err(Torn::Duration));
        let mut shuffled = list.clone();
        shuffled.reverse();
        assert_eq!(sweep(&[list.clone(), shuffled]), Err(Torn::Overlap));
        assert_eq!(sweep(&[list.clone(), list[..149].to_vec()]), Err(Torn::Total));
    }

    proptest! {
        /// Between two pages, any streams go and as many come, each at any place.
        #[test]
        fn a_complete_sweep_has_every_stream_that_was_on_air_throughout(
            length in 0..400_usize,
            changes in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4), 1..5),
        ) {
            let mut lists = vec![(0..length).map(stream).collect::<Vec<_>>()];
            let mut number = length;
            for turn in &changes {
                let mut list = lists.last().unwrap().clone();
                for (leaves, comes) in turn {
                    if !list.is_empty() {
                        list.remove(leaves.index(list.len()));
                        list.insert(comes.index(list.len() + 1), stream(number));
                        number += 1;
                    }
                }
                lists.push(list);
            }
            if let Ok(complete) = sweep(&lists) {
                let throughout = |one: &&ListedStream| lists.iter().all(|list| list.contains(one));
                for listed in lists[0].iter().filter(throughout) {
                    prop_assert!(complete.contains(listed), "{listed:?} is missing");
                }
            }
        }
    }
}
