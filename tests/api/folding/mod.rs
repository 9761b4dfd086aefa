//! From events to sessions: step by step, ends that are inferred or set, and a rebuild from the log.

mod confirmations;
mod inference;
mod operator_ends;
pub mod rebuild;
mod reconciler;
