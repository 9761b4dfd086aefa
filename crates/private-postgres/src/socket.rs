//! The folder of the server's socket.
//!
//! A socket's path must fit in 107 bytes. If that of the data folder is too long, a private folder with a short path is
//! used instead. Since other users can create folders there, too, it must belong to the right user and be inaccessible
//! to others.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{self as unix, DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::{
    account::{Account, owner_of},
    error::PostgresError,
};

/// The port in the socket's file name. Nothing listens on the network, and every folder has one server.
pub(super) const PORT: u16 = 5432;

/// The size of `sockaddr_un`'s path on Linux, without the final NUL; macOS has four bytes less.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The folder of the server's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SocketFolder {
    path: PathBuf,
    /// Whether it is outside of the data folder, where nothing else would clean it up.
    stands_in: bool,
}

impl SocketFolder {
    /// Chooses the folder for a data folder and creates it; fails if it is unsafe.
    pub(super) fn prepare(data_dir: &Path, identity: &str, server: &Account) -> Result<Self, PostgresError> {
        let ourselves = Account::ourselves()?;
        // Root's runtime folder is inaccessible to the server's user, also if root has become that user.
        let ours = |path: &PathBuf| owner_of(path).is_ok_and(|owner| owner == Some(ourselves.uid));
        let runtime_dir =
            env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|_| !ourselves.is_root()).filter(ours);
        let folder = Self::choose(data_dir, runtime_dir.as_deref().filter(|path| path.is_dir()), identity);
        make(&folder.path, &ourselves, server)?;
        Ok(folder)
    }

    fn choose(data_dir: &Path, runtime_dir: Option<&Path>, identity: &str) -> Self {
        let inside = data_dir.join("socket");
        if fits(&inside) {
            return Self { path: inside, stands_in: false };
        }
        let runtime = runtime_dir.filter(|path| path.is_absolute()).map(|path| path.join(identity));
        let path = runtime.filter(|path| fits(path)).unwrap_or_else(|| Path::new("/tmp").join(identity));
        Self { path, stands_in: true }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes stale files of a server that has ended.
    pub(super) fn remove_stale_files(&self) -> Result<(), PostgresError> {
        for name in [format!(".s.PGSQL.{PORT}"), format!(".s.PGSQL.{PORT}.lock")] {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PostgresError::io("remove the stale", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the folder if it is outside of the data folder and empty; otherwise it stays for the next start.
    pub(super) fn clean_up(&self) {
        if self.stands_in {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn fits(folder: &Path) -> bool {
    folder.join(format!(".s.PGSQL.{PORT}")).as_os_str().as_bytes().len() <= LONGEST_PATH
}

fn make(path: &Path, ourselves: &Account, server: &Account) -> Result<(), PostgresError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(PostgresError::io("create the socket's folder", path)(error));
        }
        _ => {}
    }
    let refuse = |fault| PostgresError::UnsafeSocketFolder { folder: path.to_path_buf(), fault };
    // From here on, the checks and the change of owner use the open folder, even if its path changes meanwhile.
    let folder = open_folder(path).map_err(|_| refuse("is not a folder that this user may open"))?;
    let metadata = folder.metadata().map_err(PostgresError::io("access", path))?;
    if ![ourselves.uid, server.uid].contains(&metadata.uid()) {
        return Err(refuse("belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refuse("is open to other users"));
    }
    if metadata.uid() != server.uid {
        let given = unix::fchown(&folder, Some(server.uid), Some(server.gid));
        given.map_err(PostgresError::io("change the owner of the socket's folder", path))?;
    }
    Ok(())
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn deep(length: usize) -> PathBuf {
        PathBuf::from(format!("/{}", "d".repeat(length - 1)))
    }

    #[test]
    fn the_socket_is_in_the_data_folder_as_long_as_its_path_fits() {
        let suffix = "/socket/.s.PGSQL.5432".len();
        let longest = deep(LONGEST_PATH - suffix);
        let chosen = SocketFolder::choose(&longest, None, "name");
        assert_eq!(chosen, SocketFolder { path: longest.join("socket"), stands_in: false });
        let chosen = SocketFolder::choose(&deep(LONGEST_PATH - suffix + 1), None, "name");
        assert_eq!(chosen, SocketFolder { path: PathBuf::from("/tmp/name"), stands_in: true });
    }

    #[test]
    fn the_runtime_folder_is_preferred_to_tmp_if_it_is_short_itself() {
        let chosen = SocketFolder::choose(&deep(200), Some(Path::new("/run/user/7")), "name");
        assert_eq!(chosen.path(), Path::new("/run/user/7/name"));
        for useless in [deep(100), PathBuf::from("relative")] {
            assert_eq!(SocketFolder::choose(&deep(200), Some(&useless), "name").path(), Path::new("/tmp/name"));
        }
    }

    #[test]
    fn a_folder_is_made_private_and_found_again() {
        let temp = tempfile::tempdir().unwrap();
        let ourselves = Account::ourselves().unwrap();
        let path = temp.path().join("s");
        for _ in 0..2 {
            make(&path, &ourselves, &ourselves).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_folder_that_others_prepared_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let ourselves = Account::ourselves().unwrap();
        let refusal_of = |path: &Path| make(path, &ourselves, &ourselves).unwrap_err().to_string();

        let open = temp.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o770)).unwrap();
        assert!(refusal_of(&open).contains("is open to other users"));

        let link = temp.path().join("link");
        unix::symlink(temp.path(), &link).unwrap();
        assert!(refusal_of(&link).contains("is not a folder"));

        if ourselves.is_root() {
            let foreign = temp.path().join("foreign");
            DirBuilder::new().mode(0o700).create(&foreign).unwrap();
            unix::chown(&foreign, Some(65_534), Some(65_534)).unwrap();
            assert!(refusal_of(&foreign).contains("belongs to another user"));
        }
    }

    #[test]
    fn stale_sockets_go_and_strange_files_stay() {
        let temp = tempfile::tempdir().unwrap();
        let folder = SocketFolder { path: temp.path().join("s"), stands_in: true };
        fs::create_dir(folder.path()).unwrap();
        for name in [".s.PGSQL.5432", ".s.PGSQL.5432.lock", "strange"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        folder.remove_stale_files().unwrap();
        folder.clean_up();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::remove_file(folder.path().join("strange")).unwrap();
        folder.clean_up();
        assert!(!folder.path().exists());
    }
}
