//! `openapi`: the API document.

use super::output::say;
use crate::http::api_document;

pub(super) const EXAMPLES: &str = "\
Examples:
  streamtally openapi >openapi.json";

/// # Errors
/// Standard output failed.
pub(super) fn print() -> anyhow::Result<()> {
    Ok(say!("{}", api_document().to_pretty_json()?)?)
}
