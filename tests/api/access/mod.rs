//! Who may do what: domains and their keys, tokens, and limits on callers.

mod administration;
mod audit;
mod boundaries;
mod quotas;
mod rotation;
mod tokens;
