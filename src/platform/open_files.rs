//! The limit of open files, which bounds the number of connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Generous estimate of the files that the service has open in addition to callers' connections.
const OTHER_FILES: u64 = 512;

/// Each connection has two file descriptors: one of the server, and one of the code that closes idle connections.
const FILES_A_CONNECTION: u64 = 2;

/// Raises the soft limit to the hard limit.
pub fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current != raised.current
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "could not raise the limit of open files: fewer connections can be open than --max-connections says"
        );
    }
}

/// Warns if the limit is too low for this many connections.
pub fn check_limit(max_connections: u32) {
    let needed = u64::from(max_connections) * FILES_A_CONNECTION + OTHER_FILES;
    // `None` means no limit.
    if let Some(limit) = getrlimit(Resource::Nofile).current.filter(|limit| *limit < needed) {
        tracing::warn!(
            limit,
            needed,
            "the limit of open files is too low for --max-connections: raise the hard limit (ulimit -Hn), or lower \
             it"
        );
    }
}
