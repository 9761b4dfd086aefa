//! Whether a domain is known, and which one was meant.

use anyhow::bail;

use crate::cli::database::CommandContext;
use crate::cli::suggestion::closest;
use crate::model::filter::StreamFilter;
use crate::store;
use crate::store::stream::StreamScope;

/// # Errors
/// Always: the domain is not registered. Suggests a similar name.
pub(in crate::cli) async fn fail_unknown_domain<T>(on: &CommandContext, domain: &str) -> anyhow::Result<T> {
    let rows = store::domain::list_domains(&on.pool).await?;
    match closest(domain, rows.iter().map(|row| row.domain.as_str())) {
        Some(meant) => bail!("{domain} is not registered; did you mean {meant}? `domain list` shows all domains"),
        None => bail!("{domain} is not registered; `domain list` shows all domains, `domain add` registers one"),
    }
}

/// # Errors
/// The domain is not registered, and no stream of it is in the history.
pub(in crate::cli) async fn reject_unknown_domain(on: &CommandContext, domain: &str) -> anyhow::Result<()> {
    let filter = StreamFilter { domain: Some(domain.to_owned()), ..StreamFilter::default() };
    let is_known = store::domain::get_domain(&on.pool, domain).await?.is_some()
        || !store::stream::list_streams(&on.pool, StreamScope::default(), &filter, None, 1).await?.is_empty();
    if is_known { Ok(()) } else { fail_unknown_domain(on, domain).await }
}
