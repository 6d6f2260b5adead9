//! Decides which texts name code: ECR repositories, image tags, image digests, and the hash of a zip.

use super::{Error, printable, text_value};
use std::fmt;
use std::str::FromStr;

text_value! {
    /// An image tag, `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}` (OCI distribution specification).
    Tag, check_tag
}

text_value! {
    /// An image's digest: `sha256:` and 64 lower-case hexadecimal digits (OCI image specification).
    Digest, check_digest
}

text_value! {
    /// SHA-256 of a deployment package as Lambda reports it: base64 of 32 bytes (Lambda API, `CodeSha256`).
    CodeSha256, check_code_sha256
}

impl Digest {
    /// The 64 hexadecimal digits, which Lambda reports as the `CodeSha256` of an image function.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.as_str().strip_prefix(DIGEST_PREFIX).unwrap_or_default()
    }
}

const DIGEST_PREFIX: &str = "sha256:";

/// An ECR repository: in the environment's own registry, or by its full name in another one that the controller's
/// configuration allows. `Display` gives it as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub struct EcrRepository {
    /// The registry's host, `123456789012.dkr.ecr.eu-west-1.amazonaws.com`, where a full name was given.
    pub registry: Option<String>,
    /// The repository's name, 2 to 256 characters (ECR API, `repositoryName`).
    pub name: String,
}

impl TryFrom<String> for EcrRepository {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl FromStr for EcrRepository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const RULE: &str =
            "lower-case letters and digits, with single `.`, `_`, `-` or `/` between them, 2 to 256 characters";
        if text.contains("://") {
            return Err(Error::misplaced(text, "is a URL, not a repository", "leave out the scheme"));
        }
        let (registry, name) = match text.split_once('/') {
            Some((host, name)) if looks_like_registry(host) => (Some(host), name),
            Some(_) | None => (None, text),
        };
        if let Some(host) = registry
            && !is_ecr_registry(host)
        {
            const HOST: &str =
                "`<account>.dkr.ecr.<region>.amazonaws.com/<repository>`: Lambda takes images from ECR only";
            return Err(Error::malformed("in an ECR registry", text, HOST));
        }
        if name.contains(['@', ':']) {
            return Err(Error::misplaced(
                text,
                "carries a tag or a digest, which a repository does not",
                "give the tag, or `tag@sha256:…`, in `imageTag`",
            ));
        }
        if !is_repository_name(name) {
            return Err(Error::malformed("an ECR repository", text, RULE));
        }
        Ok(Self { registry: registry.map(str::to_owned), name: name.to_owned() })
    }
}

impl From<EcrRepository> for String {
    fn from(repository: EcrRepository) -> Self {
        repository.to_string()
    }
}

impl fmt::Display for EcrRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.registry {
            Some(registry) => write!(f, "{registry}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn check_tag(text: &str) -> Result<(), Error> {
    const RULE: &str =
        "letters, digits, `.`, `_` and `-`, beginning with a letter, a digit or `_`, at most 128 characters";
    let good = text.len() <= 128
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if good { Ok(()) } else { Err(Error::malformed("an image tag", text, RULE)) }
}

fn check_digest(text: &str) -> Result<(), Error> {
    const RULE: &str = "`sha256:` and 64 lower-case hexadecimal digits";
    let good = text.strip_prefix(DIGEST_PREFIX).is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
    });
    if good { Ok(()) } else { Err(Error::malformed("an image digest", text, RULE)) }
}

fn check_code_sha256(text: &str) -> Result<(), Error> {
    const RULE: &str =
        "base64 of the 32 bytes of a SHA-256, 44 characters: `openssl dgst -sha256 -binary FILE | base64`";
    // 32 bytes are 42 characters of six bits, one more whose two lowest bits are zero, and one `=`.
    let good = text.strip_suffix('=').is_some_and(|digits| {
        digits.len() == 43
            && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            && digits.ends_with(|last: char| "AEIMQUYcgkosw048".contains(last))
    });
    if good { Ok(()) } else { Err(Error::malformed("a `codeSha256`", text, RULE)) }
}

/// A first segment that can only be meant as a host. A repository name may contain dots (`my.team/app`), but no port, and
/// nobody names one like a registry's domain.
fn looks_like_registry(segment: &str) -> bool {
    segment.contains(':')
        || segment.contains(".dkr.")
        || segment.contains(".dkr-ecr")
        || [".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".ecr.aws", "docker.io", "ghcr.io", "quay.io"]
            .iter()
            .any(|domain| segment.ends_with(domain))
}

/// `<account>.dkr.ecr[-fips].<region>.amazonaws.com[.cn]`, or the dual-stack `<account>.dkr-ecr[-fips].<region>.on.aws`.
fn is_ecr_registry(host: &str) -> bool {
    let Some((account, rest)) = host.split_once('.') else { return false };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let region = ["dkr.ecr.", "dkr.ecr-fips."]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))
        .and_then(|rest| rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn")))
        .or_else(|| {
            ["dkr-ecr.", "dkr-ecr-fips."].iter().find_map(|prefix| rest.strip_prefix(prefix)).and_then(|rest| {
                rest.strip_suffix(".on.aws").or_else(|| rest.strip_suffix(".on.amazonwebservices.com.cn"))
            })
        });
    let is_region = |region: &str| {
        region.contains('-')
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    is_account && region.is_some_and(is_region)
}

/// ECR's pattern: segments of lower-case letters and digits with single `.`, `_` or `-` inside, joined by `/`.
fn is_repository_name(name: &str) -> bool {
    (2..=256).contains(&name.len())
        && name
            .split('/')
            .flat_map(|segment| segment.split(['.', '_', '-']))
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

/// Splits `v1.2.3@sha256:…` into tag and digest.
pub(crate) fn parse_tag_and_digest(text: &str) -> Result<(Tag, Option<Digest>), Error> {
    if text.starts_with(DIGEST_PREFIX) || text.starts_with('@') {
        return Err(Error::misplaced(
            text,
            "has a digest and no tag",
            "give both, as `v1.2.3@sha256:…`: history and `status` show the tag",
        ));
    }
    match text.split_once('@') {
        None => Ok((text.parse()?, None)),
        Some((tag, digest)) => Ok((tag.parse()?, Some(digest.parse()?))),
    }
}

/// Checks the name of an S3 bucket (S3 user guide, "Bucket naming rules"; the parts that a text alone can break).
pub(crate) fn check_bucket(text: &str) -> Result<(), Error> {
    const RULE: &str =
        "the bucket's name: lower-case letters, digits, inner `-` and single inner `.`, 3 to 63 characters";
    if text.starts_with("s3://") || text.starts_with("arn:") {
        return Err(Error::misplaced(text, "is an address, not a bucket name", "give the bucket's name alone"));
    }
    let good = (3..=63).contains(&text.len()) && text.split('.').all(is_bucket_label);
    if good { Ok(()) } else { Err(Error::malformed("a bucket name", text, RULE)) }
}

fn is_bucket_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Checks an S3 object key: at most 1,024 bytes (Lambda API, `S3Key`).
pub(crate) fn check_key(text: &str) -> Result<(), Error> {
    if (1..=1024).contains(&text.len()) {
        Ok(())
    } else {
        Err(Error::malformed("an object key", text, "1 to 1024 bytes"))
    }
}

/// Checks an S3 object version, at most 1,024 bytes (Lambda API, `S3ObjectVersion`).
pub(crate) fn check_object_version(text: &str) -> Result<(), Error> {
    if text == "null" {
        // What a bucket without versioning calls its only version: it can be overwritten under the same name.
        return Err(Error::misplaced(
            text,
            "is the version of an object that can be overwritten",
            "switch on versioning for the bucket, and give the object's version id",
        ));
    }
    if (1..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Error::malformed("an object version", &printable(text), "the object's version id, 1 to 1024 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_in_the_environments_registry_or_carries_its_own() {
        let own: EcrRepository = "company/flight-service".parse().unwrap();
        assert_eq!((own.registry.as_deref(), own.name.as_str()), (None, "company/flight-service"));

        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let full: EcrRepository = format!("{host}/company/flight-service").parse().unwrap();
        assert_eq!((full.registry.as_deref(), full.name.as_str()), (Some(host), "company/flight-service"));
        assert_eq!(full.to_string(), format!("{host}/company/flight-service"));
    }

    #[test]
    fn registries_of_every_partition_are_known() {
        for host in [
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "123456789012.dkr-ecr.eu-west-1.on.aws",
        ] {
            let repository: EcrRepository = format!("{host}/app").parse().unwrap();
            assert_eq!(repository.registry.as_deref(), Some(host));
        }
    }

    #[test]
    fn what_ecr_would_refuse_is_no_repository() {
        for bad in [
            "",
            "a",
            "A/b",
            "a//b",
            "a--b",
            "/a",
            "a/",
            "-ab",
            "a b",
            "docker.io/library/x",
            "public.ecr.aws/x/y",
            "localhost:5000/x",
            "1234.dkr.ecr.eu-west-1.amazonaws.com/x",
            "company/app:v1",
            "https://company/app",
        ] {
            assert!(bad.parse::<EcrRepository>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tag_may_carry_its_digest() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let (tag, pinned) = parse_tag_and_digest(&format!("v1.2.3@{digest}")).unwrap();
        assert_eq!((tag.as_str(), pinned.as_ref().map(Digest::as_str)), ("v1.2.3", Some(digest.as_str())));
        assert_eq!(pinned.unwrap().hex(), "0a".repeat(32));
        for bad in [digest.as_str(), "v1@", "v1@sha256:12", "@v1", "", ".v1", "-v1", "v 1", &"v".repeat(129)] {
            assert!(parse_tag_and_digest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_code_hash_is_base64_of_exactly_32_bytes() {
        assert!("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse::<CodeSha256>().is_ok());
        for bad in ["", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=", "47DEQpj8HBSa", &"0a".repeat(32)] {
            assert!(bad.parse::<CodeSha256>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_object_is_named_by_bucket_key_and_a_version_that_stays() {
        assert!(check_bucket("company-artifacts.eu").is_ok());
        for bad in ["ab", "A-b", "a..b", "-abc", "s3://abc", "a_b"] {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
        assert!(check_object_version("3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY").is_ok());
        assert!(check_object_version("null").is_err());
    }
}
