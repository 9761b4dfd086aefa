//! The master keys that a process has: the current one and, during a rotation, the next one.
//!
//! A rotation encrypts everything with the next key in one database transaction. The files and environments of several
//! processes cannot take part in that transaction, so a process may have both keys, and uses the one that the database
//! names.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::master_key::{MasterKey, MasterKeyError};
use crate::platform::data_dir::DataDir;

/// The file in the data folder that contains the current key.
const PRESENT_FILE: &str = "master-key";

/// The file in the data folder that contains the next key.
const NEXT_FILE: &str = "master-key.next";

/// The source of a process's master keys.
#[derive(Clone)]
pub enum MasterKeys {
    /// From the environment, fixed for the lifetime of the process.
    Given { present: Arc<MasterKey>, next: Option<Arc<MasterKey>> },
    /// From files in the data folder, read for every lookup.
    Files(DataDir),
}

impl MasterKeys {
    /// The current key, if there is one.
    ///
    /// # Errors
    /// Its file cannot be read or is malformed.
    pub fn present(&self) -> Result<Option<Arc<MasterKey>>, MasterKeyError> {
        match self {
            Self::Given { present, .. } => Ok(Some(Arc::clone(present))),
            Self::Files(data_dir) => read(data_dir, PRESENT_FILE),
        }
    }

    /// The next key, if there is one.
    ///
    /// # Errors
    /// Its file cannot be read or is malformed.
    pub fn next(&self) -> Result<Option<Arc<MasterKey>>, MasterKeyError> {
        match self {
            Self::Given { next, .. } => Ok(next.clone()),
            Self::Files(data_dir) => read(data_dir, NEXT_FILE),
        }
    }

    /// The key with this [check](MasterKey::check), by which the database identifies it.
    ///
    /// # Errors
    /// [`MasterKeyError::Missing`] without any key, [`MasterKeyError::Wrong`] if none matches, and errors of the files.
    pub fn find(&self, check: &[u8]) -> Result<Arc<MasterKey>, MasterKeyError> {
        // Read the next key first: if it becomes the current one in the meantime, it is found there.
        let next = self.next();
        let present = self.present()?;
        let is_it = |key: &&Arc<MasterKey>| key.check() == check;
        if let Some(key) = present.as_ref().filter(is_it) {
            return Ok(Arc::clone(key));
        }
        // An invalid next key matters only if it is needed: its file may still be being written.
        let next = next?;
        if let Some(key) = next.as_ref().filter(is_it) {
            return Ok(Arc::clone(key));
        }
        Err(if present.or(next).is_some() { MasterKeyError::Wrong } else { MasterKeyError::Missing })
    }

    /// Creates the current key, for a database without an installation.
    ///
    /// # Errors
    /// Errors of the files.
    pub fn make_present(&self) -> Result<(), MasterKeyError> {
        match self {
            Self::Given { .. } => Ok(()),
            Self::Files(data_dir) => make(data_dir, PRESENT_FILE).map(|_| ()),
        }
    }

    /// Creates the next key.
    ///
    /// # Errors
    /// [`MasterKeyError::NextMissing`] if the keys come from the environment, and errors of the files.
    pub fn make_next(&self) -> Result<Arc<MasterKey>, MasterKeyError> {
        match self {
            Self::Given { .. } => Err(MasterKeyError::NextMissing),
            Self::Files(data_dir) => make(data_dir, NEXT_FILE),
        }
    }

    /// Makes the next key the current one. Keys from the environment do not change.
    ///
    /// # Errors
    /// Errors of the files.
    pub fn promote_next(&self) -> Result<(), MasterKeyError> {
        match self {
            Self::Given { .. } => Ok(()),
            Self::Files(data_dir) => Ok(data_dir.rename_secret(NEXT_FILE, PRESENT_FILE)?),
        }
    }
}

fn read(data_dir: &DataDir, file: &str) -> Result<Option<Arc<MasterKey>>, MasterKeyError> {
    let Some(text) = data_dir.read_secret(file)? else { return Ok(None) };
    let key = MasterKey::from_base64(&text);
    let key = key.map_err(|_| MasterKeyError::MalformedFile(data_dir.path().join(file)))?;
    Ok(Some(Arc::new(key)))
}

fn make(data_dir: &DataDir, file: &str) -> Result<Arc<MasterKey>, MasterKeyError> {
    let key = MasterKey::generate();
    data_dir.write_secret(file, key.to_base64().expose_secret())?;
    Ok(Arc::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keys: &MasterKeys, check: &[u8]) -> Result<[u8; 32], MasterKeyError> {
        keys.find(check).map(|key| key.check())
    }

    #[test]
    fn the_key_that_the_database_names_is_found_at_every_step_of_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::find(Some(folder.path())).unwrap();
        let keys = MasterKeys::Files(data_dir.clone());
        assert!(matches!(found(&keys, &[0; 32]), Err(MasterKeyError::Missing)));
        keys.make_present().unwrap();
        let old = keys.present().unwrap().unwrap().check();
        assert_eq!(found(&keys, &old).unwrap(), old);
        let new = keys.make_next().unwrap().check();
        // An existing key is never replaced by a new one.
        assert!(keys.make_present().is_err() && keys.make_next().is_err());
        for check in [old, new] {
            assert_eq!(found(&keys, &check).unwrap(), check);
        }
        assert!(matches!(found(&keys, &[0; 32]), Err(MasterKeyError::Wrong)));
        keys.promote_next().unwrap();
        assert_eq!(found(&keys, &new).unwrap(), new);
        assert!(matches!(found(&keys, &old), Err(MasterKeyError::Wrong)));
        assert!(keys.next().unwrap().is_none());
    }

    #[test]
    fn a_next_key_that_is_damaged_keeps_nobody_from_using_the_present_one() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::find(Some(folder.path())).unwrap();
        let keys = MasterKeys::Files(data_dir.clone());
        keys.make_present().unwrap();
        data_dir.write_secret(NEXT_FILE, "half of a").unwrap();
        let present = keys.present().unwrap().unwrap().check();
        assert_eq!(found(&keys, &present).unwrap(), present);
        let error = found(&keys, &[0; 32]).unwrap_err().to_string();
        assert!(error.contains("master-key.next must contain") && !error.contains("half of a"), "{error}");
    }

    #[test]
    fn keys_that_are_given_are_found_and_none_is_made() {
        let [present, next] = [(); 2].map(|()| Arc::new(MasterKey::generate()));
        let alone = MasterKeys::Given { present: Arc::clone(&present), next: None };
        assert!(matches!(found(&alone, &next.check()), Err(MasterKeyError::Wrong)));
        assert!(matches!(alone.make_next(), Err(MasterKeyError::NextMissing)));
        let both = MasterKeys::Given { present: Arc::clone(&present), next: Some(Arc::clone(&next)) };
        for key in [present, next] {
            assert_eq!(found(&both, &key.check()).unwrap(), key.check());
        }
    }
}
