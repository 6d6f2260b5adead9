//! What a registry keeps: repositories of manifests by digest, and which tag means which digest.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::codec::{Value, constraint, structure};
use crate::wire::{AwsError, Call};

/// All registries of the world: an account and region each.
#[derive(Clone, Default)]
pub(crate) struct State {
    registries: BTreeMap<(String, String), BTreeMap<String, Repository>>,
}

/// How an image is named within its repository.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reference<'a> {
    /// For example `v1.2.3`.
    Tag(&'a str),
    /// For example `sha256:…`.
    Digest(&'a str),
}

/// An image as Lambda pulls it.
pub(crate) struct StoredImage {
    /// `sha256:` and 64 hex digits: of the bytes of `manifest`.
    pub(crate) digest: String,
    /// The manifest as `PutImage` sent it.
    pub(crate) manifest: String,
}

/// One repository.
#[derive(Clone)]
pub(super) struct Repository {
    pub(super) arn: String,
    pub(super) registry: String,
    pub(super) name: String,
    pub(super) uri: String,
    pub(super) created: DateTime<Utc>,
    pub(super) mutability: String,
    pub(super) policy: Option<String>,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) tags: BTreeMap<String, String>,
}

/// One image: what was pushed, and when.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) manifest: String,
    pub(super) media_type: String,
    pub(super) pushed: DateTime<Utc>,
    /// Bytes: the manifest's own account of its configuration and layers.
    pub(super) size: i64,
}

impl State {
    /// The image of that name in `account`'s registry in `region`.
    pub(crate) fn image(
        &self,
        account: &str,
        region: &str,
        repository: &str,
        reference: Reference<'_>,
    ) -> Option<StoredImage> {
        let registry = self.registries.get(&(account.to_owned(), region.to_owned()))?;
        let repository = registry.get(repository)?;
        let digest = match reference {
            Reference::Tag(tag) => repository.tags.get(tag)?,
            Reference::Digest(digest) => digest,
        };
        let image = repository.images.get(digest)?;
        Some(StoredImage { digest: digest.to_owned(), manifest: image.manifest.clone() })
    }

    /// The registry that a call is about: its own, or the one of `registryId`, in the call's region.
    pub(super) fn registry(&mut self, account: &str, region: &str) -> &mut BTreeMap<String, Repository> {
        self.registries.entry((account.to_owned(), region.to_owned())).or_default()
    }

    /// The repository that a call is about, if its caller may see it.
    pub(super) fn repository(&mut self, call: &Call, input: &Value) -> Result<&mut Repository, AwsError> {
        let name = input.required("repositoryName")?;
        let account = registry_id(call, input)?.to_owned();
        let region = &call.caller.region;
        let found = self.registry(&account, region).get_mut(name);
        if account != call.caller.account && found.as_ref().is_none_or(|repository| repository.policy.is_none()) {
            let arn = format!("arn:aws:ecr:{region}:{account}:repository/{name}");
            return Err(denied(call, &arn));
        }
        found.ok_or_else(|| not_found(name, &account))
    }
}

/// The account whose registry a call is about.
pub(super) fn registry_id<'a>(call: &'a Call, input: &'a Value) -> Result<&'a str, AwsError> {
    let id = input.text("registryId")?.unwrap_or(&call.caller.account);
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(id)
    } else {
        Err(constraint(id, "registryId", "Member must satisfy regular expression pattern: [0-9]{12}"))
    }
}

/// What a caller of another account hears where no policy lets it in.
pub(super) fn denied(call: &Call, arn: &str) -> AwsError {
    let action = format!("ecr:{}", call.operation);
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {arn} because no resource-based policy allows the \
         {action} action",
        call.caller.arn
    );
    AwsError::new(400, "AccessDeniedException", message)
}

pub(super) fn not_found(name: &str, account: &str) -> AwsError {
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
    AwsError::new(400, "RepositoryNotFoundException", message)
}

/// How an `imageIds` entry names an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageId {
    pub(super) digest: Option<String>,
    pub(super) tag: Option<String>,
}

/// Why an `imageIds` entry names nothing: code and reason as `failures` lists them.
pub(super) type Failure = (&'static str, &'static str);

impl ImageId {
    /// The list `imageIds`: at most 100.
    pub(super) fn list(input: &Value) -> Result<Vec<Self>, AwsError> {
        let ids = input.list("imageIds")?;
        if ids.len() > 100 {
            let message = "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less \
                           than or equal to 100'";
            return Err(AwsError::new(400, "InvalidParameterException", message));
        }
        ids.iter()
            .map(|id| {
                let digest = id.text("imageDigest")?.map(str::to_owned);
                Ok(Self { digest, tag: id.text("imageTag")?.map(str::to_owned) })
            })
            .collect()
    }

    /// The structure of an answer.
    pub(super) fn describe(&self) -> Value {
        structure().with_some("imageDigest", self.digest.as_ref()).with_some("imageTag", self.tag.as_ref())
    }
}

impl std::fmt::Display for ImageId {
    /// As ECR's messages name an image.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
        write!(f, "{{imageDigest:'{}', imageTag:'{}'}}", name(&self.digest), name(&self.tag))
    }
}

impl Repository {
    /// The digest that an entry of `imageIds` names.
    pub(super) fn resolve(&self, id: &ImageId) -> Result<&str, Failure> {
        let missing = ("ImageNotFound", "Requested image not found");
        if let Some(digest) = &id.digest
            && !well_formed(digest)
        {
            let reason =
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
            return Err(("InvalidImageDigest", reason));
        }
        let tagged = id.tag.as_ref().map(|tag| self.tags.get(tag).ok_or(missing)).transpose()?;
        match (&id.digest, tagged) {
            (None, None) => {
                Err(("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"))
            }
            (Some(digest), Some(tagged)) if digest != tagged => {
                Err(("ImageTagDoesNotMatchDigest", "The given image tag does not map to the given image digest"))
            }
            (_, Some(tagged)) => Ok(tagged),
            (Some(digest), None) => self.images.get_key_value(digest).map(|(digest, _)| digest.as_str()).ok_or(missing),
        }
    }

    /// The tags of an image, in order.
    pub(super) fn tags_of(&self, digest: &str) -> Vec<&str> {
        self.tags.iter().filter(|(_, of)| *of == digest).map(|(tag, _)| tag.as_str()).collect()
    }

    pub(super) fn describe(&self) -> Value {
        structure()
            .with("repositoryArn", &self.arn)
            .with("registryId", &self.registry)
            .with("repositoryName", &self.name)
            .with("repositoryUri", &self.uri)
            .with("createdAt", self.created)
            .with("imageTagMutability", &self.mutability)
            .with("imageScanningConfiguration", structure().with("scanOnPush", false))
            .with("encryptionConfiguration", structure().with("encryptionType", "AES256"))
    }
}

fn well_formed(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
