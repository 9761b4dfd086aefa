//! What a filter asks of a session beside its names, as [`store::session_list`](crate::store::session_list) asks the
//! database: for sessions that are not in it as they were.

use crate::model::session::{Renditions, SessionStatus, TimeField};
use crate::session::address::canonical;
use crate::session::lifecycle::{duration_seconds, is_unconfirmed};
use crate::store::session::SessionRow;
use crate::store::session_list::SessionFilter;

/// Whether a session may fit at one time and not at another.
pub(super) fn can_change(filter: &SessionFilter) -> bool {
    let by_end = filter.time_field != TimeField::StartedAt && (filter.from.is_some() || filter.to.is_some());
    by_end
        || filter.status.is_some()
        || filter.unconfirmed.is_some()
        || filter.ended_at_source.is_some()
        || filter.flag.is_some()
        || filter.client_ip.is_some()
        || filter.node_ip.is_some()
        || filter.min_duration_seconds.is_some()
        || filter.max_duration_seconds.is_some()
        || filter.renditions != Renditions::Include
        || filter.at.is_some()
}

/// Whether a session fits that has the right names.
pub(super) fn admits(filter: &SessionFilter, session: &SessionRow) -> bool {
    has_state(filter, session) && has_duration(filter, session) && has_times(filter, session)
}

fn has_state(filter: &SessionFilter, session: &SessionRow) -> bool {
    let unconfirmed = is_unconfirmed(session.started_at, session.ended_at, filter.as_of, filter.unconfirmed_after);
    let is_live = session.ended_at.is_none();
    filter.status.is_none_or(|status| (status == SessionStatus::Live) == is_live)
        && filter.ended_at_source.is_none_or(|source| session.ended_at_source == Some(source))
        && has_address(filter.client_ip.as_ref(), session.client_address.as_ref().or(session.client_ip.as_ref()))
        && has_address(filter.node_ip.as_ref(), session.node_address.as_ref().or(session.node_ip.as_ref()))
        && filter.flag.as_ref().is_none_or(|flag| session.flags.contains(flag))
        && filter.unconfirmed.is_none_or(|wanted| wanted == unconfirmed)
        && match filter.renditions {
            Renditions::Include => true,
            Renditions::Exclude => session.rendition_template.is_none(),
            Renditions::Only => session.rendition_template.is_some(),
        }
}

fn has_address(wanted: Option<&String>, address: Option<&String>) -> bool {
    wanted.is_none_or(|wanted| address.is_some_and(|address| *address == canonical(wanted)))
}

fn has_duration(filter: &SessionFilter, session: &SessionRow) -> bool {
    let seconds = duration_seconds(session.started_at, session.ended_at, filter.as_of);
    filter.min_duration_seconds.is_none_or(|least| seconds >= least)
        && filter.max_duration_seconds.is_none_or(|most| seconds <= most)
}

fn has_times(filter: &SessionFilter, session: &SessionRow) -> bool {
    let SessionRow { started_at, ended_at, .. } = *session;
    let ends_after = |time| ended_at.is_none_or(|ended_at| ended_at > time);
    let in_period = match filter.time_field {
        TimeField::Overlap => {
            filter.to.is_none_or(|to| started_at < to)
                && filter.from.is_none_or(|from| ends_after(from) || started_at >= from)
        }
        TimeField::StartedAt => {
            filter.to.is_none_or(|to| started_at < to) && filter.from.is_none_or(|from| started_at >= from)
        }
        TimeField::EndedAt => {
            filter.to.is_none_or(|to| ended_at.is_some_and(|ended_at| ended_at < to))
                && filter.from.is_none_or(|from| ended_at.is_some_and(|ended_at| ended_at >= from))
        }
    };
    in_period && filter.at.is_none_or(|at| started_at <= at && ends_after(at))
}
