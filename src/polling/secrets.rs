//! The secret keys of provider accounts, encrypted with the master key.

use secrecy::SecretString;
use uuid::Uuid;

use super::client::Account;
use crate::registry::master_key::{MasterKey, MasterKeyError, PROVIDER_SECRET_KEY};
use crate::store::provider_account::ProviderAccountRow;

pub fn seal_secret_key(master_key: &MasterKey, account_id: Uuid, secret_key: &SecretString) -> Vec<u8> {
    master_key.seal(account_id, PROVIDER_SECRET_KEY, secret_key)
}

/// # Errors
/// [`MasterKeyError::Wrong`] if it was encrypted with another master key or for another account, or altered.
pub fn open_account(master_key: &MasterKey, row: ProviderAccountRow) -> Result<Account, MasterKeyError> {
    let secret_key = master_key.open(row.account_id, PROVIDER_SECRET_KEY, &row.sealed_secret_key)?;
    Ok(Account {
        account_id: row.account_id,
        endpoint: row.endpoint,
        project_id: row.project_id,
        access_key: row.access_key.into(),
        secret_key,
        version: row.version,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_secret_key_of_one_account_is_not_of_another() {
        let master_key = MasterKey::generate();
        let [one, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let row = |account_id| ProviderAccountRow {
            account_id,
            name: "main".to_owned(),
            endpoint: "https://live.example.com".to_owned(),
            project_id: "p".to_owned(),
            access_key: "AKIDEXAMPLE0000000AK".to_owned(),
            sealed_secret_key: seal_secret_key(&master_key, one, &"the-secret".into()),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            version: 0,
        };
        let opened = open_account(&master_key, row(one)).unwrap();
        assert_eq!(opened.secret_key.expose_secret(), "the-secret");
        let debug = format!("{opened:?}");
        assert!(!debug.contains("the-secret") && !debug.contains("AKID") && debug.contains("00AK"), "{debug}");
        assert!(open_account(&master_key, row(other)).is_err());
        assert!(open_account(&MasterKey::generate(), row(one)).is_err());
    }
}
