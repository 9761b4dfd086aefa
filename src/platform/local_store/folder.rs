//! A folder of the local store. Its file operations make names durable, follow no symbolic links, and give files that
//! root creates to the folder's owner.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::platform::clock;

/// An existing folder.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// The owner of files that root creates: the user who owns the parent folder.
    owner: Option<(u32, u32)>,
}

impl Folder {
    /// Opens a folder, or creates it, accessible only to its owner: that of the parent folder.
    pub fn make(path: &Path) -> io::Result<Self> {
        let around = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let owner = fs::metadata(around).map(|around| (around.uid(), around.gid()))?;
        let folder = Self { path: path.to_owned(), owner: rustix::process::geteuid().is_root().then_some(owner) };
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {
                folder.give_away(&open(path, OpenOptions::new().read(true), OFlags::DIRECTORY)?)?;
                File::open(around)?.sync_all()?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(folder)
    }

    /// The same for a subfolder.
    pub fn make_inner(&self, name: &str) -> io::Result<Self> {
        Self::make(&self.path.join(name))
    }

    /// The folder's name, without its path.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The files in it, with names and sizes.
    pub fn files(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                files.push((entry.file_name().to_string_lossy().into_owned(), metadata.len()));
            }
        }
        Ok(files)
    }

    /// Opens a file for reading and writing.
    pub fn open(&self, name: &str) -> io::Result<File> {
        open(&self.path.join(name), OpenOptions::new().read(true).write(true), OFlags::empty())
    }

    /// Creates a file for reading and writing; its name is durable.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file =
            open(&self.path.join(name), options.read(true).write(true).create_new(true).mode(0o600), OFlags::empty())?;
        self.give_away(&file)?;
        self.sync()?;
        Ok(file)
    }

    /// Opens a file for reading and writing, or creates it.
    pub fn open_or_create(&self, name: &str) -> io::Result<File> {
        match self.create(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.open(name),
            created => created,
        }
    }

    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open(name)?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Replaces a file atomically and durably, and returns the new one.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<File> {
        let draft = format!("{name}.new");
        self.remove(&draft)?;
        let mut file = self.create(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(self.path.join(draft), self.path.join(name))?;
        self.sync()?;
        Ok(file)
    }

    /// Removes a file if it exists.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Moves a damaged file to another folder under a unique name; for a missing file, creates an empty one there.
    pub fn set_aside(&self, name: &str, damaged: &Self) -> io::Result<()> {
        let aside = format!("{}-{name}-{}", self.name(), clock::now().timestamp_micros());
        match fs::rename(self.path.join(name), damaged.path.join(&aside)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                damaged.create(&format!("{aside}-missing")).map(drop)
            }
            moved => moved.and_then(|()| damaged.sync()),
        }
    }

    /// Hard-links a file in another folder, so that it remains there when it is removed here; for a missing file,
    /// creates an empty one.
    pub fn keep_in(&self, name: &str, other: &Self, other_name: &str) -> io::Result<()> {
        let (from, to) = (self.path.join(name), other.path.join(other_name));
        // Not every file system supports hard links.
        match fs::hard_link(&from, &to).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Err(error),
            _ => fs::copy(&from, &to).map(drop),
        }) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) if is_damage(&error) => other.open_or_create(other_name).map(drop),
            kept => kept.and_then(|()| other.sync()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn give_away(&self, file: &File) -> io::Result<()> {
        self.owner.map_or(Ok(()), |(user, group)| fchown(file, Some(user), Some(group)))
    }
}

fn open(path: &Path, options: &mut OpenOptions, flags: OFlags) -> io::Result<File> {
    options.custom_flags((flags | OFlags::NOFOLLOW).bits().cast_signed()).open(path)
}

/// Whether a file is unreadable because the file or its disk is damaged, so that retrying is useless.
pub fn is_damage(error: &io::Error) -> bool {
    let is_disk = matches!(Errno::from_io_error(error), Some(Errno::IO | Errno::BADMSG));
    is_disk || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory)
}
