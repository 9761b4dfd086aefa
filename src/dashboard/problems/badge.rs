//! The number of problems in the navigation.

use crate::access::Principal;
use crate::app::state::AppState;
use crate::model::filter::SessionFilter;
use crate::model::session::SessionOrder;
use crate::platform::clock;
use crate::platform::tls::{Expiry, ValidityOfServed};
use crate::query;
use crate::store::session_list::SessionPage;

/// The number of problems that a visitor may see, some seconds old at most; what cannot be read now does not count.
///
/// Counts what the page of problems shows as cards: each domain and cause of rejected callbacks, all callbacks of
/// unregistered domains as one, each domain and reason of quarantined callbacks, all unconfirmed sessions as one, each domain
/// whose list at the provider is not read or misses many sessions, and a certificate that must be renewed. Not counted are silent
/// domains and failing parts of the service: every page asks for this number, and those take more than a few bounded queries.
pub async fn count(state: &AppState, principal: &Principal) -> u32 {
    let visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    state.page_caches.problems.get_with(visible_domains, count_now(state, principal)).await
}

async fn count_now(state: &AppState, principal: &Principal) -> u32 {
    let pool = &state.query_pool;
    let now = clock::now();
    let rejected = query::rejections::count_rejection_groups(pool, principal, now).await;
    let rejected = rejected.map_or(0, |groups| groups.of_registered + groups.of_unregistered.min(1));
    let quarantined = query::events::list_quarantine_groups(pool, principal).await.map_or(0, |groups| groups.len());
    let filter = SessionFilter { unconfirmed: Some(true), ..SessionFilter::default() };
    let first = SessionPage { order: SessionOrder::OldestFirst, after: None, limit: 1 };
    let listed = query::sessions::list_sessions(pool, principal, state.unconfirmed_after, &filter, first, false).await;
    let is_unconfirmed = listed.is_ok_and(|listed| !listed.page.rows.is_empty());
    let lists = query::provider_lists::find_problems(pool, principal, now).await.unwrap_or_default();
    let lists = lists.unread.len() + lists.mass_absences.len();
    let validity = state.certificate.as_ref().and_then(ValidityOfServed::get);
    let must_renew = validity.is_some_and(|validity| validity.expiry(now) != Expiry::Far);
    u32::try_from(rejected).unwrap_or(u32::MAX)
        + u32::try_from(quarantined).unwrap_or(u32::MAX)
        + u32::try_from(lists).unwrap_or(u32::MAX)
        + u32::from(is_unconfirmed)
        + u32::from(must_renew)
}
