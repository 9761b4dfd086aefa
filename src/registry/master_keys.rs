//! The master keys that a process knows: the present one and, while it is rotated, the next one.
//!
//! A rotation seals everything under the next key in one transaction, of which the files and environments of several
//! processes cannot be part. So a process may know both keys, and uses the one that the database asks for.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::master_key::{MasterKey, MasterKeyError};
use crate::platform::data_dir::DataDir;

/// The file of the data folder that holds the present key.
const PRESENT_FILE: &str = "master-key";

/// The file of the data folder that holds the next key.
const NEXT_FILE: &str = "master-key.next";

/// Where a process has its master keys from.
#[derive(Clone)]
pub enum MasterKeys {
    /// Given once, by the environment.
    Given { present: Arc<MasterKey>, next: Option<Arc<MasterKey>> },
    /// Files of the data folder, read whenever a key is looked for.
    Files(DataDir),
}

impl MasterKeys {
    /// The present key, if there is one.
    ///
    /// # Errors
    /// When its file cannot be read, or holds no key.
    pub fn present(&self) -> Result<Option<Arc<MasterKey>>, MasterKeyError> {
        match self {
            Self::Given { present, .. } => Ok(Some(Arc::clone(present))),
            Self::Files(data_dir) => read(data_dir, PRESENT_FILE),
        }
    }

    /// The next key, if there is one.
    ///
    /// # Errors
    /// When its file cannot be read, or holds no key.
    pub fn next(&self) -> Result<Option<Arc<MasterKey>>, MasterKeyError> {
        match self {
            Self::Given { next, .. } => Ok(next.clone()),
            Self::Files(data_dir) => read(data_dir, NEXT_FILE),
        }
    }

    /// The key with this [check](MasterKey::check), by which the database names it.
    ///
    /// # Errors
    /// [`MasterKeyError::Missing`] when no key is known, [`MasterKeyError::Wrong`] when it is none of them, and those of
    /// the files.
    pub fn find(&self, check: &[u8]) -> Result<Arc<MasterKey>, MasterKeyError> {
        // The next one first: if it takes the place of the present one meanwhile, it is read there.
        let next = self.next();
        let present = self.present()?;
        let is_it = |key: &&Arc<MasterKey>| key.check() == check;
        if let Some(key) = present.as_ref().filter(is_it) {
            return Ok(Arc::clone(key));
        }
        // What is wrong with the next one matters only where it is needed: it may not be written to its end yet.
        let next = next?;
        if let Some(key) = next.as_ref().filter(is_it) {
            return Ok(Arc::clone(key));
        }
        Err(if present.or(next).is_some() { MasterKeyError::Wrong } else { MasterKeyError::Missing })
    }

    /// Makes a present key, for a database without an installation.
    ///
    /// # Errors
    /// Those of the files.
    pub fn make_present(&self) -> Result<(), MasterKeyError> {
        match self {
            Self::Given { .. } => Ok(()),
            Self::Files(data_dir) => make(data_dir, PRESENT_FILE).map(|_| ()),
        }
    }

    /// Makes a next key.
    ///
    /// # Errors
    /// [`MasterKeyError::NextMissing`] where keys are given, and those of the files.
    pub fn make_next(&self) -> Result<Arc<MasterKey>, MasterKeyError> {
        match self {
            Self::Given { .. } => Err(MasterKeyError::NextMissing),
            Self::Files(data_dir) => make(data_dir, NEXT_FILE),
        }
    }

    /// Puts the next key in the place of the present one. Given keys stay as they are.
    ///
    /// # Errors
    /// Those of the files.
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
        // A key that is there already is never replaced by a new one.
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
        assert!(error.contains("master-key.next must hold") && !error.contains("half of a"), "{error}");
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
