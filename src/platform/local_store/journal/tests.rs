//! Damage to a journal's files: every confirmed message is either read unchanged or counted as lost.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// A folder with a journal `spool`, and the folder for its damaged segments.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn open(&self) -> Journal {
        let folder = Folder::make(&self.0.path().join("store")).expect("made");
        let [journal, damaged] = ["spool", "damaged"].map(|name| folder.make_inner(name).expect("made"));
        Journal::open(journal, damaged).expect("opened")
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join("store").join(name)
    }

    fn files(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder(name)).expect("a folder");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        files
    }

    fn segments(&self) -> Vec<PathBuf> {
        self.files("spool").into_iter().filter(|path| path.extension().is_some()).collect()
    }

    fn mark(&self) -> PathBuf {
        self.folder("spool").join(MARK)
    }

    /// A copy of the files in another folder.
    fn copy(&self) -> Self {
        let copy = Self::new();
        fs::create_dir_all(copy.folder("spool")).expect("made");
        for file in self.files("spool") {
            fs::copy(&file, copy.folder("spool").join(file.file_name().expect("a name"))).expect("copied");
        }
        copy
    }
}

fn texts(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{{\"stream\":\"room{number}\"}}")).collect()
}

/// Twelve messages in three segments, in appends of two.
fn place_of_twelve() -> Place {
    let place = Place::new();
    for begin in [0, 4, 8] {
        let mut journal = place.open();
        journal.append(&texts(begin..begin + 2)).expect("appended");
        journal.append(&texts(begin + 2..begin + 4)).expect("appended");
    }
    assert_eq!(place.segments().len(), 3);
    place
}

/// Takes all messages; returns them and the number of lost ones.
fn drain(journal: &mut Journal) -> (Vec<String>, u64) {
    let (mut taken, mut lost) = (Vec::new(), 0);
    while let Some(chunk) = journal.next(5, u64::MAX).expect("readable") {
        lost += chunk.losses.iter().map(|loss| loss.messages).sum::<u64>();
        journal.take(&chunk);
        taken.extend(chunk.texts);
    }
    (taken, lost)
}

/// The result that every kind of damage to a place of twelve must have.
fn assert_nothing_is_lost_without_a_word(place: &Place, mark_is_whole: bool, damage: &str) {
    let mut journal = place.open();
    journal.append(&texts(12..13)).expect("appended");
    let (taken, lost) = drain(&mut journal);
    let mut all = texts(0..13).into_iter();
    assert!(taken.iter().all(|text| all.any(|one| one == *text)), "{damage}: {taken:?}");
    assert_eq!(taken.last(), texts(12..13).last(), "{damage}");
    journal.remove_taken().expect("removed");
    assert!(place.segments().is_empty(), "{damage}");
    let told = lost > 0 || !mark_is_whole;
    assert_eq!(place.files("damaged").is_empty(), !told, "{damage}");
    if mark_is_whole {
        assert_eq!(taken.len() as u64 + lost, 13, "{damage}");
        let kept = place.files("damaged");
        let names = kept.iter().filter_map(|path| path.file_name()?.to_str());
        assert_eq!(names.filter_map(lost_messages_of).sum::<u64>(), lost, "{damage}");
    }
    assert_eq!(drain(&mut place.open()), (vec![], 0), "{damage}: all messages were taken");
}

fn damage(place: &Place, file: &Path, change: impl FnOnce(&mut Vec<u8>), name: &str) {
    let copy = place.copy();
    let path = copy.folder("spool").join(file.file_name().expect("a name"));
    let mut content = fs::read(&path).expect("readable");
    let before = content.clone();
    change(&mut content);
    fs::write(&path, &content).expect("written");
    let mark_is_whole = content == before || *file != place.mark();
    assert_nothing_is_lost_without_a_word(&copy, mark_is_whole, &format!("{name} of {}", path.display()));
}

#[test]
fn messages_come_as_they_went_and_are_removed_when_taken() {
    let place = place_of_twelve();
    let mut journal = place.open();
    assert_eq!(journal.messages(), 12);
    assert!(journal.bytes() > 0);
    let first = journal.next(5, u64::MAX).expect("readable").expect("there");
    assert_eq!(first.texts, texts(0..5));
    journal.take(&first);
    assert!(!journal.is_tidy());
    journal.remove_taken().expect("removed");
    assert!(journal.is_tidy());
    assert_eq!(place.segments().len(), 2);
    drop(journal);

    let mut journal = place.open();
    assert_eq!(journal.messages(), 7);
    let through = journal.end() - 1;
    let next = journal.next(100, through).expect("readable").expect("there");
    assert_eq!(next.texts, texts(5..11), "none after the given number");
    journal.take(&next);
    assert!(journal.next(100, through).expect("readable").is_none());
    assert_eq!(drain(&mut journal), (texts(11..12), 0));
    journal.remove_taken().expect("removed");
    assert_eq!((journal.messages(), journal.bytes()), (0, 0));
    assert_eq!((place.segments().len(), place.files("damaged").len()), (0, 0));
}

#[test]
fn a_segment_is_as_large_as_it_may_be_and_no_larger() {
    let (place, text) = (Place::new(), vec!["x".repeat(3 << 20)]);
    let mut journal = place.open();
    for _ in 0..6 {
        journal.append(&text).expect("appended");
    }
    assert_eq!(place.segments().len(), 2);
    assert_eq!(drain(&mut journal), (vec![text.concat(); 6], 0));
}

/// Offsets in a file: all ends of lines, and some others.
fn sample(file: &Path, step: usize) -> Vec<usize> {
    let content = fs::read(file).expect("readable");
    (0..content.len()).filter(|place| place % step == 0 || content[*place] == b'\n').collect()
}

#[test]
fn any_altered_byte_is_noticed() {
    let place = place_of_twelve();
    for file in place.files("spool") {
        for byte in sample(&file, 11) {
            let mask = u8::try_from(byte * 37 % 255).expect("small") + 1;
            let flip = |content: &mut Vec<u8>| content[byte] ^= mask;
            damage(&place, &file, flip, &format!("{mask:#x} flipped in byte {byte}"));
        }
    }
}

#[test]
fn any_zeroed_stretch_is_noticed() {
    let place = place_of_twelve();
    for file in place.files("spool") {
        let length = fs::read(&file).expect("readable").len();
        for begin in (0..length).step_by(64) {
            for end in [length.min(begin + 64), length] {
                damage(&place, &file, |content| content[begin..end].fill(0), &format!("{begin}..{end} zeroed"));
            }
        }
    }
}

#[test]
fn any_cut_is_noticed() {
    let place = place_of_twelve();
    for file in place.files("spool") {
        let length = fs::read(&file).expect("readable").len();
        for shorter in sample(&file, 23) {
            damage(&place, &file, |content| content.truncate(shorter), &format!("cut to {shorter} bytes"));
        }
        damage(&place, &file, |content| drop(content.drain(..100.min(length))), "front cut");
        damage(&place, &file, |content| content.extend_from_within(..), "doubled");
    }
}

#[test]
fn any_missing_file_is_noticed() {
    let place = place_of_twelve();
    let files = place.files("spool");
    for missing in 1_u32..1 << files.len() {
        let copy = place.copy();
        let all_but_the_mark = 1_u32 << (files.len() - 1);
        for (number, file) in files.iter().enumerate().filter(|(number, _)| missing >> number & 1 == 1) {
            assert_eq!(*file == place.mark(), 1 << number == all_but_the_mark, "the mark is the last file");
            fs::remove_file(copy.folder("spool").join(file.file_name().expect("a name"))).expect("removed");
        }
        if missing + 1 == 1 << files.len() {
            // Without any file it is a new journal.
            continue;
        }
        assert_nothing_is_lost_without_a_word(&copy, missing & all_but_the_mark == 0, &format!("missing {missing:#b}"));
    }
}

#[test]
fn damage_that_comes_while_it_is_open_is_noticed() {
    let place = place_of_twelve();
    let mut journal = place.open();
    let first = journal.next(2, u64::MAX).expect("readable").expect("there");
    journal.take(&first);
    let segments = place.segments();
    fs::remove_file(&segments[0]).expect("removed");
    fs::write(&segments[1], "").expect("written");
    assert_eq!(drain(&mut journal), (texts(8..12), 6));
    journal.remove_taken().expect("removed");
    assert_eq!(place.files("damaged").len(), 2);
}

#[test]
fn what_a_crash_left_unfinished_is_no_loss() {
    let place = place_of_twelve();
    let end = place.open().end();
    let [torn, later] = [1, 2].map(|ahead| line::write(end + ahead, "{\"stream\":\"unconfirmed\"}"));
    for (tail, found) in [
        (torn[..30].to_owned(), 0),
        (format!("{}\n{later}", &torn[..30]), 0),
        ("\0".repeat(600), 0),
        // Durable except for the mark: counts as confirmed.
        (torn.clone(), 1),
    ] {
        for in_new_segment in [false, true] {
            let copy = place.copy();
            let path = if in_new_segment {
                copy.folder("spool").join(segment_name(end + 1))
            } else {
                copy.segments().pop().expect("there")
            };
            let before = fs::read(&path).unwrap_or_default();
            fs::write(&path, [before, tail.clone().into_bytes()].concat()).expect("written");
            // The result does not depend on later appends, nor on how often the journal is opened.
            for number in 12..14 {
                let mut journal = copy.open();
                journal.append(&texts(number..number + 1)).expect("appended");
            }
            let (taken, lost) = drain(&mut copy.open());
            assert_eq!((taken.len(), lost), (14 + found, 0), "{tail}");
            assert!(copy.files("damaged").is_empty(), "{tail}");
        }
    }
}

#[test]
fn messages_are_not_appended_behind_what_could_not_be() {
    let place = place_of_twelve();
    let mut journal = place.open();
    journal.append(&texts(12..13)).expect("appended");
    // A read-only mark simulates a disk that cannot be written.
    let mark = std::mem::replace(&mut journal.mark, File::open(place.mark()).expect("opened"));
    for _ in 0..3 {
        journal.append(&texts(90..99)).expect_err("read only");
    }
    journal.mark = mark;
    journal.append(&texts(13..14)).expect("appended");
    assert_eq!(drain(&mut journal), (texts(0..14), 0));
    drop(journal);
    assert_eq!(drain(&mut place.open()), (texts(0..14), 0));
}
