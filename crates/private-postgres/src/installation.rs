//! Finds `PostgreSQL`'s programs on this machine.
//!
//! A folder that the operator names is the only one used. Otherwise all usual folders of `PostgreSQL` packages are
//! searched, and the newest version wins, the first folder on a tie; but existing data needs exactly the version that
//! wrote it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{error::PostgresError, install_hint};

/// The oldest major version that the schema supports.
const OLDEST: u32 = 15;

/// Parent folder and prefix of a subfolder that contains `bin`: `/usr/lib/postgresql/*/bin` and the like.
const PLACES: [(&str, &str); 6] = [
    ("usr/lib/postgresql", ""),
    ("usr", "pgsql-"),
    ("opt/homebrew/opt", "postgresql"),
    ("usr/local/opt", "postgresql"),
    ("home/linuxbrew/.linuxbrew/opt", "postgresql"),
    ("Applications/Postgres.app/Contents/Versions", ""),
];

/// A bin folder and its major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostgresBinaries {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

impl PostgresBinaries {
    /// Finds the programs for `pgdata`, which version `wanted` wrote (`None`: it does not exist yet).
    pub(super) fn find(named: Option<&Path>, pgdata: &Path, wanted: Option<u32>) -> Result<Self, PostgresError> {
        let install = install_hint::of_this_machine();
        let found = match named.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => vec![Self::named(folder, install)?],
            None => SearchPaths::of_this_machine().installations(),
        };
        choose(&found, pgdata, wanted, install)
    }

    fn named(folder: &Path, install: &'static str) -> Result<Self, PostgresError> {
        // Absolute, because the programs are run from another working folder.
        let found = std::path::absolute(folder).ok().and_then(|bin| Self::examine(&bin));
        found.ok_or_else(|| PostgresError::NoProgramsInNamedFolder {
            folder: folder.to_path_buf(),
            oldest: OLDEST,
            install,
        })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Whether `pg_config` reports that the server is built with LZ4; false if there is none in the server's folder.
    pub(super) fn has_lz4(&self) -> bool {
        // The program that was found may be a link.
        let server = self.program("postgres").canonicalize();
        let libraries = server.ok().and_then(|server| output_of(&server.with_file_name("pg_config"), "--libs"));
        libraries.is_some_and(|libraries| libraries.contains("-llz4"))
    }

    /// The installation in this bin folder, if it has both programs and the server reports its version.
    fn examine(bin: &Path) -> Option<Self> {
        let complete = ["postgres", "initdb"].iter().all(|program| bin.join(program).is_file());
        let told = complete.then(|| output_of(&bin.join("postgres"), "--version")).flatten()?;
        Some(Self { bin: bin.to_path_buf(), major: parse_version(&told)? })
    }
}

/// The folders to search. Separate from the machine, so that tests can search others.
struct SearchPaths {
    root: PathBuf,
    path: Vec<PathBuf>,
}

impl SearchPaths {
    fn of_this_machine() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        Self { root: PathBuf::from("/"), path: env::split_paths(&path).filter(|folder| folder.is_absolute()).collect() }
    }

    /// All installations, without duplicates, in search order.
    fn installations(&self) -> Vec<PostgresBinaries> {
        let mut seen = Vec::new();
        let mut found = Vec::new();
        for bin in self.bin_folders() {
            let Ok(real) = bin.canonicalize() else {
                continue;
            };
            if !seen.contains(&real) {
                found.extend(PostgresBinaries::examine(&bin));
                seen.push(real);
            }
        }
        found
    }

    fn bin_folders(&self) -> Vec<PathBuf> {
        let mut folders = self.path.clone();
        if let Some(pg_config) = self.path.iter().map(|folder| folder.join("pg_config")).find(|file| file.is_file()) {
            folders.extend(output_of(&pg_config, "--bindir").map(|told| PathBuf::from(told.trim())));
        }
        for (parent, beginning) in PLACES {
            let Ok(entries) = fs::read_dir(self.root.join(parent)) else {
                continue;
            };
            let mut bins: Vec<PathBuf> = entries
                .filter_map(Result::ok)
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
                .map(|entry| entry.path().join("bin"))
                .collect();
            bins.sort();
            folders.extend(bins);
        }
        folders
    }
}

fn choose(
    found: &[PostgresBinaries],
    pgdata: &Path,
    wanted: Option<u32>,
    install: &'static str,
) -> Result<PostgresBinaries, PostgresError> {
    if let Some(wanted) = wanted.filter(|wanted| *wanted >= OLDEST) {
        return found.iter().find(|one| one.major == wanted).cloned().ok_or_else(|| {
            PostgresError::VersionNotInstalled { pgdata: pgdata.to_path_buf(), wanted, found: list_versions(found) }
        });
    }
    // `max_by_key` returns the last of equal elements, but the first folder must win.
    let Some(newest) = found.iter().rev().max_by_key(|one| one.major) else {
        return Err(PostgresError::NoInstallation { oldest: OLDEST, install });
    };
    match wanted {
        None if newest.major >= OLDEST => Ok(newest.clone()),
        _ => Err(PostgresError::InstallationTooOld {
            found: wanted.unwrap_or(newest.major),
            folder: wanted.map_or_else(|| newest.bin.clone(), |_| pgdata.to_path_buf()),
            oldest: OLDEST,
            install,
        }),
    }
}

fn list_versions(found: &[PostgresBinaries]) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    let versions: Vec<String> = found.iter().map(|one| format!("{} ({})", one.major, one.bin.display())).collect();
    format!("only {}", versions.join(", "))
}

/// The major version in the output of `postgres --version`: `postgres (PostgreSQL) 16.3 (Debian …)`, `… 18beta1`.
fn parse_version(told: &str) -> Option<u32> {
    let version = told.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len());
    version.get(..digits)?.parse().ok()
}

fn output_of(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).env("LC_ALL", "C").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(bin: &str, major: u32) -> PostgresBinaries {
        PostgresBinaries { bin: PathBuf::from(bin), major }
    }

    fn choose_from(found: &[PostgresBinaries], wanted: Option<u32>) -> Result<PostgresBinaries, PostgresError> {
        choose(found, Path::new("/data/postgres"), wanted, "install it")
    }

    fn put_programs(bin: &Path, version: &str) {
        fs::create_dir_all(bin).unwrap();
        for program in ["postgres", "initdb"] {
            put_program(&bin.join(program), &format!("{program} (PostgreSQL) {version}"));
        }
    }

    /// A shell writes the program. If this process did, a child that another test starts at that moment would inherit
    /// the open file, and a file that is open for writing cannot be executed.
    fn put_program(file: &Path, told: &str) {
        let write = r#"printf '#!/bin/sh\necho "%s"\n' "$1" >"$0" && chmod 755 "$0""#;
        assert!(Command::new("sh").args(["-c", write]).arg(file).arg(told).status().unwrap().success());
    }

    #[test]
    fn versions_are_read_as_servers_tell_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(parse_version("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(parse_version("something else 15.1"), None);
        assert_eq!(parse_version("postgres (PostgreSQL) devel"), None);
    }

    #[test]
    fn the_newest_version_wins_and_the_first_place_on_a_tie() {
        let found = [installation("/a", 14), installation("/b", 16), installation("/c", 16), installation("/d", 15)];
        assert_eq!(choose_from(&found, None).unwrap(), installation("/b", 16));
    }

    #[test]
    fn data_that_is_there_wants_exactly_its_version() {
        let found = [installation("/b", 17), installation("/d", 15)];
        assert_eq!(choose_from(&found, Some(15)).unwrap(), installation("/d", 15));
        let error = choose_from(&found, Some(16)).unwrap_err();
        assert!(matches!(error, PostgresError::VersionNotInstalled { wanted: 16, .. }));
        assert!(error.to_string().contains("this machine has only 17 (/b), 15 (/d)"), "{error}");
    }

    #[test]
    fn what_is_too_old_is_named() {
        let error = choose_from(&[installation("/old", 13)], None).unwrap_err();
        assert!(matches!(&error, PostgresError::InstallationTooOld { found: 13, .. }));
        assert!(error.to_string().contains("/old"), "{error}");
    }

    #[test]
    fn without_an_installation_the_error_names_the_install_and_the_way_round() {
        let error = choose_from(&[], None).unwrap_err().to_string();
        assert!(error.contains("install it") && error.contains("DATABASE_URL"), "{error}");
    }

    #[test]
    fn a_machine_without_postgres_has_no_installation() {
        let root = tempfile::tempdir().unwrap();
        let places = SearchPaths { root: root.path().to_path_buf(), path: vec![root.path().join("bin")] };
        assert_eq!(places.installations(), []);
    }

    #[test]
    fn a_folder_on_the_path_needs_both_programs() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("bin");
        put_programs(&path, "16.1");
        fs::remove_file(path.join("initdb")).unwrap();
        let places = SearchPaths { root: root.path().to_path_buf(), path: vec![path] };
        assert_eq!(places.installations(), []);
    }

    #[test]
    fn a_named_folder_counts_alone() {
        let root = tempfile::tempdir().unwrap();
        let named = |folder: &Path| PostgresBinaries::find(Some(folder), Path::new("/data"), None);
        let error = named(root.path()).unwrap_err();
        assert!(matches!(error, PostgresError::NoProgramsInNamedFolder { .. }), "{error}");
        put_programs(root.path(), "16.1");
        assert_eq!(named(root.path()).unwrap().program("initdb"), root.path().join("initdb"));
        put_programs(root.path(), "14.1");
        let error = named(root.path()).unwrap_err();
        assert!(matches!(error, PostgresError::InstallationTooOld { found: 14, .. }), "{error}");
    }

    #[test]
    fn pg_config_tells_whether_the_server_has_lz4() {
        let root = tempfile::tempdir().unwrap();
        let [bin, linked] = ["bin", "linked"].map(|folder| root.path().join(folder));
        put_programs(&bin, "16.1");
        fs::create_dir(&linked).unwrap();
        std::os::unix::fs::symlink(bin.join("postgres"), linked.join("postgres")).unwrap();
        let installed = PostgresBinaries { bin: linked, major: 16 };
        assert!(!installed.has_lz4());
        for (libraries, expected) in [("-lpgcommon -lzstd -lz", false), ("-lpgcommon -lzstd -llz4 -lz", true)] {
            put_program(&bin.join("pg_config"), libraries);
            assert_eq!(installed.has_lz4(), expected, "{libraries}");
        }
    }

    #[test]
    fn the_usual_places_and_pg_config_are_looked_at_once_each() {
        let root = tempfile::tempdir().unwrap();
        let at = |folder: &str| root.path().join(folder);
        put_programs(&at("usr/lib/postgresql/15/bin"), "15.4");
        put_programs(&at("usr/pgsql-17/bin"), "17.0");
        put_programs(&at("opt/homebrew/opt/postgresql@16/bin"), "16.2");
        put_programs(&at("elsewhere/bin"), "18.1");
        fs::create_dir(at("bin")).unwrap();
        put_program(&at("bin/pg_config"), &at("elsewhere/bin").display().to_string());
        std::os::unix::fs::symlink(at("elsewhere"), at("usr/pgsql-18")).unwrap();

        let places = SearchPaths { root: root.path().to_path_buf(), path: vec![at("bin")] };
        let majors: Vec<u32> = places.installations().iter().map(|one| one.major).collect();
        assert_eq!(majors, [18, 15, 17, 16]);
    }
}
