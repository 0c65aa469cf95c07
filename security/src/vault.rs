//! Secrets as they are kept: sealed. What is put, opened, and sealed anew.

use rpc::{Code, Error};
use security::limits::{NAME_BYTES_MAX, SECRET_BYTES_MAX, SECRETS_MAX};
use security::{PutSecretArgs, SecretInfo, reason};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keyring::{Keyring, hex, unhex};
use crate::state::{State, Write, check_name, too_many};

/// A secret, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretRecord {
    pub(crate) name: String,
    pub(crate) revision: u64,
    pub(crate) put_ms: u64,
    pub(crate) put_by: String,
    /// Which key seals it.
    pub(crate) key: String,
    /// Nonce, value and tag, in hexadecimal digits.
    pub(crate) sealed: String,
}

impl SecretRecord {
    /// What the seal is bound to: a record in another's place does not open.
    fn about(name: &str, revision: u64) -> Vec<u8> {
        format!("orrery secret 1\n{name}\n{revision}").into_bytes()
    }

    fn sealed(mut self, keys: &Keyring, value: &[u8]) -> Result<Self, Error> {
        let sealed = keys.seal(&Self::about(&self.name, self.revision), value);
        let sealed = sealed.map_err(|e| Error::internal(reason::KEYS_FAILED, e.to_string()))?;
        keys.current().clone_into(&mut self.key);
        self.sealed = hex(&sealed);
        Ok(self)
    }

    /// The value.
    pub(crate) fn open(&self, keys: &Keyring) -> Result<Zeroizing<Vec<u8>>, Error> {
        let sealed = unhex(&self.sealed).unwrap_or_default();
        let about = Self::about(&self.name, self.revision);
        keys.unseal(&self.key, &about, &sealed).map_err(|why| {
            let message = format!("secret `{}` cannot be opened: {why}", self.name);
            Error::internal(reason::SECRET_SEALED, message)
                .with_hint("put it again, or restore security's folder from a backup")
        })
    }

    fn info(&self) -> SecretInfo {
        SecretInfo {
            name: self.name.clone(),
            revision: self.revision,
            put_ms: self.put_ms,
            put_by: self.put_by.clone(),
            key: self.key.clone(),
        }
    }
}

impl State {
    /// What is written for a secret, and its revision.
    pub(crate) fn put_secret(
        &self,
        args: PutSecretArgs,
        by: &str,
        now_ms: u64,
        keys: &Keyring,
    ) -> Result<(Vec<Write>, u64), Error> {
        let PutSecretArgs { name, value } = args;
        let value = Zeroizing::new(value);
        check_name(&name)?;
        if value.is_empty() || value.len() > SECRET_BYTES_MAX {
            let message = format!("the value of `{name}` has {} bytes", value.len());
            return Err(Error::invalid(reason::BAD_SECRET, message)
                .with_hint(format!("1 to {SECRET_BYTES_MAX}")));
        }
        let before = self.secrets().get(&name);
        if before.is_none() && self.secrets().len() >= SECRETS_MAX {
            return Err(too_many("secrets", SECRETS_MAX));
        }
        let revision = before.map_or(0, |before| before.revision) + 1;
        let record = SecretRecord {
            name,
            revision,
            put_ms: now_ms,
            put_by: by.to_owned(),
            key: String::new(),
            sealed: String::new(),
        };
        let record = record.sealed(keys, &value)?;
        Ok((vec![Write::PutSecret(record)], revision))
    }

    /// The secret of this name.
    pub(crate) fn secret(&self, name: &str) -> Result<&SecretRecord, Error> {
        self.secrets().get(name).ok_or_else(|| {
            let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
            Error::not_found(
                reason::UNKNOWN_SECRET,
                format!("there is no secret `{shown}`"),
            )
            .with_hint("`orrery secrets put` keeps one, `orrery secrets list` shows the names")
        })
    }

    /// What is written to forget a secret; nothing if there is none.
    pub(crate) fn delete_secret(&self, name: &str) -> Vec<Write> {
        let known = self.secrets().contains_key(name);
        let write = known.then(|| Write::DropSecret(name.to_owned()));
        write.into_iter().collect()
    }

    pub(crate) fn list_secrets(&self) -> Vec<SecretInfo> {
        self.secrets().values().map(SecretRecord::info).collect()
    }

    /// At most so many secrets whose key is not the current one and that can be opened, sealed
    /// anew: the same values, under the same revisions.
    pub(crate) fn reseal(&self, keys: &Keyring, most: usize) -> Result<Vec<Write>, Error> {
        let old = |record: &&SecretRecord| record.key != keys.current();
        let old = self.secrets().values().filter(old);
        let opened = old.filter_map(|record| Some((record, record.open(keys).ok()?)));
        opened
            .take(most)
            .map(|(record, value)| Ok(Write::PutSecret(record.clone().sealed(keys, &value)?)))
            .collect()
    }
}

/// Refuses to whom secrets are never shown, whatever a token says.
pub(crate) fn not_for_instances() -> Error {
    let message = "instances are handed their secrets, and ask for none";
    Error::new(Code::PermissionDenied, reason::NOT_FOR_INSTANCES, message)
        .with_hint("name the secret in the service's spec, under `[secrets]`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(state: &mut State, keys: &Keyring, name: &str, value: &str) -> Result<u64, Error> {
        let args = PutSecretArgs {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let (writes, revision) = state.put_secret(args, "ann", 7, keys)?;
        writes.into_iter().for_each(|write| state.apply(write));
        Ok(revision)
    }

    #[test]
    fn a_secret_is_kept_sealed_and_counts_its_revisions() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, mut state) = (Keyring::open(folder.path()).unwrap(), State::default());
        assert_eq!(put(&mut state, &keys, "db", "hunter2").unwrap(), 1);
        assert_eq!(put(&mut state, &keys, "db", "hunter3").unwrap(), 2);
        let record = state.secret("db").unwrap();
        assert_eq!(record.open(&keys).unwrap().as_slice(), b"hunter3");
        let kept = serde_json::to_string(record).unwrap();
        assert!(!kept.contains("hunter"), "{kept}");
        let listed = state.list_secrets();
        assert_eq!((listed.len(), listed[0].revision), (1, 2));
        for write in state.delete_secret("db") {
            state.apply(write);
        }
        assert_eq!(
            state.secret("db").unwrap_err().reason,
            reason::UNKNOWN_SECRET
        );
        assert!(state.delete_secret("db").is_empty());
    }

    #[test]
    fn a_bad_name_or_value_is_refused_without_repeating_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, mut state) = (Keyring::open(folder.path()).unwrap(), State::default());
        let long = "hunter2".repeat(SECRET_BYTES_MAX);
        for (name, value) in [("no name", "hunter2"), ("db", ""), ("db", long.as_str())] {
            let refused = put(&mut state, &keys, name, value).unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
            assert!(!refused.hint.is_empty());
        }
        assert!(state.list_secrets().is_empty());
    }

    #[test]
    fn a_record_in_the_place_of_another_or_of_a_later_one_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, mut state) = (Keyring::open(folder.path()).unwrap(), State::default());
        put(&mut state, &keys, "db", "hunter2").unwrap();
        let record = state.secret("db").unwrap().clone();
        let moved = SecretRecord {
            name: "api".to_owned(),
            ..record.clone()
        };
        let later = SecretRecord {
            revision: 2,
            ..record
        };
        for wrong in [moved, later] {
            let refused = wrong.open(&keys).unwrap_err();
            assert_eq!(refused.reason, reason::SECRET_SEALED);
        }
    }

    #[test]
    fn after_a_rotation_the_new_key_alone_opens_everything() {
        let folder = tempfile::tempdir().unwrap();
        let (mut keys, mut state) = (Keyring::open(folder.path()).unwrap(), State::default());
        for n in 0..5 {
            put(&mut state, &keys, &format!("s{n}"), &format!("value {n}")).unwrap();
        }
        keys.renew().unwrap();
        let first = state.reseal(&keys, 3).unwrap();
        assert_eq!(first.len(), 3);
        first.into_iter().for_each(|write| state.apply(write));
        let rest = state.reseal(&keys, 3).unwrap();
        assert_eq!(rest.len(), 2);
        rest.into_iter().for_each(|write| state.apply(write));
        assert!(state.reseal(&keys, 3).unwrap().is_empty());
        keys.keep(|_| false).unwrap();
        let keys = Keyring::open(folder.path()).unwrap();
        for n in 0..5 {
            let record = state.secret(&format!("s{n}")).unwrap();
            assert_eq!(record.revision, 1);
            let value = record.open(&keys).unwrap();
            assert_eq!(value.as_slice(), format!("value {n}").as_bytes());
        }
    }
}
