//! HTTPS: certificates that will not do, at the start and later.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use streamtally::platform::clock;
use test_support::certificates::{Authority, Files};
use test_support::home::{Home, User, finish, wait_for};

#[test]
fn a_certificate_that_cannot_be_served_is_refused_before_anything_is_made() {
    let home = Home::new(User::Ourselves);
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    let assert_refused = |settings: &[&str], words: &[&str]| {
        let mut command = home.program();
        let (status, printed) = finish(command.arg("serve").args(settings).arg("--data-dir").arg(home.data_dir()));
        assert_eq!(status, 1, "{printed}");
        for word in words {
            assert!(printed.contains(word), "{word:?} is not in: {printed}");
        }
        assert!(!home.data_dir().exists());
    };
    let both = files.settings();
    let both = both.each_ref().map(String::as_str);
    let [_, certificate, _, key] = both;
    assert_refused(&both[..2], &["--tls-cert requires --tls-key"]);
    assert_refused(&both[2..], &["--tls-key requires --tls-cert"]);
    assert_refused(
        &["--tls-cert", "/nowhere/cert.pem", "--tls-key", key],
        &["cannot read /nowhere/cert.pem", "No such"],
    );
    fs::write(files.key(), authority.issue().1).expect("another key");
    assert_refused(&both, &["cannot serve HTTPS", key, "does not match the certificate in", certificate]);
}

#[test]
fn a_renewal_that_cannot_be_served_is_told_once_and_the_old_certificate_served_on() {
    let home = Home::new(User::Ourselves);
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::with(old.issue());
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(files.settings());
    });
    wait_for("a service that listens", || service.stderr().contains("listening"));
    let url = format!("{}/readyz", service.url().replace("http", "https"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let is_served = |by: &Authority| runtime.block_on(by.client().get(&url).send()).is_ok();
    assert!(is_served(&old));

    let refusals = || service.stderr().matches("failed to load the new TLS certificate").count();
    let (certificate, key) = new.issue();
    fs::write(files.certificate(), &certificate).expect("half a renewal");
    wait_for("the first refusal", || refusals() == 1);
    assert!(service.stderr().contains("does not match the certificate in"));
    assert!(is_served(&old));
    fs::write(files.key(), "").expect("half a file");
    wait_for("the second refusal", || refusals() == 2);
    assert!(is_served(&old));

    fs::write(files.key(), &key).expect("the whole renewal");
    wait_for("the new certificate", || service.stderr().contains("TLS certificate reloaded"));
    assert!(is_served(&new) && !is_served(&old));
    assert_eq!(refusals(), 2);
    assert!(!service.stderr().contains(key.lines().nth(1).expect("a line of the key")));
    service.signal(rustix::process::Signal::TERM);
    assert_eq!(service.wait_exit().code(), Some(0), "{}", service.stderr());
}

#[test]
fn a_certificate_that_expires_soon_or_has_is_told_of_in_the_log_and_the_metrics_until_it_is_renewed() {
    let (home, authority) = (Home::new(User::Ourselves), Authority::new());
    let expiring = |when: SystemTime| authority.issue_with(|params| params.not_after = when.into());
    let files = Files::with(expiring(UNIX_EPOCH + Duration::from_hours(491_616)));
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(files.settings());
    });
    wait_for("a service that listens", || service.stderr().contains("listening"));
    let url = format!("{}/metrics", service.url().replace("http", "https"));
    let client = authority.client_with(|builder| builder.tls_danger_accept_invalid_certs(true));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let metrics = || runtime.block_on(async { client.get(&url).send().await.expect("an answer").text().await });
    let serves = |line: &str| metrics().expect("a text").lines().any(|served| served == line);
    wait_for("the expiry", || serves("streamtally_certificate_expiry_timestamp_seconds 1769817600"));
    assert!(serves("streamtally_certificate_renewal_overdue 1"));
    assert!(service.stderr().contains("the certificate has expired"));

    let in_days = |days: u64| SystemTime::from(clock::now()) + Duration::from_hours(24 * days);
    files.put(expiring(in_days(2)));
    wait_for("a warning", || service.stderr().contains("the certificate expires soon"));
    files.put(expiring(in_days(60)));
    wait_for("a renewal", || serves("streamtally_certificate_renewal_overdue 0"));
    let told = service.stderr();
    assert_eq!(told.matches("the certificate expires soon").count(), 1);
    assert_eq!(told.matches("the certificate has expired").count(), 1);
    service.signal(rustix::process::Signal::TERM);
    assert_eq!(service.wait_exit().code(), Some(0), "{}", service.stderr());
}
