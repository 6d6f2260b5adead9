//! Decides which code a request means: an image of ECR pinned to its digest, or the bytes of an archive.
use std::collections::BTreeMap;
use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::invalid_parameter;
use super::model::Reason;
use super::program::Launch;
use crate::LocalAws;
use crate::ecr::Reference;
use crate::wire::{AwsError, Caller};

/// The annotation of an image's manifest that says which program it is: an absolute path, or `closure:` and a name.
const PROGRAM: &str = "dev.tidegate.local.program";
/// The prefix of annotations that are the image's own environment.
const ENVIRONMENT: &str = "dev.tidegate.local.env.";

/// The code of one version.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// A container image.
    Image(Image),
    /// A deployment package.
    Zip(Archive),
}

/// A container image, as it was resolved when the code was updated.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// As the request gave it: with a tag or a digest.
    pub(crate) uri: String,
    /// The same with the digest.
    pub(crate) resolved: String,
    /// 64 hex digits.
    pub(crate) digest: String,
    /// What runs, or why nothing can.
    pub(crate) launch: Result<Launch, Reason>,
}

/// A deployment package.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    /// Base64 of the SHA-256 of the bytes.
    pub(crate) sha256: String,
    pub(crate) bytes: Bytes,
}

impl Code {
    /// `CodeSha256` as Lambda tells it: hex for images, base64 for archives.
    pub(crate) fn sha256(&self) -> &str {
        match self {
            Self::Image(image) => &image.digest,
            Self::Zip(archive) => &archive.sha256,
        }
    }

    /// `Image` or `Zip`.
    pub(crate) const fn package_type(&self) -> &'static str {
        match self {
            Self::Image(_) => "Image",
            Self::Zip(_) => "Zip",
        }
    }

    /// Bytes; Lambda says 0 for images.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Image(_) => 0,
            Self::Zip(archive) => archive.bytes.len(),
        }
    }

    /// Why a function with this code will never become active, if it will not.
    pub(crate) fn failure(&self) -> Option<Reason> {
        match self {
            Self::Image(image) => image.launch.as_ref().err().cloned(),
            Self::Zip(_) => None,
        }
    }

    /// How long Lambda takes with it, in server time.
    pub(crate) fn update_time(&self, aws: &LocalAws) -> std::time::Duration {
        match self {
            Self::Image(_) => aws.options().image_update,
            Self::Zip(_) => aws.options().zip_update,
        }
    }
}

/// The same code is the same content, whatever tag it was given by.
impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.package_type() == other.package_type() && self.sha256() == other.sha256()
    }
}

/// The members of `CreateFunction`'s `Code`, and of `UpdateFunctionCode`, that say where the code is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Source {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    image_uri: Option<String>,
}

impl Source {
    /// The code that a request means, as it is now.
    pub(crate) fn resolve(self, aws: &LocalAws, caller: &Caller) -> Result<Code, AwsError> {
        match self {
            Self { image_uri: Some(uri), zip_file: None, s3_bucket: None, s3_key: None, s3_object_version: None } => {
                image(aws, caller, uri).map(Code::Image)
            }
            Self { zip_file: Some(zip), image_uri: None, s3_bucket: None, s3_key: None, s3_object_version: None } => {
                let bytes = BASE64_STANDARD.decode(zip).map_err(|error| {
                    AwsError::new(400, "SerializationException", format!("`ZipFile` is not base64: {error}"))
                })?;
                archive(Bytes::from(bytes)).map(Code::Zip)
            }
            Self { s3_bucket: Some(bucket), s3_key: Some(key), s3_object_version, zip_file: None, image_uri: None } => {
                object(aws, caller, &bucket, &key, s3_object_version.as_deref()).map(Code::Zip)
            }
            _ => Err(invalid_parameter("Please provide a source for function code.")),
        }
    }
}

/// `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY`, then `:TAG` or `@DIGEST`.
struct ImageUri<'a> {
    account: &'a str,
    region: &'a str,
    repository: &'a str,
    reference: Reference<'a>,
}

impl<'a> ImageUri<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        let (host, path) = uri.split_once('/')?;
        let (account, rest) = host.split_once(".dkr.ecr.")?;
        let region = rest.strip_suffix(".amazonaws.com")?;
        let (repository, reference) = match (path.split_once('@'), path.split_once(':')) {
            (Some((repository, digest)), _) => (repository, Reference::Digest(digest)),
            (None, Some((repository, tag))) => (repository, Reference::Tag(tag)),
            (None, None) => (path, Reference::Tag("latest")),
        };
        (!repository.is_empty()).then_some(Self { account, region, repository, reference })
    }
}

fn image(aws: &LocalAws, caller: &Caller, uri: String) -> Result<Image, AwsError> {
    let Some(parsed) = ImageUri::parse(&uri) else {
        return Err(invalid_parameter(format!("Source image {uri} is not valid. Provide a valid source image.")));
    };
    let missing = || invalid_parameter(format!("Source image {uri} does not exist. Provide a valid source image."));
    if parsed.region != caller.region {
        return Err(invalid_parameter(format!(
            "Source image {uri} is not in the function's region {}. Provide a valid source image.",
            caller.region
        )));
    }
    let stored =
        aws.ecr().image(parsed.account, parsed.region, parsed.repository, parsed.reference).ok_or_else(missing)?;
    let manifest: Value = serde_json::from_str(&stored.manifest).unwrap_or(Value::Null);
    if manifest.get("manifests").is_some() {
        return Err(invalid_parameter(format!(
            "The image manifest, config or layer media type for the source image {uri} is not supported."
        )));
    }
    let host = uri.split('/').next().unwrap_or_default();
    let resolved = format!("{host}/{}@{}", parsed.repository, stored.digest);
    let digest = stored.digest.trim_start_matches("sha256:").to_owned();
    let launch = launch(&manifest);
    Ok(Image { resolved, digest, launch, uri })
}

/// Whether an image that a version was made of can still be pulled.
pub(crate) fn still_there(aws: &LocalAws, image: &Image) -> bool {
    ImageUri::parse(&image.resolved)
        .is_some_and(|uri| aws.ecr().image(uri.account, uri.region, uri.repository, uri.reference).is_some())
}

/// What an image runs: its manifest's annotations say so, in place of layers that nobody unpacks here.
fn launch(manifest: &Value) -> Result<Launch, Reason> {
    let invalid = |text: &str| Reason::new("InvalidImage", format!("The image is not valid: {text}"));
    let annotations = manifest.get("annotations").and_then(Value::as_object);
    let annotation = |name: &str| annotations.and_then(|it| it.get(name)).and_then(Value::as_str);
    let program = annotation(PROGRAM).ok_or_else(|| invalid(&format!("its manifest has no annotation `{PROGRAM}`")))?;
    let environment: BTreeMap<String, String> = annotations
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.strip_prefix(ENVIRONMENT)?.to_owned(), value.as_str()?.to_owned())))
        .collect();
    match program.strip_prefix("closure:") {
        Some(name) => Ok(Launch::Closure { name: name.to_owned(), environment }),
        None if !program.starts_with('/') => Err(invalid(&format!("`{program}` is not an absolute path"))),
        None => Ok(Launch::Executable { path: program.into(), environment }),
    }
}

fn object(
    aws: &LocalAws,
    caller: &Caller,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Archive, AwsError> {
    const WHILE: &str = "Error occurred while GetObject. S3 Error Code:";
    let found = aws.s3().object(bucket, key, version);
    let Some(found) = found else {
        return Err(invalid_parameter(format!(
            "{WHILE} NoSuchKey. S3 Error Message: The specified key does not exist."
        )));
    };
    if found.account != caller.account {
        let message = "Your access has been denied by S3, please make sure your request credentials have permission to \
                       GetObject";
        return Err(AwsError::new(403, "AccessDeniedException", format!("{message} for {bucket}/{key}.")));
    }
    if found.region != caller.region {
        return Err(invalid_parameter(format!(
            "{WHILE} PermanentRedirect. S3 Error Message: The bucket is in this region: {}. Please use this region to \
             retry the request",
            found.region
        )));
    }
    archive(found.bytes)
}

fn archive(bytes: Bytes) -> Result<Archive, AwsError> {
    if zip::ZipArchive::new(Cursor::new(&bytes)).is_err() {
        return Err(invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ));
    }
    Ok(Archive { sha256: BASE64_STANDARD.encode(Sha256::digest(&bytes)), bytes })
}
