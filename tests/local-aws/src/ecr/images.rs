//! Images that are there: describe, list, get and delete them.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::repository::{Failure, ImageId, Repository, State};
use crate::codec::{Value, structure};
use crate::wire::{AwsError, Call};

/// `DescribeImages`: at most 100 ids, all of which must be there; or a page of the whole repository.
pub(super) fn describe(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let ids = ImageId::list(input)?;
    let repository = state.repository(call, input)?;
    if ids.is_empty() {
        let all = filtered(repository, input)?.into_iter();
        let all = all.map(|digest| (digest.to_owned(), detail(repository, digest))).collect();
        let (page, next) = page(all, input)?;
        return Ok(structure().with("imageDetails", page).with_some("nextToken", next));
    }
    if input.get("maxResults").is_some() || input.get("nextToken").is_some() {
        let message = "Invalid parameter: imageIds cannot be combined with nextToken or maxResults";
        return Err(AwsError::new(400, "InvalidParameterException", message));
    }
    let mut digests = Vec::new();
    for id in &ids {
        let digest = repository.resolve(id).map_err(|failure| refused(repository, id, failure))?;
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    let details: Vec<_> = digests.into_iter().map(|digest| detail(repository, digest)).collect();
    Ok(structure().with("imageDetails", details))
}

fn refused(repository: &Repository, id: &ImageId, (code, reason): Failure) -> AwsError {
    if code != "ImageNotFound" {
        return AwsError::new(400, "InvalidParameterException", reason);
    }
    let message = format!(
        "The image with imageId {id} does not exist within the repository with name '{}' in the registry with id '{}'",
        repository.name, repository.registry
    );
    AwsError::new(400, "ImageNotFoundException", message)
}

fn detail(repository: &Repository, digest: &str) -> Value {
    let tags = repository.tags_of(digest);
    let described = structure()
        .with("registryId", &repository.registry)
        .with("repositoryName", &repository.name)
        .with("imageDigest", digest)
        .with_some("imageTags", Some(tags).filter(|tags| !tags.is_empty()));
    let Some(image) = repository.images.get(digest) else { return described };
    described
        .with("imageSizeInBytes", image.size)
        .with("imagePushedAt", image.pushed)
        .with("imageManifestMediaType", &image.media_type)
        .with("imageStatus", "ACTIVE")
}

/// The digests that `filter.tagStatus` lets through.
fn filtered<'r>(repository: &'r Repository, input: &Value) -> Result<Vec<&'r str>, AwsError> {
    let filter = input.get("filter");
    if filter.is_some_and(|filter| filter.get("imageStatus").is_some()) {
        return Err(AwsError::not_implemented("ecr filter imageStatus"));
    }
    let status = filter.map(|filter| filter.text("tagStatus")).transpose()?.flatten().unwrap_or("ANY");
    let wanted = |digest: &&str| match status {
        "TAGGED" => !repository.tags_of(digest).is_empty(),
        "UNTAGGED" => repository.tags_of(digest).is_empty(),
        _ => true,
    };
    Ok(repository.images.keys().map(String::as_str).filter(wanted).collect())
}

/// `ListImages`: an id for each tag, and one for each image without a tag.
pub(super) fn list(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let repository = state.repository(call, input)?;
    let mut ids = Vec::new();
    for digest in filtered(repository, input)? {
        let tags = repository.tags_of(digest);
        let id = |tag: Option<&str>| ImageId { digest: Some(digest.to_owned()), tag: tag.map(str::to_owned) };
        if tags.is_empty() {
            ids.push((digest.to_owned(), id(None).describe()));
        }
        ids.extend(tags.into_iter().map(|tag| (format!("{digest} {tag}"), id(Some(tag)).describe())));
    }
    let (page, next) = page(ids, input)?;
    Ok(structure().with("imageIds", page).with_some("nextToken", next))
}

/// `BatchGetImage`: what is there, and a failure for each id that names nothing.
pub(super) fn get(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let ids = some_ids(input)?;
    let repository = state.repository(call, input)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in &ids {
        match repository.resolve(id) {
            Ok(digest) => images.push(super::push::describe(repository, digest, id.tag.as_deref())),
            Err(failure) => failures.push(describe_failure(id, failure)),
        }
    }
    Ok(structure().with("images", images).with("failures", failures))
}

/// `BatchDeleteImage`: by digest the image with all its tags, by tag only the tag; the last tag takes the image along.
pub(super) fn delete(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let ids = some_ids(input)?;
    let repository = state.repository(call, input)?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in &ids {
        let digest = match repository.resolve(id) {
            Ok(digest) => digest.to_owned(),
            Err(failure) => {
                failures.push(describe_failure(id, failure));
                continue;
            }
        };
        let removed: Vec<String> = match (&id.digest, &id.tag) {
            (None, Some(tag)) => vec![tag.clone()],
            (Some(_), _) | (None, None) => repository.tags_of(&digest).into_iter().map(str::to_owned).collect(),
        };
        for tag in &removed {
            repository.tags.remove(tag);
        }
        if repository.tags_of(&digest).is_empty() {
            repository.images.remove(&digest);
        }
        let gone = |tag: Option<String>| ImageId { digest: Some(digest.clone()), tag }.describe();
        if removed.is_empty() {
            deleted.push(gone(None));
        }
        deleted.extend(removed.into_iter().map(|tag| gone(Some(tag))));
    }
    Ok(structure().with("imageIds", deleted).with("failures", failures))
}

fn some_ids(input: &Value) -> Result<Vec<ImageId>, AwsError> {
    let ids = ImageId::list(input)?;
    if ids.is_empty() {
        let message = "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length greater \
                       than or equal to 1'";
        return Err(AwsError::new(400, "InvalidParameterException", message));
    }
    Ok(ids)
}

fn describe_failure(id: &ImageId, (code, reason): Failure) -> Value {
    structure().with("imageId", id.describe()).with("failureCode", code).with("failureReason", reason)
}

/// One page of items in the order of their keys: `maxResults` 1–1000, 100 unless told; the token is the last key given.
pub(super) fn page(items: Vec<(String, Value)>, input: &Value) -> Result<(Vec<Value>, Option<String>), AwsError> {
    let invalid = |message: &str| AwsError::new(400, "InvalidParameterException", message);
    let size = input.int("maxResults")?.unwrap_or(100);
    let size = usize::try_from(size).ok().filter(|size| (1..=1000).contains(size)).ok_or_else(|| {
        invalid("Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must be between 1 and 1000'")
    })?;
    let after = input.text("nextToken")?.map(|token| {
        let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        key.ok_or_else(|| invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'"))
    });
    let after = after.transpose()?;
    let mut rest: Vec<_> =
        items.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).take(size + 1).collect();
    let more = rest.len() > size;
    rest.truncate(size);
    let next = rest.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
    Ok((rest.into_iter().map(|(_, value)| value).collect(), next))
}
