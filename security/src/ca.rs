//! The fleet's authority: certificates that say which instance somebody is, for a key that they
//! made themselves and that never leaves them.
//!
//! Who somebody is comes from the token of the call, never from the request: its names are not even
//! read, so nobody is certified as another one. Certificates are short-lived, and that is their
//! revocation.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
    date_time_ymd,
};
use zeroize::Zeroizing;

use crate::private;

/// In security's own folder: the authority's certificate and its key.
const AUTHORITY_FILE: &str = "authority.pem";
/// How long the authority itself lasts: ten years.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Certificates begin so long before they are made: clocks of machines differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// The largest request that is read, in bytes.
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("failed to open the authority's file {path:?}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path:?} is no authority: {why}; restore it from a backup")]
    Unusable { path: PathBuf, why: String },
    #[error("failed to make an authority")]
    Make(#[source] rcgen::Error),
    #[error("fleet: {fleet:?} is no name: lower-case letters, digits, '-' and '.'")]
    Name { fleet: String },
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the request has {0} bytes")]
    TooLong(usize),
    #[error("this is no request for a certificate, or it is not signed by its own key")]
    NoRequest,
    #[error("{0:?} cannot be part of a name")]
    BadName(String),
    #[error("the certificate cannot be signed: {0}")]
    Failed(String),
}

/// A certificate, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certified {
    /// In PEM.
    pub(crate) certificate: String,
    /// As in `spiffe://orrery/service/echo/echo.2.7`.
    pub(crate) id: String,
    /// When it ends, in milliseconds since the Unix epoch.
    pub(crate) expires_ms: u64,
}

/// What signs the fleet's certificates.
pub(crate) struct Authority {
    fleet: String,
    /// In PEM.
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
    lifetime: Duration,
}

impl Authority {
    /// Reads the authority in this folder, or makes it.
    pub(crate) fn open(
        folder: &Path,
        fleet: &str,
        lifetime: Duration,
        now_ms: u64,
    ) -> Result<Self, AuthorityError> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if !is_segment(fleet) || !fleet.chars().all(named) {
            let fleet = fleet.to_owned();
            return Err(AuthorityError::Name { fleet });
        }
        let path = folder.join(AUTHORITY_FILE);
        let io = |source| AuthorityError::Io {
            path: path.clone(),
            source,
        };
        let known = private::read(&path).map_err(io)?;
        let text = match known {
            Some(text) => text,
            None => {
                let text = generate(fleet, now_ms).map_err(AuthorityError::Make)?;
                private::write(&path, text.as_bytes()).map_err(io)?;
                text
            }
        };
        let unusable = |why: String| AuthorityError::Unusable {
            path: path.clone(),
            why,
        };
        let key = text.find("-----BEGIN PRIVATE KEY");
        let key = key.ok_or_else(|| unusable("it has no key".to_owned()))?;
        let (certificate, key) = text.split_at(key);
        let key = KeyPair::from_pem(key).map_err(|e| unusable(e.to_string()))?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key);
        Ok(Self {
            fleet: fleet.to_owned(),
            certificate: certificate.to_owned(),
            issuer: issuer.map_err(|e| unusable(e.to_string()))?,
            lifetime,
        })
    }

    /// The authority's own certificate, in PEM: what peers believe.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The fleet that its certificates are of.
    pub(crate) fn fleet(&self) -> &str {
        &self.fleet
    }

    /// Certifies that whoever has the key of this request (in DER) is this instance.
    pub(crate) fn certify(
        &self,
        request: &[u8],
        service: &str,
        instance: &str,
        now_ms: u64,
    ) -> Result<Certified, Refused> {
        if request.len() > REQUEST_BYTES_MAX {
            return Err(Refused::TooLong(request.len()));
        }
        for name in [service, instance] {
            if !is_segment(name) {
                return Err(Refused::BadName(name.to_owned()));
            }
        }
        let request = CertificateSigningRequestParams::from_der(&request.into());
        let request = request.map_err(|_| Refused::NoRequest)?;
        let id = format!("spiffe://{}/service/{service}/{instance}", self.fleet);
        let failed = |e: rcgen::Error| Refused::Failed(e.to_string());
        let params = leaf(&id, instance, now_ms, self.lifetime).map_err(failed)?;
        let signed = params.signed_by(&request.public_key, &self.issuer);
        let lifetime_ms = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        Ok(Certified {
            certificate: signed.map_err(failed)?.pem(),
            id,
            expires_ms: now_ms.saturating_add(lifetime_ms),
        })
    }
}

/// A part of a path that means itself, as SPIFFE has it.
fn is_segment(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=200).contains(&text.len()) && text.bytes().all(good) && !text.bytes().all(|b| b == b'.')
}

/// A new authority: its certificate, then its key.
fn generate(fleet: &str, now_ms: u64) -> Result<Zeroizing<String>, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let name = format!("authority of {fleet}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![uri(&format!("spiffe://{fleet}"))?];
    last(&mut params, now_ms, AUTHORITY_LIFETIME);
    let certificate = params.self_signed(&key)?;
    let secret = Zeroizing::new(key.serialize_pem());
    Ok(Zeroizing::new(certificate.pem() + &secret))
}

fn leaf(
    id: &str,
    instance: &str,
    now_ms: u64,
    lifetime: Duration,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, instance);
    params.subject_alt_names = vec![uri(id)?];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| rcgen::Error::RingUnspecified)?;
    // A serial number is positive.
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    last(&mut params, now_ms, lifetime);
    Ok(params)
}

fn uri(text: &str) -> Result<SanType, rcgen::Error> {
    Ok(SanType::URI(text.try_into()?))
}

fn last(params: &mut CertificateParams, now_ms: u64, lifetime: Duration) {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_millis(now_ms);
    params.not_before = now - CLOCKS_DIFFER;
    params.not_after = now + lifetime;
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const NOW_MS: u64 = 1_795_000_000_000;

    fn authority(folder: &Path) -> Authority {
        Authority::open(folder, "orrery", DAY, NOW_MS).unwrap()
    }

    /// A request that asks to be somebody else.
    fn request() -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["security.0.1".to_owned()]).unwrap();
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    #[test]
    fn an_authority_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made = authority(folder.path());
        let again = authority(folder.path());
        assert_eq!(made.certificate(), again.certificate());
        assert!(!made.certificate().contains("PRIVATE"));
        let path = folder.path().join(AUTHORITY_FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
        assert_eq!(mode & 0o777, 0o600);
        for bad in ["", "x", made.certificate()] {
            std::fs::write(&path, bad).unwrap();
            let refused = Authority::open(folder.path(), "orrery", DAY, NOW_MS);
            let refused = refused.err().unwrap().to_string();
            assert!(refused.contains(AUTHORITY_FILE), "{refused}");
        }
    }

    #[test]
    fn a_certificate_says_who_the_caller_is_whatever_the_request_says() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let certified = authority.certify(&request(), "echo", "echo.2.7", NOW_MS);
        let certified = certified.unwrap();
        assert_eq!(certified.id, "spiffe://orrery/service/echo/echo.2.7");
        assert_eq!(certified.expires_ms, NOW_MS + 86_400_000);
        let other = authority.certify(&request(), "echo", "echo.2.7", NOW_MS);
        assert_ne!(certified.certificate, other.unwrap().certificate);
    }

    #[test]
    fn what_is_no_request_or_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let certify = |bytes: &[u8]| authority.certify(bytes, "echo", "echo.0.1", NOW_MS);
        let good = request();
        assert!(certify(&good).is_ok());
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            assert_eq!(certify(&good[..length]), Err(Refused::NoRequest));
        }
        // Another key than the one that signed it, or another signature.
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(certify(&changed), Err(Refused::NoRequest));
        let long = vec![0; REQUEST_BYTES_MAX + 1];
        assert_eq!(certify(&long), Err(Refused::TooLong(long.len())));
    }

    #[test]
    fn a_name_that_would_be_more_than_one_part_of_a_path_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        for bad in ["", ".", "..", "a/b", "a?b", "a b", "%2e", "é"] {
            let as_service = authority.certify(&request(), bad, "echo.0.1", NOW_MS);
            assert_eq!(as_service, Err(Refused::BadName(bad.to_owned())));
            let as_instance = authority.certify(&request(), "echo", bad, NOW_MS);
            assert_eq!(as_instance, Err(Refused::BadName(bad.to_owned())));
            let fleet = Authority::open(folder.path(), bad, DAY, NOW_MS);
            assert!(fleet.is_err(), "{bad}");
        }
    }
}
