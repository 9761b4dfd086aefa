//! The memory that the server may use.

use std::fs;

/// The files of a container's limit, for both versions of control groups. Without a limit, they contain a word or a
/// huge number.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The bytes of the machine, or the container's limit; `None` if unknown.
pub(super) fn available_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let limit = |path| fs::read_to_string(path).ok()?.trim().parse().ok();
    LIMITS.into_iter().filter_map(limit).chain(machine).min()
}

fn total_of(meminfo: &str) -> Option<u64> {
    let kibibytes = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kibibytes.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_it_has() {
        assert_eq!(total_of("MemTotal:       24689756 kB\nMemFree: 1 kB\n"), Some(25_282_310_144));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
    }
}
