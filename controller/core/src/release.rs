//! A release is its content: the code's digest and the configuration that is applied with it. Its id is a hash of that.
//!
//! Strategy, analysis and tag are no part of it: changing them neither starts a release nor lifts a hold.
use std::collections::BTreeMap;
use std::fmt;

use release_schema::{CodeSha256, Digest, Tag};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::ReleaseId;

/// What code is, whatever it is called and wherever it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// A container image, by the digest of its manifest.
    Image(Digest),
    /// A zip archive, by the SHA-256 of its bytes (base64, as Lambda's `CodeSha256` gives it).
    Zip(CodeSha256),
}

impl Code {
    /// What Lambda's `PublishVersion` wants as `CodeSha256`: hex of the digest for an image, base64 for a zip archive
    /// (AWS Lambda API, `FunctionConfiguration.CodeSha256`).
    #[must_use]
    pub fn lambda_code_sha256(&self) -> &str {
        match self {
            Self::Image(digest) => digest.as_str().strip_prefix("sha256:").unwrap_or(digest.as_str()),
            Self::Zip(sha) => sha.as_str(),
        }
    }

    /// The kind of package, which a function can never change.
    #[must_use]
    pub fn package(&self) -> Package {
        match self {
            Self::Image(_) => Package::Image,
            Self::Zip(_) => Package::Zip,
        }
    }

    /// Enough of it for people: `sha256:` and twelve digits, or twelve characters of the base64 form.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Image(digest) => digest.as_str().chars().take(19).collect(),
            Self::Zip(sha) => sha.as_str().chars().take(12).collect(),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(digest) => write!(f, "{}", digest.as_str()),
            Self::Zip(sha) => write!(f, "{}", sha.as_str()),
        }
    }
}

/// How a function's code is packaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Package {
    /// A container image in ECR.
    Image,
    /// A zip archive from S3.
    Zip,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "container image",
            Self::Zip => "zip archive",
        })
    }
}

/// Where Lambda fetches the code from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// `<registry>/<repository>@<digest>`: by digest, so that a tag pushed again meanwhile cannot slip in.
    Image {
        /// The whole reference.
        uri: String,
    },
    /// One version of one S3 object.
    Zip {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The object's version.
        object_version: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { uri } => f.write_str(uri),
            Self::Zip { bucket, key, object_version } => {
                write!(f, "s3://{bucket}/{key} (version {object_version})")
            }
        }
    }
}

/// The configuration that a release brings with it: only what `services.yaml` gives, the rest stays as it is live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedConfiguration {
    /// MB.
    pub memory_size: Option<u32>,
    /// Seconds.
    pub timeout: Option<u32>,
    /// Hash of each value by its name: it goes into the release's id, and nowhere else.
    pub environment: BTreeMap<String, String>,
}

impl AppliedConfiguration {
    /// The configuration that a service's declaration gives, its values hashed.
    #[must_use]
    pub fn of(declared: &release_schema::Configuration) -> Self {
        Self {
            memory_size: declared.memory_size,
            timeout: declared.timeout,
            environment: declared.environment.iter().map(|(name, value)| (name.clone(), hash_value(value))).collect(),
        }
    }
}

fn hash_value(value: &str) -> String {
    hex::encode(Sha256::digest(value.as_bytes()))
}

/// A release of one service: its content, and what people call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// Hash of code and configuration.
    pub id: ReleaseId,
    /// The pinned code.
    pub code: Code,
    /// Where Lambda fetches it.
    pub source: Source,
    /// The tag that was resolved, where it is an image: a name, no part of the id.
    pub tag: Option<Tag>,
}

impl Release {
    /// The release with this content.
    #[must_use]
    pub fn new(code: Code, source: Source, tag: Option<Tag>, configuration: &AppliedConfiguration) -> Self {
        Self { id: release_id(&code, configuration), code, source, tag }
    }

    /// What people call it: the tag, else the beginning of the digest.
    #[must_use]
    pub fn label(&self) -> String {
        self.tag.as_ref().map_or_else(|| self.code.short(), ToString::to_string)
    }
}

/// The id of content: a hash over one line for each part, each with its name, so that no two contents share a text.
#[must_use]
pub fn release_id(code: &Code, configuration: &AppliedConfiguration) -> ReleaseId {
    let AppliedConfiguration { memory_size, timeout, environment } = configuration;
    let mut hash = Sha256::new();
    hash.update(format!("tidegate release 1\ncode {code}\n"));
    if let Some(memory) = memory_size {
        hash.update(format!("memorySize {memory}\n"));
    }
    if let Some(timeout) = timeout {
        hash.update(format!("timeout {timeout}\n"));
    }
    for (name, value) in environment {
        hash.update(format!("environment {name} {value}\n"));
    }
    ReleaseId::from_sha256(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(c: char) -> Code {
        Code::Image(format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap())
    }

    #[test]
    fn the_id_depends_on_code_and_configuration_and_on_nothing_else() {
        let plain = AppliedConfiguration::default();
        let more = AppliedConfiguration { memory_size: Some(512), ..plain.clone() };
        let source = Source::Image { uri: "r/x@sha256:…".to_owned() };
        let one = Release::new(digest('a'), source.clone(), Some("v1".parse().unwrap()), &plain);
        let other_tag = Release::new(digest('a'), source.clone(), Some("v2".parse().unwrap()), &plain);
        assert_eq!(one.id, other_tag.id);
        assert_ne!(one.id, Release::new(digest('b'), source.clone(), None, &plain).id);
        assert_ne!(one.id, Release::new(digest('a'), source, None, &more).id);
    }

    #[test]
    fn publishing_an_image_sends_the_hex_of_its_digest() {
        assert_eq!(digest('a').lambda_code_sha256(), "a".repeat(64));
    }
}
