//! `PutImage`: a manifest becomes an image by its digest, and a tag begins to mean it.
use sha2::{Digest, Sha256};

use super::repository::{Image, ImageId, Repository, State};
use crate::codec::{Value, structure};
use crate::wire::{AwsError, Call};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// `PutImage`.
pub(super) fn put(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    input.required("repositoryName")?;
    let manifest = input.required("imageManifest")?;
    let tag = input.text("imageTag")?;
    let parsed: serde_json::Value = serde_json::from_str(manifest).map_err(|_| {
        let message = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'";
        AwsError::new(400, "InvalidParameterException", message)
    })?;
    tag.map_or(Ok(()), check_tag)?;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(manifest)));
    if let Some(given) = input.text("imageDigest")?
        && given != digest
    {
        let message = format!("The provided digest '{given}' does not match the digest '{digest}' of the manifest");
        return Err(AwsError::new(400, "ImageDigestDoesNotMatchException", message));
    }
    let declared = input.text("imageManifestMediaType")?.or_else(|| parsed.get("mediaType")?.as_str());
    let media_type = declared.unwrap_or(OCI_MANIFEST).to_owned();

    let repository = state.repository(call, input)?;
    refuse_what_is_there(repository, &digest, tag)?;
    repository.images.entry(digest.clone()).or_insert_with(|| Image {
        manifest: manifest.to_owned(),
        media_type,
        pushed: call.now,
        size: size(&parsed),
    });
    if let Some(tag) = tag {
        repository.tags.insert(tag.to_owned(), digest.clone());
    }
    Ok(structure().with("image", describe(repository, &digest, tag)))
}

/// The `image` structure of an answer.
pub(super) fn describe(repository: &Repository, digest: &str, tag: Option<&str>) -> Value {
    let id = ImageId { digest: Some(digest.to_owned()), tag: tag.map(str::to_owned) };
    let image = repository.images.get(digest);
    structure()
        .with("registryId", &repository.registry)
        .with("repositoryName", &repository.name)
        .with("imageId", id.describe())
        .with_some("imageManifest", image.map(|image| &image.manifest))
        .with_some("imageManifestMediaType", image.map(|image| &image.media_type))
}

/// The same image under the same tag is no news, and an immutable tag stays where it is.
fn refuse_what_is_there(repository: &Repository, digest: &str, tag: Option<&str>) -> Result<(), AwsError> {
    let known = repository.images.contains_key(digest);
    let (name, registry) = (&repository.name, &repository.registry);
    let Some(tag) = tag else {
        if known {
            let message = format!(
                "Image with digest '{digest}' already exists in the repository with name '{name}' in registry with id \
                 '{registry}'"
            );
            return Err(AwsError::new(400, "ImageAlreadyExistsException", message));
        }
        return Ok(());
    };
    match repository.tags.get(tag) {
        Some(current) if current == digest => {
            let message = format!(
                "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in \
                 registry with id '{registry}'"
            );
            Err(AwsError::new(400, "ImageAlreadyExistsException", message))
        }
        Some(_) if repository.mutability == "IMMUTABLE" => {
            let message = format!(
                "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the \
                 tag is immutable."
            );
            Err(AwsError::new(400, "ImageTagAlreadyExistsException", message))
        }
        Some(_) | None => Ok(()),
    }
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`, as the distribution specification says.
fn check_tag(tag: &str) -> Result<(), AwsError> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let legal = tag.chars().all(|c| word(c) || ".-".contains(c));
    if (1..=128).contains(&tag.len()) && legal && tag.starts_with(word) {
        return Ok(());
    }
    let message = "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression \
                   '[a-zA-Z0-9_][a-zA-Z0-9-_.]{0,127}''";
    Err(AwsError::new(400, "InvalidParameterException", message))
}

/// What the manifest says of its configuration and layers, in bytes.
fn size(manifest: &serde_json::Value) -> i64 {
    let of = |descriptor: &serde_json::Value| descriptor.get("size").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let layers = manifest.get("layers").and_then(serde_json::Value::as_array);
    manifest.get("config").map_or(0, of) + layers.map_or(0, |layers| layers.iter().map(of).sum())
}
