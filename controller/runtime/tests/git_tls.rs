//! Whose certificates are trusted: a company's own root where it is given, and then no other.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tidegate_runtime::git::{self, Credential, Error, Limits, Remote};
use tidegate_runtime::secret::Secret;

const HEAD: &str = "0123456789abcdef0123456789abcdef01234567";

/// A certificate authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A server, and how many requests reached it: none where it was not trusted, and so nothing of a credential.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

/// Serves the list of references of a repository with one branch, once a connection, with a certificate for `name`.
fn serve(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Server {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    serve_with(&certificate, &key)
}

/// The same, with this certificate.
fn serve_with(certificate: &Certificate, key: &KeyPair) -> Server {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a configuration");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let config = Arc::new(config);
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            // A client that does not trust us hangs up: nothing to do about it.
            let _ = answer(StreamOwned::new(connection, stream), &counted);
        }
    });
    Server { address, requests }
}

fn answer(mut stream: impl Read + Write, requests: &AtomicUsize) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    if stream.read(&mut request)? > 0 {
        requests.fetch_add(1, Ordering::SeqCst);
    }
    let reference = format!("{HEAD} refs/heads/main\0agent=test\n");
    let body = format!("001e# service=git-upload-pack\n0000{:04x}{reference}0000", reference.len() + 4);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    stream.flush()
}

/// With a credential: it may reach nobody who is not trusted.
fn remote(server: &Server) -> Remote {
    let credential = Credential { username: "deploy".to_owned(), password: Secret::new("s3cret") };
    let url = format!("https://localhost:{}/r.git", server.address.port());
    Remote::new(&url, "main").expect("a remote").with_credential(credential)
}

/// Refused by the name of the host; and no request came.
fn refuses(server: &Server, remote: &Remote) {
    let error = git::list(remote, &Limits::default()).expect_err("untrusted");
    assert!(matches!(error, Error::Certificate { .. }), "{error:?}");
    let host = format!("localhost:{}", server.address.port());
    assert_eq!(error.to_string(), format!("the certificate of Git server `{host}` is not trusted"));
    assert_eq!(server.requests.load(Ordering::SeqCst), 0, "a request was sent");
}

#[test]
fn an_own_root_is_trusted_where_it_is_given() {
    let authority = authority();
    let server = serve(&authority, "localhost");
    let remote = remote(&server).with_root_certificates(authority.pem().as_bytes()).expect("roots");
    assert_eq!(git::list(&remote, &Limits::default()).expect("a head").to_string(), HEAD);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_by_name() {
    let server = serve(&authority(), "localhost");
    refuses(&server, &remote(&server));
    // Nor is it trusted where another one is.
    let remote = remote(&server).with_root_certificates(authority().pem().as_bytes()).expect("roots");
    refuses(&server, &remote);
}

#[test]
fn a_certificate_that_signed_itself_is_refused() {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    let server = serve_with(&params.self_signed(&key).expect("a certificate"), &key);
    refuses(&server, &remote(&server));
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = authority();
    let server = serve(&authority, "git.example.com");
    refuses(&server, &remote(&server).with_root_certificates(authority.pem().as_bytes()).expect("roots"));
}

#[test]
fn a_certificate_that_has_ended_or_not_begun_is_refused() {
    let authority = authority();
    let ended = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let not_begun = (date_time_ymd(2400, 1, 1), date_time_ymd(2401, 1, 1));
    for (not_before, not_after) in [ended, not_begun] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        (params.not_before, params.not_after) = (not_before, not_after);
        let server = serve_with(&params.signed_by(&key, &authority).expect("a certificate"), &key);
        refuses(&server, &remote(&server).with_root_certificates(authority.pem().as_bytes()).expect("roots"));
    }
}
