//! Converts rows of the log to entries that can be folded.

use std::mem;

use chrono::DateTime;

use crate::huawei::notification::Event;
use crate::model::event::{Disposition, Origin, OwnEvent, Signature};
use crate::session::entry::{Details, Entry, Fact, Receipt, Unlisted};
use crate::store::log::EntryRow;

/// Converts a row to an entry.
///
/// # Panics
/// When a row violates a constraint of the log, which the database prevents.
pub fn entry_of(row: EntryRow) -> Entry {
    Entry { position: row.position, recorded_at: row.recorded_at, fact: fact_of(row) }
}

fn fact_of(row: EntryRow) -> Fact {
    match row.disposition {
        Disposition::Quarantined => Fact::Quarantined,
        Disposition::Released => Fact::Released(Box::new(said_by_provider(released(row)))),
        Disposition::Accepted => accepted_fact_of(row),
    }
}

fn accepted_fact_of(row: EntryRow) -> Fact {
    match row.origin {
        Origin::Provider => said_by_provider(row),
        // An unknown word is of a later version.
        Origin::Inference | Origin::Operator | Origin::Poll => {
            row.event.parse().map_or(Fact::Unknown, |event| own_fact_of(event, &row))
        }
    }
}

fn own_fact_of(event: OwnEvent, row: &EntryRow) -> Fact {
    let end = || row.ended_at.unwrap_or_else(|| unreachable!("an event that ends a session has `ended_at`"));
    match event {
        OwnEvent::Superseded => Fact::Superseded { ended_at: end() },
        OwnEvent::TimedOut => Fact::TimedOut { ended_at: end() },
        OwnEvent::OperatorEnd => Fact::OperatorEnd { ended_at: end() },
        OwnEvent::OperatorEndWithdrawn => Fact::OperatorEndWithdrawn,
        OwnEvent::OperatorConfirmed => Fact::OperatorConfirmed { confirmed_at: row.received_at },
        OwnEvent::Listed => Fact::Listed { listed_at: row.received_at },
        OwnEvent::Unlisted => Fact::Unlisted(Unlisted { unlisted_at: row.received_at, ended_at: end() }),
        OwnEvent::History => Fact::History { ended_at: end() },
        OwnEvent::Replaced => Fact::Replaced,
    }
}

fn said_by_provider(mut row: EntryRow) -> Fact {
    match Event::from_word(mem::take(&mut row.event)) {
        Event::Publish => Fact::Started(receipt_of(row)),
        Event::PublishDone => Fact::Ended(receipt_of(row)),
        Event::Other(_) => Fact::Unknown,
    }
}

/// The released callback as it was when it arrived.
fn released(release: EntryRow) -> EntryRow {
    let (Some(event), Some(received_at)) = (release.original_event, release.original_received_at) else {
        unreachable!("a release names the event that it releases")
    };
    EntryRow { event, received_at, original_event: None, original_received_at: None, ..release }
}

fn receipt_of(row: EntryRow) -> Receipt {
    let verified = row.signature == Some(Signature::Verified);
    Receipt {
        received_at: row.received_at,
        signature_expires_at: row
            .auth_timestamp
            .filter(|_| verified)
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        shares_signature: row.signature_shared_with.is_some(),
        details: Details {
            client_ip: row.client_ip,
            node_ip: row.node_ip,
            user_args: row.user_args,
            rendition_template: row.rendition_template,
            redacted: row.blanked,
        },
    }
}
