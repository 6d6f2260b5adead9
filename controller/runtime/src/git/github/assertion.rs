//! Decides what a GitHub App says to sign in: a JSON Web Token (RFC 7519) that its private key signed (RS256, RFC 7518).
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;

use super::error::Error;
use crate::secret::Secret;

/// It is said to be a minute old, as GitHub advises: clocks differ.
const BEFORE: Duration = Duration::from_secs(60);

/// When it ends. GitHub takes none that lives longer than ten minutes from its own now.
const AFTER: Duration = Duration::from_secs(9 * 60);

#[derive(Serialize)]
struct Claims {
    iat: u64,
    exp: u64,
    iss: String,
}

/// The token by which an app signs in at `now`.
///
/// # Errors
/// [`Error::InvalidKey`] where the key is no RSA private key in PEM, PKCS #1 as GitHub gives it, or PKCS #8.
pub(super) fn assertion(app: u64, key: &Secret, now: SystemTime) -> Result<Secret, Error> {
    let invalid = || Error::InvalidKey { app };
    let key = match PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| invalid())? {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(invalid()),
    };
    let key = key.map_err(|_| invalid())?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (iat, exp) = (now.saturating_sub(BEFORE).as_secs(), (now + AFTER).as_secs());
    let claims = serde_json::to_vec(&Claims { iat, exp, iss: app.to_string() }).map_err(|_| invalid())?;
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(br#"{"alg":"RS256","typ":"JWT"}"#), encode(&claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(|_| invalid())?;
    Ok(Secret::new(format!("{signed}.{}", encode(&signature))))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use git_server::Keys;

    use super::*;

    fn decode(part: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")
    }

    #[test]
    fn an_assertion_is_signed_and_lives_from_a_minute_ago_to_nine_minutes_on() {
        let keys = Keys::generate();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let token = assertion(1234, &Secret::new(&keys.private_pem), now).expect("an assertion");
        let (signed, signature) = token.expose().rsplit_once('.').expect("three parts");
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &keys.public_der);
        public.verify(signed.as_bytes(), &decode(signature)).expect("a sound signature");
        let (header, claims) = signed.split_once('.').expect("two parts");
        assert_eq!(decode(header), br#"{"alg":"RS256","typ":"JWT"}"#);
        let claims = String::from_utf8(decode(claims)).expect("text");
        assert_eq!(claims, r#"{"iat":1699999940,"exp":1700000540,"iss":"1234"}"#);
    }

    #[test]
    fn both_forms_of_a_key_are_read() {
        let keys = Keys::generate();
        assert!(keys.private_pem.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
        let now = SystemTime::UNIX_EPOCH;
        let old = assertion(1, &Secret::new(&keys.private_pem), now).expect("PKCS #1");
        let new = assertion(1, &Secret::new(&keys.private_pkcs8_pem), now).expect("PKCS #8");
        assert!(old == new, "the same key gives the same signature");
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_and_not_repeated() {
        for text in ["", "hunter2", "-----BEGIN RSA PRIVATE KEY-----\naHVudGVyMg==\n-----END RSA PRIVATE KEY-----\n"] {
            let error = assertion(7, &Secret::new(text), SystemTime::UNIX_EPOCH).expect_err("no key").to_string();
            assert!(error.starts_with("the private key of GitHub App 7 is no RSA key in PEM"), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("aHVud"), "{error}");
        }
    }

    #[test]
    fn keys_are_as_strong_as_github_makes_them() {
        let keys = Keys::generate();
        let pair = PrivateKeyDer::from_pem_slice(keys.private_pkcs8_pem.as_bytes()).expect("a key");
        let pair = RsaKeyPair::from_pkcs8(pair.secret_der()).expect("an RSA key");
        assert_eq!((pair.public_modulus_len(), pair.public_key().as_ref()), (256, &*keys.public_der));
    }
}
