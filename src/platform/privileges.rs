//! Drops root privileges before the process uses a folder that another user owns.
//!
//! The owner of a folder can replace anything in it, and any folder below, by a link to any file of the machine, at any
//! time. Root would follow the link: read a file that only root may read, overwrite it, or change its owner. The flags
//! of `open` prevent that for the last component of one path, but not for the folders above it, and not in `PostgreSQL`
//! or code that is added later. A process with the owner's privileges can follow any link safely: it reaches nothing
//! that the owner could not reach anyway.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User};
use rustix::io::Errno;

const ROOT: Uid = Uid::from_raw(0);

/// How many links a path may contain, as on Linux.
const MAX_LINKS: usize = 40;

/// Root privileges that are dropped temporarily: the process acts as another user, and can regain them.
#[derive(Debug)]
pub struct RootPrivileges {
    group: Gid,
    groups: Vec<Gid>,
    owner: Uid,
    group_of_owner: Gid,
}

impl RootPrivileges {
    /// Drops root privileges if another user could change the target of `path`: the process then acts as the owner of
    /// the deepest file or folder on the path that root does not own. `None` if there is none, or the process is not
    /// root.
    ///
    /// # Errors
    /// When a folder on the path cannot be read, or the system does not let the process act as that user.
    pub fn drop_for(path: &Path) -> io::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let Some(owner) = owner_on_the_way(&std::path::absolute(path)?, MAX_LINKS)? else { return Ok(None) };
        let group_of_owner = User::from_uid(owner)?.map_or(Gid::from_raw(owner.as_raw()), |user| user.gid);
        let privileges = Self { group: Gid::effective(), groups: system::groups()?, owner, group_of_owner };
        privileges.drop_temporarily()?;
        Ok(Some(privileges))
    }

    /// Drops them permanently.
    ///
    /// # Errors
    /// Those of the system; the process then still acts as the other user.
    pub fn drop_permanently(self) -> io::Result<()> {
        system::set_group(self.group_of_owner, self.group_of_owner)?;
        system::set_user(self.owner, self.owner)
    }

    pub fn regain_for<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        system::set_user(ROOT, ROOT)?;
        system::set_group(self.group, self.group)?;
        system::set_groups(&self.groups)?;
        let done = work();
        self.drop_temporarily()?;
        Ok(done)
    }

    fn drop_temporarily(&self) -> io::Result<()> {
        system::set_groups(&[])?;
        system::set_group(self.group_of_owner, self.group)?;
        system::set_user(self.owner, ROOT)
    }
}

/// The owner of the deepest file or folder on the path to `path` that root does not own. The path includes `path`
/// itself, and everything that its links lead through.
fn owner_on_the_way(path: &Path, links_left: usize) -> io::Result<Option<Uid>> {
    let mut owner = None;
    let mut way: Vec<&Path> = path.ancestors().collect();
    while let Some(part) = way.pop() {
        let metadata = match part.symlink_metadata() {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => break,
            metadata => metadata?,
        };
        owner = Some(Uid::from_raw(metadata.uid())).filter(|uid| !uid.is_root()).or(owner);
        if metadata.is_symlink() {
            let links_left = links_left.checked_sub(1).ok_or(Errno::LOOP)?;
            let target = part.parent().unwrap_or(part).join(part.read_link()?);
            owner = owner_on_the_way(&target, links_left)?.or(owner);
        }
    }
    Ok(owner)
}

/// Uses the C library, which changes all threads of the process; a plain system call changes one.
#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use nix::unistd::{Gid, Uid, getgroups, setgroups, setresgid, setresuid};

    pub(super) fn groups() -> io::Result<Vec<Gid>> {
        Ok(getgroups()?)
    }

    pub(super) fn set_groups(groups: &[Gid]) -> io::Result<()> {
        Ok(setgroups(groups)?)
    }

    /// Acts as `group`, and keeps the right to act as `kept`.
    pub(super) fn set_group(group: Gid, kept: Gid) -> io::Result<()> {
        Ok(setresgid(group, group, kept)?)
    }

    /// Acts as `user`, and keeps the right to act as `kept`.
    pub(super) fn set_user(user: Uid, kept: Uid) -> io::Result<()> {
        Ok(setresuid(user, user, kept)?)
    }
}

/// Other systems lack these calls for groups; an administrator must change the user there.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use nix::unistd::{Gid, Uid};

    pub(super) fn groups() -> io::Result<Vec<Gid>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn set_groups(_: &[Gid]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn set_group(_: Gid, _: Gid) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn set_user(_: Uid, _: Uid) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    const OTHER: u32 = 65_534;

    #[test]
    fn owner_is_found_through_folders_and_links() {
        if !Uid::effective().is_root() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let place = |name: &str| temp.path().join(name);
        for folder in ["own", "own/below", "theirs", "theirs/own"] {
            fs::create_dir(place(folder)).unwrap();
        }
        symlink(place("own"), place("theirs/link")).unwrap();
        symlink("theirs/link", place("link")).unwrap();
        symlink(place("loop"), place("loop")).unwrap();
        chown(place("theirs"), Some(OTHER), Some(OTHER)).unwrap();
        for (path, owner) in [
            ("own", None),
            ("own/below/new", None),
            ("theirs", Some(OTHER)),
            ("theirs/new/below", Some(OTHER)),
            ("theirs/own", Some(OTHER)),
            ("link/below", Some(OTHER)),
        ] {
            let found = owner_on_the_way(&place(path), MAX_LINKS).unwrap();
            assert_eq!(found, owner.map(Uid::from_raw), "{path}");
        }
        owner_on_the_way(&place("loop/below"), MAX_LINKS).unwrap_err();
    }
}
