//! A journal: an on-disk queue of numbered messages, appended at one end and taken at the other, in order.
//!
//! The messages are lines of segment files; the number of its first line names a segment. In addition, the `mark`
//! stores the numbers up to which messages were confirmed, and up to which they were taken. Both are synced before an
//! append returns. So every number between the two must be readable. One that is not was lost, whether its line was
//! altered, cut off, or removed with its file, and is counted as lost; its segment is then kept in the folder of
//! damaged files. Lines that a crash left after the last confirmed number were never confirmed, and do not count.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::folder::{Folder, is_damage};
use super::line;
use crate::platform::clock;

/// The size from which a segment gets no more lines. Taken messages are removed segment by segment.
const SEGMENT_BYTES: u64 = 8 << 20;

/// The file name of the mark.
const MARK: &str = "mark";

/// The suffix of segments' file names.
const SEGMENT: &str = ".jsonl";

/// Precedes the number of lost messages in the file name of a damaged segment.
const LOST: &str = "-lost-";

/// Messages that were read from a journal and are not taken yet.
pub struct Chunk {
    /// The messages, in order.
    pub texts: Vec<String>,
    pub losses: Vec<Loss>,
    end: Position,
}

/// Messages that are unreadable in a segment or missing after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    pub from: u64,
    pub through: u64,
    pub messages: u64,
    segment: u64,
}

/// The position up to which a journal was read.
#[derive(Debug, Clone, Copy)]
struct Position {
    through: u64,
    segment: u64,
    offset: u64,
}

/// An on-disk queue of messages.
pub struct Journal {
    folder: Folder,
    damaged: Folder,
    mark: File,
    confirmed: u64,
    /// The last message that was taken, according to the mark.
    marked: u64,
    taken: Position,
    /// Losses whose segments are not kept in the folder of damaged files yet.
    losses: Vec<Loss>,
    segments: BTreeMap<u64, u64>,
    /// The last segment, if this process created it. Nothing is appended to a segment that another process left
    /// unfinished.
    writing: Option<(u64, File)>,
}

impl Journal {
    /// Opens the journal of a folder, or creates it. Damaged segments are kept in another folder.
    pub(super) fn open(folder: Folder, damaged: Folder) -> io::Result<Self> {
        let files = folder.files()?;
        let segments = segments_of(&files);
        let mark = read_mark(&folder)?;
        if mark.is_none() && (!segments.is_empty() || files.iter().any(|(name, _)| name == MARK)) {
            folder.set_aside(MARK, &damaged)?;
            tracing::error!(
                journal = folder.name(),
                "the mark of confirmed callbacks is damaged or missing: readable callbacks are drained, some may \
                 come twice, and the last ones may be missing; check the data folder's disk"
            );
        }
        let (mark, confirmed, marked) = mark.map_or_else(|| make_mark(&folder, &segments), Ok)?;
        let segment = segments.range(..=marked + 1).next_back().map_or(0, |(first, _)| *first);
        let taken = Position { through: marked, segment, offset: 0 };
        let mut journal =
            Self { folder, damaged, mark, confirmed, marked, taken, losses: Vec::new(), segments, writing: None };
        journal.confirmed = find_end(&journal.folder, &journal.segments, confirmed, true)?;
        // No message of a segment that begins after the end was confirmed.
        while let Some((first, _)) = journal.segments.last_key_value().filter(|(first, _)| **first > journal.confirmed)
        {
            let first = *first;
            journal.folder.remove(&segment_name(first))?;
            journal.segments.remove(&first);
        }
        Ok(journal)
    }

    /// The number of messages that are not taken yet.
    pub fn messages(&self) -> u64 {
        self.confirmed - self.taken.through
    }

    /// The size of the segments.
    pub fn bytes(&self) -> u64 {
        self.segments.values().sum()
    }

    pub fn end(&self) -> u64 {
        self.confirmed
    }

    /// Whether everything that was taken is removed.
    pub fn is_tidy(&self) -> bool {
        self.marked == self.taken.through && self.removable().is_none()
    }

    /// Appends messages (JSON texts); returns when they are durable.
    ///
    /// # Errors
    /// Those of the disk; then the messages are not in the journal.
    pub fn append(&mut self, texts: &[String]) -> io::Result<()> {
        let (first, file) = match self.writing.take() {
            Some((first, file)) if self.segments.get(&first).is_some_and(|size| *size < SEGMENT_BYTES) => (first, file),
            _ => {
                let first = self.confirmed + 1;
                // A failed append may have left this file.
                self.folder.remove(&segment_name(first))?;
                let file = self.folder.create(&segment_name(first))?;
                self.segments.insert(first, 0);
                (first, file)
            }
        };
        let size = self.segments.get(&first).copied().unwrap_or_default();
        let numbered = (self.confirmed + 1..).zip(texts);
        let lines: String = numbered.map(|(number, text)| line::write(number, text)).collect();
        let end = self.confirmed + texts.len() as u64;
        let written = file
            .write_all_at(lines.as_bytes(), size)
            .and_then(|()| file.sync_data())
            .and_then(|()| self.write_mark(end, self.marked));
        match &written {
            Ok(()) => {
                self.confirmed = end;
                self.segments.insert(first, size + lines.len() as u64);
            }
            // Frees the space; the next append overwrites the rest in any case.
            Err(_) => drop(file.set_len(size)),
        }
        self.writing = Some((first, file));
        written
    }

    /// The next messages: at most `most`, up to the number `through`. `None` when all are taken.
    ///
    /// # Errors
    /// Those of the disk, except damage.
    pub fn next(&self, most: usize, through: u64) -> io::Result<Option<Chunk>> {
        let through = through.min(self.confirmed);
        if self.taken.through >= through {
            return Ok(None);
        }
        let mut chunk = Chunk { texts: Vec::new(), losses: Vec::new(), end: self.taken };
        for (first, size) in self.segments.range(self.taken.segment..=through) {
            if chunk.end.segment != *first {
                chunk.end = Position { segment: *first, offset: 0, ..chunk.end };
            }
            let last = self.last_of(*first).min(through);
            match chunk.read_segment(&self.folder, *size, last, most) {
                Err(error) if !is_damage(&error) => return Err(error),
                Ok(()) if chunk.texts.len() == most => return Ok(Some(chunk)),
                Ok(()) | Err(_) => chunk.skip_through(last),
            }
        }
        chunk.skip_through(through);
        Ok(Some(chunk))
    }

    /// Marks the messages of a chunk as taken.
    pub fn take(&mut self, chunk: &Chunk) {
        self.taken = chunk.end;
        self.losses.extend(&chunk.losses);
    }

    /// Removes taken messages; keeps damaged segments.
    ///
    /// # Errors
    /// Those of the disk; calling it again continues.
    pub fn remove_taken(&mut self) -> io::Result<()> {
        if self.is_tidy() {
            return Ok(());
        }
        for loss in &self.losses {
            let Loss { from, through, messages, segment } = *loss;
            let kept = format!("{}-{from}-{through}{LOST}{messages}", self.folder.name());
            self.folder.keep_in(&segment_name(segment), &self.damaged, &kept)?;
        }
        self.losses.clear();
        // Before the segments are removed: a number that is neither marked as taken nor readable counts as lost.
        self.write_mark(self.confirmed, self.taken.through)?;
        self.marked = self.taken.through;
        while let Some(first) = self.removable() {
            self.folder.remove(&segment_name(first))?;
            self.segments.remove(&first);
            self.writing.take_if(|(writing, _)| *writing == first);
        }
        Ok(())
    }

    /// The first segment, if all of it was taken.
    fn removable(&self) -> Option<u64> {
        let (first, _) = self.segments.first_key_value()?;
        let last = self.last_of(*first);
        (*first <= last && last <= self.taken.through).then_some(*first)
    }

    /// The last number that belongs to a segment.
    fn last_of(&self, first: u64) -> u64 {
        self.segments.range(first + 1..).next().map_or(self.confirmed, |(next, _)| next - 1)
    }

    fn write_mark(&self, confirmed: u64, taken: u64) -> io::Result<()> {
        self.mark.write_all_at(mark_of(confirmed, taken).as_bytes(), 0)?;
        self.mark.sync_data()
    }
}

impl Chunk {
    /// Reads a segment from the end of the chunk up to the number `last`.
    fn read_segment(&mut self, folder: &Folder, size: u64, last: u64, most: usize) -> io::Result<()> {
        let mut file = folder.open(&segment_name(self.end.segment))?;
        file.seek(SeekFrom::Start(self.end.offset))?;
        let mut reader = BufReader::new(file.take(size.saturating_sub(self.end.offset)));
        let mut bytes = Vec::new();
        while self.texts.len() < most && self.end.through < last && reader.read_until(b'\n', &mut bytes)? > 0 {
            match line::read(&bytes) {
                Some((number, _)) if number > last => return Ok(()),
                Some((number, text)) if number > self.end.through => {
                    self.skip_through(number - 1);
                    self.end.through = number;
                    self.texts.push(text.to_owned());
                }
                Some(_) | None => {}
            }
            self.end.offset += bytes.len() as u64;
            bytes.clear();
        }
        Ok(())
    }

    /// Counts the numbers up to `through` that were not found as lost.
    fn skip_through(&mut self, through: u64) {
        let Position { through: found, segment, .. } = self.end;
        if found >= through {
            return;
        }
        let messages = through - found;
        match self.losses.last_mut().filter(|loss| loss.segment == segment) {
            Some(loss) => *loss = Loss { through, messages: loss.messages + messages, ..*loss },
            None => self.losses.push(Loss { from: found + 1, through, messages, segment }),
        }
        self.end.through = through;
    }
}

/// The number of lost messages that a file name in the folder of damaged files contains.
pub(super) fn lost_messages_of(name: &str) -> Option<u64> {
    name.rsplit_once(LOST)?.1.parse().ok()
}

fn segment_name(first: u64) -> String {
    format!("{first:020}{SEGMENT}")
}

fn mark_of(confirmed: u64, taken: u64) -> String {
    line::write(confirmed, &format!("{taken:020}"))
}

/// The mark: its file, the last confirmed message, and the last taken message.
fn read_mark(folder: &Folder) -> io::Result<Option<(File, u64, u64)>> {
    let read = match folder.read(MARK) {
        Err(error) if !is_damage(&error) => return Err(error),
        read => read.unwrap_or_default(),
    };
    let said = line::read(&read).and_then(|(confirmed, taken)| Some((confirmed, taken.parse().ok()?)));
    said.map(|(confirmed, taken)| Ok((folder.open(MARK)?, confirmed, taken))).transpose()
}

/// Creates a mark from the segments: none of their messages was taken, and all were confirmed.
fn make_mark(folder: &Folder, segments: &BTreeMap<u64, u64>) -> io::Result<(File, u64, u64)> {
    // Numbers are never reused, or damaged segments of different times could have the same name.
    let now = u64::try_from(clock::now().timestamp_micros()).unwrap_or_default();
    let begin = segments.keys().next().map_or(now, |first| first - 1);
    let last_segment = segments.keys().next_back().copied().unwrap_or_default();
    let end = find_end(folder, segments, begin, false)?.max(last_segment);
    Ok((folder.replace(MARK, mark_of(end, begin).as_bytes())?, end, begin))
}

/// The sizes of segments, by their first numbers.
fn segments_of(files: &[(String, u64)]) -> BTreeMap<u64, u64> {
    let first_of = |name: &str| name.strip_suffix(SEGMENT)?.parse().ok().filter(|first| *first > 0);
    let segments = files.iter().filter_map(|(name, size)| Some((first_of(name)?, name, *size)));
    segments.filter(|(first, name, _)| segment_name(*first) == **name).map(|(first, _, size)| (first, size)).collect()
}

/// The last readable message after a confirmed one. With a trusted mark, only consecutive numbers count: of an append
/// that a crash interrupted, some lines may exist and others not.
fn find_end(folder: &Folder, segments: &BTreeMap<u64, u64>, confirmed: u64, in_a_row: bool) -> io::Result<u64> {
    let mut end = confirmed;
    let from = segments.range(..=confirmed + 1).next_back().map_or(0, |(first, _)| *first);
    for (first, size) in segments.range(from..) {
        let start = Position { through: first - 1, segment: *first, offset: 0 };
        let mut chunk = Chunk { texts: Vec::new(), losses: Vec::new(), end: start };
        loop {
            chunk.texts.clear();
            let before = chunk.end.through;
            let offset = chunk.end.offset;
            match chunk.read_segment(folder, *size, u64::MAX, 1) {
                Err(error) if !is_damage(&error) => return Err(error),
                Ok(()) if chunk.end.offset > offset => {}
                Ok(()) | Err(_) => break,
            }
            let number = chunk.end.through;
            if number > before.max(end) && (!in_a_row || number == end + 1) {
                end = number;
            }
        }
    }
    Ok(end)
}

#[cfg(test)]
mod tests;
