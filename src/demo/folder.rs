//! The demo's data folder. A marker file keeps demos and installations apart.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::platform::data_dir::{DataDir, DataDirError};

/// The file that marks a folder as a demo's.
const MARK: &str = "this-is-a-demo";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DemoFolderError {
    /// It belongs to an installation.
    #[error("{0} is not empty and is not a demo's folder; name another folder with --data-dir")]
    NotOfDemo(PathBuf),
    /// It belongs to a demo.
    #[error("{0} is a demo's folder; continue the demo with --demo, or name another folder with --data-dir")]
    OfDemo(PathBuf),
    /// No default folder is known.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The marker file cannot be written.
    #[error("cannot use {0}; --data-dir names another folder")]
    Unusable(PathBuf, #[source] io::Error),
}

/// The folder of the demo: the named one, or one next to that of an installation. It must be new, empty, or a demo's.
pub fn find_folder(named: Option<&Path>) -> Result<DataDir, DemoFolderError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => DataDir::place(None)?.with_file_name("streamtally-demo"),
    };
    let data_dir = DataDir::find(Some(&path))?;
    let unusable = |error| DemoFolderError::Unusable(path.clone(), error);
    fs::create_dir_all(&path).map_err(unusable)?;
    if !path.join(MARK).exists() {
        if fs::read_dir(&path).map_err(unusable)?.next().is_some() {
            return Err(DemoFolderError::NotOfDemo(path));
        }
        fs::write(path.join(MARK), "").map_err(unusable)?;
    }
    Ok(data_dir)
}

/// Fails if the folder belongs to a demo.
pub fn reject_folder_of_demo(data_dir: &DataDir) -> Result<(), DemoFolderError> {
    let path = data_dir.path();
    if path.join(MARK).exists() { Err(DemoFolderError::OfDemo(path.to_owned())) } else { Ok(()) }
}
