//! Damage to the local store: the service starts, and says what is missing.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use test_support::home::{Home, User, wait_for};

/// A line of the local store.
fn line(number: u64, text: &str) -> String {
    let sum = Sha256::new().chain_update(number.to_be_bytes()).chain_update(text).finalize();
    format!("{number:020} {} {text}\n", hex::encode(sum))
}

/// Lets the mark say that some messages more were confirmed, as if their files had vanished.
fn confirm_more(mark: &Path, messages: u64) {
    let before = fs::read_to_string(mark).unwrap();
    let confirmed: u64 = before[..20].parse().unwrap();
    let taken = before[86..].trim_end();
    assert_eq!(before, line(confirmed, taken));
    fs::write(mark, line(confirmed + messages, taken)).unwrap();
}

#[test]
fn confirmed_messages_that_are_missing_are_told_by_log_and_metrics() {
    let home = Home::new(User::Ourselves);
    home.serve().stop();
    let store = home.data_dir().join("local-store");
    confirm_more(&store.join("spool/mark"), 3);
    let service = home.serve();
    let metric = |name: &str| service.metric(&format!("streamtally_spool_{name}"));
    wait_for("a drained spool", || service.readiness().contains("empty; damaged: 3 callbacks lost, 1 files set aside"));
    assert_eq!((metric("lost_messages"), metric("damaged_files")), (Some(3.0), Some(1.0)));
    for words in ["callbacks are missing from the spool", "but some callbacks were kept aside or lost"] {
        wait_for(words, || service.stderr().contains(words));
    }
    assert!(!service.stderr().contains("drained: all of it"));
    service.stop();
}

#[test]
fn a_damaged_file_beside_the_messages_is_told_and_made_anew() {
    let home = Home::new(User::Ourselves);
    home.serve().stop();
    let store = home.data_dir().join("local-store");
    fs::write(store.join("registry"), "damaged").unwrap();
    fs::write(store.join("rejected/mark"), "").unwrap();
    let service = home.serve();
    for words in ["the cached registry is damaged", "the mark of confirmed callbacks is damaged or missing"] {
        assert!(service.stderr().contains(words), "{}", service.stderr());
    }
    assert_eq!(service.metric("streamtally_spool_damaged_files"), Some(2.0));
    service.stop();
    for file in fs::read_dir(store.join("damaged")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let service = home.serve();
    assert_eq!(service.metric("streamtally_spool_damaged_files"), Some(0.0));
    assert!(!service.stderr().contains("damaged"), "{}", service.stderr());
    service.stop();
}
