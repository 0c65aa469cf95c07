//! Tokens that verify offline: PASETO v4.public, signed with the fleet's key.

use std::fmt;

use identity::{Grant, Token};
use pasetors::Public;
use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};

use super::authority::{Holder, Kind};

/// What every signed token begins with.
pub(super) const SIGNED: &str = "v4.public.";
/// Bound into each signature, so that a token for another purpose is none of ours.
const PURPOSE: &[u8] = b"orrery instance 1";
/// The longest signed token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Why bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no key of a fleet: expected {expected} hexadecimal digits")]
pub struct KeyError {
    expected: usize,
}

/// Why a signed token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token at all, or is signed by somebody else, or was changed.
    #[error("the token is not signed by this fleet")]
    Forged,
    /// It is signed, and says something that this version does not understand.
    #[error("the token says what this version does not understand")]
    Unreadable,
}

/// What a signed token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whom it stands for, as in `echo.2.7`.
    pub name: String,
    /// What that is.
    pub kind: Kind,
    /// What its holder may do.
    pub grants: Vec<Grant>,
    /// From then on it is worth nothing: milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct WireClaims {
    name: String,
    service: Option<String>,
    grants: Vec<String>,
    expires_ms: u64,
}

/// The key that signs a fleet's tokens. Whoever has it may do anything in that fleet.
pub struct FleetKey(AsymmetricKeyPair<V4>);

impl fmt::Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetKey")
    }
}

impl FleetKey {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, std::io::Error> {
        let pair = AsymmetricKeyPair::<V4>::generate();
        pair.map(Self)
            .map_err(|e| std::io::Error::other(format!("{e:?}")))
    }

    /// As it is kept: hexadecimal digits. A secret.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(self.0.secret.as_bytes())
    }

    /// Reads what [`Self::to_hex`] wrote.
    ///
    /// # Errors
    /// It is none.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let wrong = KeyError { expected: 128 };
        let bytes = unhex(text.trim()).ok_or(wrong)?;
        let secret = AsymmetricSecretKey::<V4>::from(&bytes).map_err(|_| wrong)?;
        let public = AsymmetricPublicKey::try_from(&secret).map_err(|_| wrong)?;
        Ok(Self(AsymmetricKeyPair { public, secret }))
    }

    /// What verifies its tokens.
    #[must_use]
    pub fn public(&self) -> FleetPublicKey {
        FleetPublicKey(self.0.public.clone())
    }

    /// A token that says this.
    ///
    /// # Errors
    /// The claims cannot be signed; nothing that the types allow leads to that.
    pub fn sign(&self, claims: &Claims) -> Result<String, std::io::Error> {
        let wire = WireClaims {
            name: claims.name.clone(),
            service: match &claims.kind {
                Kind::Instance { service } => Some(service.clone()),
                Kind::Person => None,
            },
            grants: claims.grants.iter().map(Grant::to_string).collect(),
            expires_ms: claims.expires_ms,
        };
        let message = serde_json::to_vec(&wire)?;
        let token = PublicToken::sign(&self.0.secret, &message, None, Some(PURPOSE));
        token.map_err(|e| std::io::Error::other(format!("{e:?}")))
    }
}

/// What verifies the tokens of a fleet; no secret.
#[derive(Clone)]
pub struct FleetPublicKey(AsymmetricPublicKey<V4>);

impl fmt::Debug for FleetPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FleetPublicKey")
            .field(&self.to_hex())
            .finish()
    }
}

impl FleetPublicKey {
    /// As `ORRERY_FLEET_KEY` has it: 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(self.0.as_bytes())
    }

    /// Reads what [`Self::to_hex`] wrote.
    ///
    /// # Errors
    /// It is none.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let wrong = KeyError { expected: 64 };
        let bytes = unhex(text.trim()).ok_or(wrong)?;
        let key = AsymmetricPublicKey::<V4>::from(&bytes).map_err(|_| wrong)?;
        Ok(Self(key))
    }

    /// What a token says, if it is signed by this fleet. Whether it has expired is not asked here.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &[u8]) -> Result<Claims, TokenError> {
        let text = std::str::from_utf8(token).map_err(|_| TokenError::Forged)?;
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Forged);
        }
        let untrusted = UntrustedToken::<Public, V4>::try_from(text);
        let untrusted = untrusted.map_err(|_| TokenError::Forged)?;
        let trusted = PublicToken::verify(&self.0, &untrusted, None, Some(PURPOSE));
        let trusted = trusted.map_err(|_| TokenError::Forged)?;
        let wire: Result<WireClaims, _> = serde_json::from_str(trusted.payload());
        let wire = wire.map_err(|_| TokenError::Unreadable)?;
        let grants = wire.grants.iter().map(|grant| grant.parse());
        let grants = grants.collect::<Result<Vec<Grant>, _>>();
        Ok(Claims {
            name: wire.name,
            kind: wire
                .service
                .map_or(Kind::Person, |service| Kind::Instance { service }),
            grants: grants.map_err(|_| TokenError::Unreadable)?,
            expires_ms: wire.expires_ms,
        })
    }
}

impl From<Claims> for Holder {
    fn from(claims: Claims) -> Self {
        Self {
            name: claims.name,
            kind: claims.kind,
            token: Token {
                grants: claims.grants,
                expires_ms: Some(claims.expires_ms),
                revoked: false,
            },
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            name: "echo.2.7".to_owned(),
            kind: Kind::Instance {
                service: "echo".to_owned(),
            },
            grants: vec!["discovery:*:read".parse().unwrap()],
            expires_ms: 1_000,
        }
    }

    #[test]
    fn a_signed_token_says_what_it_was_told() {
        let key = FleetKey::generate().unwrap();
        let token = key.sign(&claims()).unwrap();
        assert!(token.starts_with(SIGNED));
        assert_eq!(key.public().verify(token.as_bytes()), Ok(claims()));
    }

    #[test]
    fn keys_read_back_what_they_write() {
        let key = FleetKey::generate().unwrap();
        let again = FleetKey::from_hex(&key.to_hex()).unwrap();
        let token = again.sign(&claims()).unwrap();
        let public = FleetPublicKey::from_hex(&key.public().to_hex()).unwrap();
        assert_eq!(public.verify(token.as_bytes()), Ok(claims()));
        for bad in ["", "00", "zz", &"0".repeat(127), &"é".repeat(32)] {
            assert!(FleetKey::from_hex(bad).is_err(), "{bad}");
            assert!(FleetPublicKey::from_hex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_changed_or_foreign_token_is_forged() {
        let key = FleetKey::generate().unwrap();
        let other = FleetKey::generate().unwrap();
        let token = key.sign(&claims()).unwrap();
        let public = key.public();
        assert_eq!(
            other.public().verify(token.as_bytes()),
            Err(TokenError::Forged)
        );
        for at in SIGNED.len()..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(public.verify(&changed).is_err(), "byte {at}");
        }
        let unsigned = token.replacen("v4.public.", "v4.local.", 1);
        assert!(public.verify(unsigned.as_bytes()).is_err());
        assert!(public.verify(b"v4.public.").is_err());
        assert!(public.verify(&[0xff; 40]).is_err());
        assert!(public.verify(&vec![b'A'; 100_000]).is_err());
    }

    #[test]
    fn a_key_does_not_show_itself_to_logs() {
        let key = FleetKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "FleetKey");
    }
}
