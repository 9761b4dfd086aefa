//! The server's command line and access files. Pure.
//!
//! The command line takes precedence over `postgresql.conf` and ALTER SYSTEM, so no edit can disable durability.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use super::{folder::DataDirectory, socket::PORT};

/// The role and the database of the service. The role owns the database but is not a superuser, so that SQL can neither
/// read files, such as the master key, nor run programs.
pub(super) const ROLE: &str = "streamtally";
pub(super) const DATABASE: &str = "streamtally";

/// The superuser that every server must have. No one can connect as it: no user of the machine is mapped to it.
pub(super) const SUPERUSER: &str = "postgres";

/// With less `/dev/shm` than this (containers have 64 MiB), a parallel query can exhaust it.
const ENOUGH_SHARED_MEMORY: u64 = 256 << 20;

/// A name for the database with this path: FNV-1a, which is the same in every build, so that later builds recognize its
/// servers and folders.
pub(super) fn identity_of(path: &Path) -> String {
    let hash =
        path.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("streamtally-{hash:016x}")
}

/// What the settings depend on.
pub(super) struct Machine {
    /// The size of `/dev/shm`, if it exists.
    pub(super) shared_memory_bytes: Option<u64>,
    pub(super) memory_bytes: Option<u64>,
    /// Whether the server can compress with LZ4.
    pub(super) has_lz4: bool,
}

/// All `-c` arguments. `extra` comes last, so it takes precedence.
pub(super) fn arguments(
    folder: &DataDirectory,
    socket_dir: &Path,
    identity: &str,
    machine: &Machine,
    extra: &[(String, String)],
) -> Vec<OsString> {
    let port = PORT.to_string();
    let shared_buffers = shared_buffers(machine.memory_bytes);
    let fixed = [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("port", &port),
        ("unix_socket_permissions", "0700"),
        ("cluster_name", identity),
        ("max_connections", "100"),
        ("shared_buffers", &shared_buffers),
        // The first change of a page after a checkpoint writes the whole page: with the default, a busy service had a
        // checkpoint every half minute.
        ("max_wal_size", "4GB"),
        // Most of these pages are of indexes by name, and compress well. Not every server is built with LZ4.
        ("wal_compression", if machine.has_lz4 { "lz4" } else { "off" }),
        ("dynamic_shared_memory_type", dynamic_shared_memory_type(machine.shared_memory_bytes)),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
    ];
    let paths = [
        ("hba_file", folder.hba().into_os_string()),
        ("ident_file", folder.ident().into_os_string()),
        ("unix_socket_directories", quote_list_item(socket_dir.as_os_str())),
    ];
    let fixed = fixed.iter().map(|(name, value)| (*name, OsStr::new(*value)));
    let paths = paths.iter().map(|(name, value)| (*name, value.as_os_str()));
    let extra = extra.iter().map(|(name, value)| (name.as_str(), OsStr::new(value)));
    fixed.chain(paths).chain(extra).flat_map(|(name, value)| setting(name, value)).collect()
}

fn setting(name: &str, value: &OsStr) -> [OsString; 2] {
    let mut argument = OsString::from(name);
    argument.push("=");
    argument.push(value);
    [OsString::from("-c"), argument]
}

/// Quotes a path in a setting that is a comma-separated list.
fn quote_list_item(path: &OsStr) -> OsString {
    let mut quoted = vec![b'"'];
    for byte in path.as_bytes() {
        quoted.push(*byte);
        if *byte == b'"' {
            quoted.push(b'"');
        }
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

/// An eighth of the memory, within bounds: lookups of sessions and signatures need random pages of indexes, and a small
/// machine also runs other programs.
fn shared_buffers(memory_bytes: Option<u64>) -> String {
    let [least, most] = [256, 2_048];
    format!("{}MB", memory_bytes.map_or(least, |bytes| (bytes >> 20) / 8).clamp(least, most))
}

/// The kind of memory that parallel queries share.
fn dynamic_shared_memory_type(bytes: Option<u64>) -> &'static str {
    match bytes {
        Some(bytes) if bytes >= ENOUGH_SHARED_MEMORY => "posix",
        None if !cfg!(target_os = "linux") => "posix",
        _ => "sysv",
    }
}

/// `pg_hba.conf`: only over the socket, authenticated by the user of the machine.
pub(super) fn access_rules() -> String {
    "# Written by streamtally at every start.\nlocal all all peer map=streamtally\n".to_owned()
}

/// `pg_ident.conf`: maps these users of the machine to the service's role.
pub(super) fn access_map(users: &[&str]) -> String {
    let mut map = "# Written by streamtally at every start.\n".to_owned();
    for user in users {
        let _ = writeln!(map, "streamtally \"{user}\" {ROLE}");
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_short_and_never_changes() {
        assert_eq!(identity_of(Path::new("")), "streamtally-cbf29ce484222325");
        assert_eq!(identity_of(Path::new("a")), "streamtally-af63dc4c8601ec8c");
    }

    #[test]
    fn a_path_in_a_list_is_quoted() {
        assert_eq!(quote_list_item(OsStr::new("/a, \"b\"")), OsString::from("\"/a, \"\"b\"\"\""));
    }

    #[test]
    fn a_small_or_missing_dev_shm_is_avoided() {
        assert_eq!(dynamic_shared_memory_type(Some(256 << 20)), "posix");
        assert_eq!(dynamic_shared_memory_type(Some(64 << 20)), "sysv");
        if cfg!(target_os = "linux") {
            assert_eq!(dynamic_shared_memory_type(None), "sysv");
        }
    }

    #[test]
    fn a_server_takes_an_eighth_of_the_memory_within_bounds() {
        let of = |gibibytes: u64| shared_buffers(Some(gibibytes << 30));
        assert_eq!([shared_buffers(None), of(1), of(4), of(64)], ["256MB", "256MB", "512MB", "2048MB"]);
    }

    #[test]
    fn each_user_has_a_line_in_the_map() {
        let map = access_map(&["root", "some one"]);
        assert!(map.ends_with("streamtally \"root\" streamtally\nstreamtally \"some one\" streamtally\n"), "{map}");
    }
}
