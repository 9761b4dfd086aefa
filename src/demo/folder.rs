//! The demo's data folder: known by a mark, so that neither a demo gets into an installation, nor the other way.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::platform::data_dir::{DataDir, DataDirError};

/// The file that marks a folder as a demo's.
const MARK: &str = "this-is-a-demo";

/// Why a folder is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DemoFolderError {
    /// It is an installation's.
    #[error("{0} is not empty and not a demo's: a demo is never made in it; --data-dir names another folder")]
    NotOfDemo(PathBuf),
    /// It is a demo's.
    #[error(
        "{0} is a demo's: nothing real is kept in it; --data-dir names another folder, --demo goes on with the demo"
    )]
    OfDemo(PathBuf),
    /// No folder is known.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// It cannot be marked.
    #[error("cannot use {0}; --data-dir names another folder")]
    Unusable(PathBuf, #[source] io::Error),
}

/// The folder for the demo: the named one, else one beside that of an installation; new, empty, or a demo's before.
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

/// Rejects a folder that is a demo's.
pub fn reject_folder_of_demo(data_dir: &DataDir) -> Result<(), DemoFolderError> {
    let path = data_dir.path();
    if path.join(MARK).exists() { Err(DemoFolderError::OfDemo(path.to_owned())) } else { Ok(()) }
}
