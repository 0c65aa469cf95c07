//! The keys that seal secrets on disk, in a file that only its owner reads.
//!
//! One line a key: its id and 64 hexadecimal digits. The last one seals; the others open what was
//! sealed before, until everything is sealed anew. An id is made of its key, so a file in which
//! something was changed is noticed when it is read.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use chassis::trust::digest;
use orion::hazardous::aead::xchacha20poly1305::{Nonce, SecretKey, XChaCha20Poly1305};
use zeroize::Zeroizing;

use crate::private;

/// In security's own folder.
const KEYS_FILE: &str = "secrets.keys";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("failed to open the file of keys {path:?}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("line {line} of {path:?} is no key; restore the file from a backup")]
    NoKey { path: PathBuf, line: usize },
}

/// Why something sealed stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Sealed {
    #[error("the key that seals it is not among those in `secrets.keys`")]
    UnknownKey,
    #[error("its record was changed on disk")]
    Changed,
}

struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// The keys there are; at least one.
pub(crate) struct Keyring {
    path: PathBuf,
    /// Retired ones first.
    old: Vec<Key>,
    current: Key,
}

impl Key {
    fn of(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut named = Zeroizing::new(b"orrery key id 1".to_vec());
        named.extend_from_slice(bytes.as_slice());
        let id = hex(&digest(&named)[..8]);
        Self { id, bytes }
    }

    fn generate() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random(bytes.as_mut_slice())?;
        Ok(Self::of(bytes))
    }

    fn read(line: &str) -> Option<Self> {
        let (id, digits) = line.split_once(' ')?;
        let bytes = Zeroizing::new(unhex(digits)?);
        let bytes = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?);
        Some(Self::of(bytes)).filter(|key| key.id == id)
    }

    fn secret(&self) -> Option<SecretKey> {
        SecretKey::try_from(self.bytes.as_slice()).ok()
    }
}

impl Keyring {
    /// Reads the keys in this folder, or makes the first one.
    pub(crate) fn open(folder: &Path) -> Result<Self, KeysError> {
        let path = folder.join(KEYS_FILE);
        let io = |source| KeysError::Io {
            path: path.clone(),
            source,
        };
        let Some(text) = private::read(&path).map_err(io)? else {
            let current = Key::generate().map_err(io)?;
            let fresh = Self {
                path: path.clone(),
                old: Vec::new(),
                current,
            };
            fresh.write().map_err(io)?;
            return Ok(fresh);
        };
        let no_key = |line| KeysError::NoKey {
            path: path.clone(),
            line,
        };
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            keys.push(Key::read(line).ok_or_else(|| no_key(index + 1))?);
        }
        let current = keys.pop().ok_or_else(|| no_key(1))?;
        let old = keys;
        Ok(Self { path, old, current })
    }

    /// Which key seals.
    pub(crate) fn current(&self) -> &str {
        &self.current.id
    }

    /// A new key seals from now on; it is on disk before it does.
    pub(crate) fn renew(&mut self) -> io::Result<()> {
        let fresh = Key::generate()?;
        self.old.push(std::mem::replace(&mut self.current, fresh));
        self.write().inspect_err(|_| {
            // As it is on disk: nothing may be sealed with a key that is lost at the next start.
            if let Some(before) = self.old.pop() {
                self.current = before;
            }
        })
    }

    /// Forgets keys that seal nothing any more.
    pub(crate) fn keep(&mut self, used: impl Fn(&str) -> bool) -> io::Result<()> {
        let before = self.old.len();
        self.old.retain(|key| used(&key.id));
        if self.old.len() < before {
            self.write()?;
        }
        Ok(())
    }

    /// Seals with the current key; `about` is bound into it and has to be the same to open it.
    pub(crate) fn seal(&self, about: &[u8], value: &[u8]) -> io::Result<Vec<u8>> {
        let unsealed = || io::Error::other("a value cannot be sealed");
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let mut sealed = vec![0; NONCE_BYTES + value.len() + TAG_BYTES];
        let (front, rest) = sealed.split_at_mut(NONCE_BYTES);
        front.copy_from_slice(&nonce);
        let key = self.current.secret().ok_or_else(unsealed)?;
        let nonce = Nonce::from(nonce);
        XChaCha20Poly1305::seal(&key, &nonce, value, Some(about), rest).map_err(|_| unsealed())?;
        Ok(sealed)
    }

    /// Opens what was sealed with the key of this id.
    pub(crate) fn unseal(
        &self,
        id: &str,
        about: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Sealed> {
        let mut keys = self.old.iter().chain([&self.current]);
        let key = keys.find(|key| key.id == id).ok_or(Sealed::UnknownKey)?;
        let key = key.secret().ok_or(Sealed::UnknownKey)?;
        let (nonce, rest) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or(Sealed::Changed)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| Sealed::Changed)?;
        let length = rest.len().checked_sub(TAG_BYTES).ok_or(Sealed::Changed)?;
        let mut value = Zeroizing::new(vec![0; length]);
        XChaCha20Poly1305::open(&key, &nonce, rest, Some(about), &mut value)
            .map_err(|_| Sealed::Changed)?;
        Ok(value)
    }

    fn write(&self) -> io::Result<()> {
        let mut text = Zeroizing::new(String::new());
        for key in self.old.iter().chain([&self.current]) {
            let digits = Zeroizing::new(hex(key.bytes.as_slice()));
            let _ = writeln!(text, "{} {}", key.id, digits.as_str());
        }
        private::write(&self.path, text.as_bytes())
    }
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|e| io::Error::other(e.to_string()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(value(high)? << 4 | value(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_sealed_opens_again_also_after_a_restart_and_reads_as_noise_until_then() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keyring::open(folder.path()).unwrap();
        assert_eq!(mode(&folder.path().join(KEYS_FILE)), 0o600);
        let (one, two) = (keys.seal(b"a", b"hunter2"), keys.seal(b"a", b"hunter2"));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one, two, "a nonce is never used twice");
        assert!(!one.windows(7).any(|w| w == b"hunter2"));
        let again = Keyring::open(folder.path()).unwrap();
        let opened = again.unseal(keys.current(), b"a", &one).unwrap();
        assert_eq!(opened.as_slice(), b"hunter2");
    }

    #[test]
    fn a_record_that_was_changed_cut_or_moved_to_another_name_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keyring::open(folder.path()).unwrap();
        let sealed = keys.seal(b"a", b"hunter2").unwrap();
        let open = |about: &[u8], bytes: &[u8]| keys.unseal(keys.current(), about, bytes);
        assert_eq!(open(b"b", &sealed).unwrap_err(), Sealed::Changed);
        for length in 0..sealed.len() {
            assert_eq!(open(b"a", &sealed[..length]).unwrap_err(), Sealed::Changed);
            let mut other = sealed.clone();
            other[length] ^= 1;
            assert_eq!(open(b"a", &other).unwrap_err(), Sealed::Changed);
        }
        let strange = keys.unseal("0123", b"a", &sealed);
        assert_eq!(strange.unwrap_err(), Sealed::UnknownKey);
    }

    #[test]
    fn a_new_key_seals_and_an_old_one_opens_until_nothing_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = Keyring::open(folder.path()).unwrap();
        let first = keys.current().to_owned();
        let sealed = keys.seal(b"a", b"hunter2").unwrap();
        keys.renew().unwrap();
        assert_ne!(keys.current(), first);
        let mut keys = Keyring::open(folder.path()).unwrap();
        assert!(keys.unseal(&first, b"a", &sealed).is_ok());
        keys.keep(|_| true).unwrap();
        assert!(keys.unseal(&first, b"a", &sealed).is_ok());
        keys.keep(|_| false).unwrap();
        let keys = Keyring::open(folder.path()).unwrap();
        let gone = keys.unseal(&first, b"a", &sealed);
        assert_eq!(gone.unwrap_err(), Sealed::UnknownKey);
    }

    #[test]
    fn a_file_of_keys_that_others_may_read_or_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Keyring::open(folder.path()).unwrap();
        let path = folder.path().join(KEYS_FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let refused = Keyring::open(folder.path()).err().unwrap();
        let why = std::error::Error::source(&refused).unwrap().to_string();
        assert!(why.contains("chmod 600"), "{why}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let digit = if text.contains('0') {
            ('0', "1")
        } else {
            ('1', "2")
        };
        for bad in [
            String::new(),
            "x".to_owned(),
            text.replace(digit.0, digit.1),
        ] {
            fs::write(&path, &bad).unwrap();
            let refused = Keyring::open(folder.path()).err().unwrap().to_string();
            assert!(refused.contains("line 1"), "{refused}");
        }
    }
}
