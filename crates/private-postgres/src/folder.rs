//! The data folder: its layout, its creation, and the service's files in it.
//!
//! The folder belongs to the service and is never given to the server's user, since it contains the service's secrets;
//! only `postgres/` and `socket/` in it are. If root owns it, the server's user needs search permission: mode 0711
//! grants it without letting anyone list the folder. This process is root only if root owns the folder and all folders
//! above it; otherwise the service has switched to the owner before. So no other user can replace a file of the service
//! by a link.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::{account::Account, error::PostgresError};

/// An existing data folder, with its canonical path.
#[derive(Debug, Clone)]
pub(super) struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// Creates `data_dir` if it is missing, and makes sure that the `server` user can access it.
    pub(super) fn prepare(data_dir: &Path, server: &Account) -> Result<Self, PostgresError> {
        let ourselves = Account::ourselves()?;
        let wanted = std::path::absolute(data_dir).map_err(PostgresError::io("resolve", data_dir))?;
        let refused =
            |source| PostgresError::CreateFolder { path: wanted.clone(), user: ourselves.name.clone(), source };
        let existing = deepest_existing(&wanted).map_err(refused)?;
        if !existing.is_dir() {
            return Err(PostgresError::NotAFolder { path: existing });
        }
        if ourselves.is_root() {
            if existing == wanted {
                open_up(&wanted, server)?;
            }
            check_passage(&existing, &wanted, server)?;
        }
        create_below(&existing, &wanted, ourselves.is_root()).map_err(refused)?;
        let path = wanted.canonicalize().map_err(PostgresError::io("resolve", &wanted))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock file: its holder may use the folder.
    pub(super) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// The log of the server's standard output and error.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The database.
    pub(super) fn pgdata(&self) -> PathBuf {
        pgdata_of(&self.path)
    }

    /// The database while it is being created.
    pub(super) fn new_pgdata(&self) -> PathBuf {
        self.path.join("postgres.new")
    }

    /// Who may connect. It is outside of `postgres/`, where the server's user could replace it by a link.
    pub(super) fn hba(&self) -> PathBuf {
        self.path.join("pg_hba.conf")
    }

    /// Maps users of the machine to roles.
    pub(super) fn ident(&self) -> PathBuf {
        self.path.join("pg_ident.conf")
    }

    /// Writes a small, world-readable file atomically, unless it has this content already.
    pub(super) fn write_file(path: &Path, content: &str) -> Result<(), PostgresError> {
        if fs::read_to_string(path).is_ok_and(|present| present == content) {
            return Ok(());
        }
        let new = path.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file = open_file(&new, 0o644, OpenOptions::new().write(true).truncate(true))?;
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.write_all(content.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)
        };
        write().map_err(PostgresError::io("write", path))
    }
}

/// Opens a file of the service in the data folder, or creates it with `mode`. Does not follow links.
pub(super) fn open_file(path: &Path, mode: u32, options: &mut OpenOptions) -> io::Result<File> {
    options.create(true).mode(mode).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

/// The path of a data folder's database.
pub(super) fn pgdata_of(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres")
}

/// `path`, or the nearest folder above it that exists.
fn deepest_existing(path: &Path) -> io::Result<PathBuf> {
    for folder in path.ancestors() {
        match fs::metadata(folder) {
            Ok(_) => return Ok(folder.to_path_buf()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Gives the server's user search permission on root's data folder, if the folder is empty or has the service's lock
/// file. Any other folder (`--data-dir /root`) must not be opened up.
fn open_up(data_dir: &Path, server: &Account) -> Result<(), PostgresError> {
    let metadata = fs::metadata(data_dir).map_err(PostgresError::io("access", data_dir))?;
    if metadata.uid() != 0 || may_pass(&metadata, server) {
        return Ok(());
    }
    let mut entries = fs::read_dir(data_dir).map_err(PostgresError::io("list", data_dir))?;
    if data_dir.join("lock").is_file() || entries.next().is_none() {
        let mode = Permissions::from_mode(metadata.mode() & 0o7777 | 0o011);
        fs::set_permissions(data_dir, mode).map_err(PostgresError::io("set the mode of", data_dir))?;
    }
    Ok(())
}

/// Fails with the first folder on the path to `existing` that the server's user may not enter.
fn check_passage(existing: &Path, data_dir: &Path, server: &Account) -> Result<(), PostgresError> {
    let real = existing.canonicalize().map_err(PostgresError::io("resolve", existing))?;
    let mut way: Vec<&Path> = real.ancestors().collect();
    way.reverse();
    for folder in way {
        let metadata = fs::metadata(folder).map_err(PostgresError::io("access", folder))?;
        if !may_pass(&metadata, server) {
            return Err(PostgresError::NotTraversable {
                folder: folder.to_path_buf(),
                data_dir: data_dir.to_path_buf(),
                user: server.name.clone(),
            });
        }
    }
    Ok(())
}

/// Whether a user without supplementary groups may enter a folder, by its mode.
fn may_pass(metadata: &fs::Metadata, user: &Account) -> bool {
    let execute = if metadata.uid() == user.uid {
        0o100
    } else if metadata.gid() == user.gid {
        0o010
    } else {
        0o001
    };
    metadata.mode() & execute != 0
}

/// Creates the folders from `existing` (exclusive) to `data_dir` (inclusive): inaccessible to others, or, if root
/// creates them, with search permission for others.
fn create_below(existing: &Path, data_dir: &Path, root: bool) -> io::Result<()> {
    let mode = if root { 0o711 } else { 0o700 };
    let mut missing: Vec<&Path> = data_dir.ancestors().take_while(|folder| *folder != existing).collect();
    missing.reverse();
    for folder in missing {
        match DirBuilder::new().mode(mode).create(folder) {
            // The umask may have removed permissions that the server's user needs.
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(mode))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger() -> Account {
        Account { uid: 4_000_000, gid: 4_000_000, name: "stranger".to_owned() }
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let closed = temp.path().join("closed");
        fs::create_dir_all(closed.join("below")).unwrap();
        fs::set_permissions(temp.path(), Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        let error = check_passage(&closed.join("below"), &closed.join("below/data"), &stranger()).unwrap_err();
        let PostgresError::NotTraversable { folder, .. } = &error else { panic!("{error}") };
        assert_eq!(*folder, closed.canonicalize().unwrap());
    }

    #[test]
    fn the_most_specific_class_decides_who_may_pass() {
        let temp = tempfile::tempdir().unwrap();
        let metadata_with = |mode| {
            fs::set_permissions(temp.path(), Permissions::from_mode(mode)).unwrap();
            fs::metadata(temp.path()).unwrap()
        };
        let metadata = metadata_with(0o601);
        let owner = Account { uid: metadata.uid(), ..stranger() };
        let group = Account { gid: metadata.gid(), ..stranger() };
        assert!(!may_pass(&metadata, &owner));
        assert!(!may_pass(&metadata, &group));
        assert!(may_pass(&metadata, &stranger()));
        assert!(may_pass(&metadata_with(0o710), &group));
        assert!(!may_pass(&metadata_with(0o710), &stranger()));
    }

    #[test]
    fn missing_folders_are_made_with_their_mode_and_existing_ones_are_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let wanted = temp.path().join("a/b");
        let mode_of = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let before = mode_of(temp.path());
        assert_eq!(deepest_existing(&wanted).unwrap(), temp.path());
        create_below(temp.path(), &wanted, false).unwrap();
        assert_eq!((mode_of(&wanted), mode_of(temp.path())), (0o700, before));
        create_below(&temp.path().join("a"), &temp.path().join("a/c"), true).unwrap();
        assert_eq!(mode_of(&temp.path().join("a/c")), 0o711);
    }

    #[test]
    fn a_file_in_the_way_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(deepest_existing(&file.join("data")).unwrap(), file);
    }

    #[test]
    fn a_link_in_place_of_a_file_of_ours_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataDirectory { path: temp.path().to_path_buf() };
        std::os::unix::fs::symlink(temp.path().join("target"), folder.log()).unwrap();
        open_file(&folder.log(), 0o600, OpenOptions::new().append(true)).unwrap_err();
        assert!(!temp.path().join("target").exists());
    }
}
