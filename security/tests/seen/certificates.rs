//! Certificates over real sockets: signed by the real binary, shown in real handshakes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use chassis::testing::{PATIENCE, Process, Start};
use chassis::trust::{Claims, FleetKey, Kind};
use rcgen::{CertificateParams, KeyPair};
use rpc::{Code, Empty};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme,
};
use security::{AuditArgs, SecurityClient, SignCertificateArgs, SignCertificateReply, reason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::common::{ADMIN, check_refused, with};

/// A fleet with a key, and its security.
struct House {
    key: FleetKey,
    process: Process,
    _folder: tempfile::TempDir,
}

fn house(fleet: &str, lifetime: &str) -> House {
    let folder = tempfile::tempdir().unwrap();
    let key = FleetKey::generate().unwrap();
    let process = Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_AUTH", "auto")
        .env("ORRERY_FLEET_KEY", key.public().to_hex())
        .env("ADMIN_TOKEN", ADMIN)
        .arg(&format!("--fleet={fleet}"))
        .arg(&format!("--certificate-lifetime={lifetime}"))
        .ready();
    House {
        key,
        process,
        _folder: folder,
    }
}

impl House {
    fn speaks_as(&self, instance: &str) -> SecurityClient {
        let service = instance.split('.').next().unwrap().to_owned();
        let claims = Claims {
            name: instance.to_owned(),
            kind: Kind::Instance { service },
            grants: vec!["security:*:write".parse().unwrap()],
            expires_ms: u64::MAX,
        };
        with(&self.process, &self.key.sign(&claims).unwrap())
    }

    async fn peer(&self, instance: &str) -> Peer {
        let key = KeyPair::generate().unwrap();
        let args = SignCertificateArgs {
            request: request(&key),
        };
        let signed = self.speaks_as(instance).sign_certificate(&args).await;
        Peer {
            key,
            signed: signed.unwrap(),
        }
    }
}

fn request(key: &KeyPair) -> Vec<u8> {
    let params = CertificateParams::default();
    params.serialize_request(key).unwrap().der().to_vec()
}

/// Somebody with a key and a certificate.
struct Peer {
    key: KeyPair,
    signed: SignCertificateReply,
}

impl Peer {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.signed.certificate.as_bytes()).unwrap()]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.signed.authority.as_bytes());
        roots.add(authority.unwrap()).unwrap();
        Arc::new(roots)
    }

    fn server(&self, expects: &str) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Exactly::new(self.roots(), expects)))
            .with_single_cert(self.chain(), self.key());
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    fn client(&self, expects: &str, shows: bool) -> TlsConnector {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Exactly::new(self.roots(), expects)));
        let config = match shows {
            true => config
                .with_client_auth_cert(self.chain(), self.key())
                .unwrap(),
            false => config.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    }
}

/// Believes one authority, and of what it signed one SPIFFE name, to the letter.
#[derive(Debug)]
struct Exactly {
    roots: Arc<RootCertStore>,
    client: Arc<dyn ClientCertVerifier>,
    provider: CryptoProvider,
    id: String,
}

impl Exactly {
    fn new(roots: Arc<RootCertStore>, id: &str) -> Self {
        let provider = Arc::new(default_provider());
        let client = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider);
        Self {
            roots,
            client: client.build().unwrap(),
            provider: default_provider(),
            id: id.to_owned(),
        }
    }

    fn is_expected(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let wrong = CertificateError::ApplicationVerificationFailure;
        let certificate = webpki::EndEntityCert::try_from(certificate);
        let certificate = certificate.map_err(|_| CertificateError::BadEncoding)?;
        let mut names = certificate.valid_uri_names();
        (names.next() == Some(self.id.as_str()) && names.next().is_none())
            .then_some(())
            .ok_or(rustls::Error::InvalidCertificate(wrong))
    }
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        self.is_expected(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.client.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.client.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.client.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Exactly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.client.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .client
            .verify_client_cert(end_entity, intermediates, now)?;
        self.is_expected(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.client.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.client.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.client.supported_verify_schemes()
    }
}

/// Serves one connection: reads four bytes and sends them back. Says why it did not.
async fn serve(acceptor: TlsAcceptor) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = match acceptor.accept(stream).await {
            Ok(stream) => stream,
            Err(error) => return error.to_string(),
        };
        let mut word = [0; 4];
        let echoed = async {
            stream.read_exact(&mut word).await?;
            stream.write_all(&word).await?;
            stream.shutdown().await
        };
        echoed
            .await
            .map_or_else(|e| e.to_string(), |()| "served".to_owned())
    });
    (address, served)
}

/// What each side says of a connection: the server, the client.
async fn meet(server: TlsAcceptor, client: TlsConnector) -> (String, String) {
    let (address, served) = serve(server).await;
    let asked = async {
        let name = ServerName::from(address.ip());
        let stream = TcpStream::connect(address).await?;
        let mut stream = client.connect(name, stream).await?;
        stream.write_all(b"ping").await?;
        let mut word = [0; 4];
        stream.read_exact(&mut word).await?;
        Ok::<_, std::io::Error>(word == *b"ping")
    };
    let said = match asked.await {
        Ok(echoed) => format!("echoed: {echoed}"),
        Err(error) => error.to_string(),
    };
    (served.await.unwrap(), said)
}

const ECHO: &str = "spiffe://orrery/service/echo/echo.2.7";
const WEB: &str = "spiffe://orrery/service/web/web.0.1";

#[tokio::test]
async fn two_instances_of_a_fleet_meet_and_each_knows_who_the_other_is() {
    let house = house("orrery", "1h");
    let (echo, web) = (house.peer("echo.2.7").await, house.peer("web.0.1").await);
    assert_eq!(
        (echo.signed.id.as_str(), web.signed.id.as_str()),
        (ECHO, WEB)
    );
    let met = meet(echo.server(WEB), web.client(ECHO, true)).await;
    assert_eq!(met, ("served".to_owned(), "echoed: true".to_owned()));
}

#[tokio::test]
async fn whoever_is_another_one_shows_nothing_or_is_of_another_fleet_is_refused() {
    let (house, other) = (house("orrery", "1h"), house("orrery", "1h"));
    let (echo, web) = (house.peer("echo.2.7").await, house.peer("web.0.1").await);
    // The same name, signed by another authority.
    let strange = other.peer("web.0.1").await;
    let check = |met: (String, String), side: &str, why: &str| {
        let said = if side == "server" { &met.0 } else { &met.1 };
        assert!(said.contains(why), "{why}: {met:?}");
        assert!(met.0 != "served" && met.1 != "echoed: true", "{met:?}");
    };
    let wrong_name = meet(echo.server(ECHO), web.client(ECHO, true)).await;
    check(wrong_name, "server", "ApplicationVerificationFailure");
    let longer = format!("{WEB}0");
    let prefix = meet(echo.server(&longer), web.client(ECHO, true)).await;
    check(prefix, "server", "ApplicationVerificationFailure");
    let wrong_server = meet(echo.server(WEB), web.client(WEB, true)).await;
    check(wrong_server, "client", "ApplicationVerificationFailure");
    let nothing = meet(echo.server(WEB), web.client(ECHO, false)).await;
    check(nothing, "server", "peer sent no certificates");
    let strange_server = meet(strange.server(WEB), web.client(WEB, true)).await;
    // It has the same name, and another key.
    check(strange_server, "client", "BadSignature");
    let believer = Peer {
        key: strange.key,
        signed: SignCertificateReply {
            authority: echo.signed.authority.clone(),
            ..strange.signed
        },
    };
    let strange_client = meet(echo.server(WEB), believer.client(ECHO, true)).await;
    check(strange_client, "server", "BadSignature");
}

#[tokio::test]
async fn who_speaks_plainly_is_refused_without_an_answer() {
    let house = house("orrery", "1h");
    let echo = house.peer("echo.2.7").await;
    let (address, served) = serve(echo.server(WEB)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: echo\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    // At most an alert of seven bytes: a word of TLS, none of the service.
    assert!(answer.len() <= 7, "{answer:?}");
    let said = served.await.unwrap();
    assert!(said.contains("corrupt message"), "{said}");
}

#[tokio::test]
async fn a_certificate_ends_and_the_next_one_of_the_same_key_goes_on() {
    let house = house("orrery", "2s");
    let web = house.peer("web.0.1").await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // The server's is always new.
        let echo = house.peer("echo.2.7").await;
        let met = meet(echo.server(WEB), web.client(ECHO, true)).await;
        if met.0.contains("expired") {
            break;
        }
        assert_eq!(met.0, "served", "{met:?}");
        assert!(Instant::now() < deadline, "it does not end");
    }
    let args = SignCertificateArgs {
        request: request(&web.key),
    };
    let signed = house.speaks_as("web.0.1").sign_certificate(&args).await;
    let renewed = Peer {
        key: web.key,
        signed: signed.unwrap(),
    };
    let echo = house.peer("echo.2.7").await;
    let met = meet(echo.server(WEB), renewed.client(ECHO, true)).await;
    assert_eq!(met.0, "served");
}

#[tokio::test]
async fn only_instances_are_certified_as_themselves_and_it_is_on_record() {
    let house = house("attic", "1h");
    let key = KeyPair::generate().unwrap();
    let args = SignCertificateArgs {
        request: request(&key),
    };
    let admin = with(&house.process, ADMIN);
    let person = admin.sign_certificate(&args).await;
    check_refused(person, Code::PermissionDenied, reason::NO_IDENTITY);
    let nobody = with(&house.process, "").sign_certificate(&args).await;
    check_refused(nobody, Code::Unauthenticated, "no-token");
    let web = house.speaks_as("web.0.1");
    for bad in [vec![], vec![0; 10_000], b"no request".to_vec()] {
        let refused = web
            .sign_certificate(&SignCertificateArgs { request: bad })
            .await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_REQUEST);
    }
    let signed = web.sign_certificate(&args).await.unwrap();
    assert_eq!(signed.id, "spiffe://attic/service/web/web.0.1");
    let authority = admin.authority(&Empty {}).await.unwrap();
    assert_eq!(authority.authority, signed.authority);
    assert_eq!(authority.trust_domain, "spiffe://attic/");
    let log = admin.audit(&AuditArgs::default()).await.unwrap();
    let last = &log.entries.last().unwrap().call;
    assert_eq!(
        (last.procedure.as_str(), last.subject.as_str()),
        ("sign_certificate", "spiffe://attic/service/web/web.0.1",)
    );
}
