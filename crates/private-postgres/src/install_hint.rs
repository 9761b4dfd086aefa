//! The command that installs `PostgreSQL` on this machine, for an error message. It is not run.

use std::fs;

/// The command that installs a server on this machine.
pub(super) fn of_this_machine() -> &'static str {
    of_system(&fs::read_to_string("/etc/os-release").unwrap_or_default())
}

/// The same, by the contents of `/etc/os-release`, which names the system and its relatives.
fn of_system(os_release: &str) -> &'static str {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17";
    }
    let families: Vec<&str> = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .collect();
    let is = |names: &[&str]| families.iter().any(|family| names.contains(family));
    if is(&["debian", "ubuntu"]) {
        "apt-get install postgresql"
    } else if is(&["fedora", "rhel", "centos", "amzn"]) {
        "dnf install postgresql-server"
    } else if is(&["alpine"]) {
        "apk add postgresql"
    } else if is(&["arch"]) {
        "pacman -S postgresql"
    } else if is(&["suse", "opensuse"]) {
        "zypper install postgresql-server"
    } else {
        "the package postgresql or postgresql-server of this system"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_install_line_fits_the_system() {
        if cfg!(target_os = "linux") {
            assert_eq!(of_system("NAME=\"Debian\"\nID=debian\n"), "apt-get install postgresql");
            assert_eq!(of_system("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), "apt-get install postgresql");
            assert_eq!(of_system("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), "dnf install postgresql-server");
            assert!(of_system("").contains("postgresql"));
        }
    }
}
