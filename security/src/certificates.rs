//! What travels about certificates: no private key ever does.

use rpc::{Deserializable, Serializable};

/// Asks for a certificate of who the caller is.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SignCertificateArgs {
    /// A certificate signing request (PKCS #10) in DER. Only its key counts, and that it is signed
    /// by it; names in it are not read.
    pub request: Vec<u8>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SignCertificateReply {
    /// The certificate, in PEM; for a server and for a client.
    pub certificate: String,
    /// Whom it names, as in `spiffe://orrery/service/echo/echo.2.7`.
    pub id: String,
    /// When it ends, in milliseconds since the Unix epoch. Ask for the next one at half of that.
    pub expires_ms: u64,
    /// The authority that signed it, in PEM.
    pub authority: String,
}

/// The fleet's authority.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct AuthorityReply {
    /// Its certificate, in PEM.
    pub authority: String,
    /// What names in its certificates begin with, as in `spiffe://orrery/`.
    pub trust_domain: String,
}
