//! ECR: which digest a tag names now, and which tags name a digest, a hundred of one repository a call.
use std::collections::BTreeMap;

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use release_schema::{Digest, Tag};

use super::error::{CallError, failed};

/// ECR's own limit for one call.
const BATCH: usize = 100;

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// The registry's host.
    pub registry: String,
    /// The repository's name in it.
    pub name: String,
}

impl Repository {
    /// The account in an ECR registry's host; `None` where the host is of another form.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        let account = self.registry.split('.').next()?;
        (account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit())).then_some(account)
    }

    /// An image of it by digest.
    #[must_use]
    pub fn by_digest(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.registry, self.name)
    }
}

/// The digests of `tags`; a tag that does not exist is not among the answers.
///
/// `BatchGetImage` tells found and missing tags apart in one call, where `DescribeImages` fails as a whole.
///
/// # Errors
/// Where the repository does not exist, may not be read, or ECR does not answer.
pub async fn digests(
    client: &aws_sdk_ecr::Client,
    repository: &Repository,
    tags: &[Tag],
) -> Result<BTreeMap<Tag, Digest>, CallError> {
    let mut found = BTreeMap::new();
    for batch in tags.chunks(BATCH) {
        let ids = batch.iter().map(|tag| ImageIdentifier::builder().image_tag(tag.as_str()).build()).collect();
        let answer = client
            .batch_get_image()
            .set_registry_id(repository.account().map(str::to_owned))
            .repository_name(&repository.name)
            .set_image_ids(Some(ids))
            .send()
            .await
            .map_err(failed("ecr:BatchGetImage", &format!("{}/{}", repository.registry, repository.name)))?;
        for image in answer.images() {
            let Some(id) = image.image_id() else { continue };
            let tag = id.image_tag().and_then(|tag| tag.parse::<Tag>().ok());
            let digest = id.image_digest().and_then(|digest| digest.parse::<Digest>().ok());
            found.extend(tag.zip(digest));
        }
        for failure in
            answer.failures().iter().filter(|failure| failure.failure_code() != Some(&ImageFailureCode::ImageNotFound))
        {
            tracing::warn!(repository = repository.name, code = ?failure.failure_code(), "ECR could not read an image");
        }
    }
    Ok(found)
}

/// The tags of images by their digests. An image without a tag has none; one that does not exist is not among the answers.
///
/// # Errors
/// Where the repository does not exist, may not be read, or ECR does not answer.
pub async fn tags(
    client: &aws_sdk_ecr::Client,
    repository: &Repository,
    digests: &[Digest],
) -> Result<BTreeMap<Digest, Vec<Tag>>, CallError> {
    let mut found = BTreeMap::new();
    for batch in digests.chunks(BATCH) {
        match described(client, repository, batch).await {
            Ok(images) => found.extend(images),
            // One image that is gone fails the whole call, and which one it is is not said.
            Err(error) if is_image_missing(&error) => {
                for digest in batch {
                    match described(client, repository, std::slice::from_ref(digest)).await {
                        Ok(images) => found.extend(images),
                        Err(error) if is_image_missing(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn is_image_missing(error: &CallError) -> bool {
    error.code.as_deref() == Some("ImageNotFoundException")
}

/// `DescribeImages`: unlike `BatchGetImage` it gives every tag of an image.
async fn described(
    client: &aws_sdk_ecr::Client,
    repository: &Repository,
    digests: &[Digest],
) -> Result<Vec<(Digest, Vec<Tag>)>, CallError> {
    let ids = digests.iter().map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build()).collect();
    let answer = client
        .describe_images()
        .set_registry_id(repository.account().map(str::to_owned))
        .repository_name(&repository.name)
        .set_image_ids(Some(ids))
        .send()
        .await
        .map_err(failed("ecr:DescribeImages", &format!("{}/{}", repository.registry, repository.name)))?;
    let tags = |tags: &[String]| tags.iter().filter_map(|tag| tag.parse().ok()).collect();
    let images = answer.image_details().iter();
    Ok(images.filter_map(|image| Some((image.image_digest()?.parse().ok()?, tags(image.image_tags())))).collect())
}
