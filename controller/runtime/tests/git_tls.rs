//! Whose certificates are trusted: a company's own root where it is given, and then no other.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tidegate_runtime::git::{self, Error, Limits, Remote};

const HEAD: &str = "0123456789abcdef0123456789abcdef01234567";

/// A certificate authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// Serves the list of references of a repository with one branch, once a connection, with a certificate for `name`.
fn serve(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> SocketAddr {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
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
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            // A client that does not trust us hangs up: nothing to do about it.
            let _ = answer(StreamOwned::new(connection, stream));
        }
    });
    address
}

fn answer(mut stream: impl Read + Write) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    let _ = stream.read(&mut request)?;
    let reference = format!("{HEAD} refs/heads/main\0agent=test\n");
    let body = format!("001e# service=git-upload-pack\n0000{:04x}{reference}0000", reference.len() + 4);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    stream.flush()
}

fn remote(address: SocketAddr) -> Remote {
    Remote::new(&format!("https://localhost:{}/r.git", address.port()), "main").expect("a remote")
}

#[test]
fn an_own_root_is_trusted_where_it_is_given() {
    let authority = authority();
    let address = serve(&authority, "localhost");
    let remote = remote(address).with_root_certificates(authority.pem().as_bytes()).expect("roots");
    assert_eq!(git::list(&remote, &Limits::default()).expect("a head").to_string(), HEAD);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_by_name() {
    let address = serve(&authority(), "localhost");
    let error = git::list(&remote(address), &Limits::default()).expect_err("untrusted");
    assert!(matches!(error, Error::Certificate { .. }), "{error:?}");
    let host = format!("localhost:{}", address.port());
    assert_eq!(error.to_string(), format!("the certificate of Git server `{host}` is not trusted"));
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = authority();
    let address = serve(&authority, "git.example.com");
    let remote = remote(address).with_root_certificates(authority.pem().as_bytes()).expect("roots");
    let outcome = git::list(&remote, &Limits::default());
    assert!(matches!(outcome, Err(Error::Certificate { .. })), "{outcome:?}");
}
