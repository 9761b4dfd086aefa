//! The validity of a certificate, and reminders before it expires.

use chrono::{DateTime, TimeDelta, Utc};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// How often an expiring certificate is logged.
const REMINDER: TimeDelta = TimeDelta::days(1);

/// A certificate is overdue for renewal at the latest this long before its expiry, however long it is valid.
const RENEWAL: TimeDelta = TimeDelta::days(14);

/// Whether clients accept a certificate by its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// They accept it, and renewal is not due.
    Far,
    /// They accept it, but it should have been renewed: less than a fifth of its lifetime is left, and less than 14
    /// days.
    Near,
    /// They reject it.
    Past,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    begins_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

impl Validity {
    /// The validity of a certificate in DER, if it can be read.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let at = |time: x509_parser::time::ASN1Time| DateTime::from_timestamp(time.timestamp(), 0);
        let validity = certificate.validity();
        Some(Self { begins_at: at(validity.not_before)?, ends_at: at(validity.not_after)? })
    }

    /// Its status at `now`.
    pub fn expiry(&self, now: DateTime<Utc>) -> Expiry {
        let renewal = RENEWAL.min((self.ends_at - self.begins_at) / 5);
        if now > self.ends_at {
            Expiry::Past
        } else if now > self.ends_at - renewal {
            Expiry::Near
        } else {
            Expiry::Far
        }
    }
}

/// Logs that a certificate expires soon or has expired.
#[derive(Default)]
pub(super) struct Reminder(Option<(Expiry, DateTime<Utc>)>);

impl Reminder {
    /// Checks the served certificate.
    pub(super) fn look(&mut self, validity: Option<Validity>, now: DateTime<Utc>) {
        let Some(validity) = validity else { return };
        let expiry = validity.expiry(now);
        if self.0.is_some_and(|(last, at)| last == expiry && now < at + REMINDER) {
            return;
        }
        self.0 = Some((expiry, now));
        let expires_at = validity.ends_at.to_rfc3339();
        match expiry {
            Expiry::Far => {}
            Expiry::Near => tracing::warn!(expires_at, "the certificate expires soon: renew it, and replace its files"),
            Expiry::Past => tracing::error!(
                expires_at,
                "the certificate has expired, and callbacks no longer arrive: replace its files with a valid one"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::days(days)
    }

    #[test]
    fn a_certificate_is_overdue_when_little_of_its_time_is_left() {
        for (lifetime, age, expected) in [
            (365, 351, Expiry::Far),
            (365, 352, Expiry::Near),
            (365, 365, Expiry::Near),
            (365, 366, Expiry::Past),
            // For a short lifetime a fraction of it, or it would always be overdue.
            (10, 8, Expiry::Far),
            (10, 9, Expiry::Near),
            (10, 11, Expiry::Past),
        ] {
            let validity = Validity { begins_at: at(0), ends_at: at(lifetime) };
            assert_eq!(validity.expiry(at(age)), expected, "{age} of {lifetime} days");
        }
    }

    #[test]
    fn dates_are_read_from_a_certificate() {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 31);
        params.not_after = rcgen::date_time_ymd(2026, 5, 1);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(certificate.der()).unwrap();
        assert_eq!(validity.begins_at.to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(validity.ends_at.to_rfc3339(), "2026-05-01T00:00:00+00:00");
        assert_eq!(Validity::of(b"nonsense"), None);
    }
}
