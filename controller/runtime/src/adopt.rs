//! Looks at functions that live already: which there are, what their alias serves, what their images are called. Reads only.
use std::collections::BTreeMap;
use std::time::Duration;

use release_schema::{AliasName, Digest, EcrRepository, FunctionName, Tag};
use tidegate_core::live::{LiveVersion, Weighted};
use tidegate_core::release::Code;

use crate::aws::ecr::{self, Repository};
use crate::aws::lambda::Paced;
use crate::aws::{CallError, Clients, Kind, lambda};
use crate::config::CallBudget;

/// One function, as it was found.
#[derive(Debug)]
pub enum Found {
    /// Its alias serves something.
    Served(Box<Served>),
    /// It has no such alias.
    NoAlias,
    /// AWS does not show it to this caller.
    Unreadable(CallError),
}

/// What an alias serves.
#[derive(Clone, Debug)]
pub struct Served {
    /// The alias's primary version.
    pub live: LiveVersion,
    /// The other version that gets a share of the traffic.
    pub additional: Option<Weighted>,
    /// What its image is called; `None` for a zip archive.
    pub image: Option<Image>,
}

/// What a live image is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its repository, with the registry.
    pub repository: EcrRepository,
    /// The tag by which it was deployed. It may name another image by now.
    pub deployed_as: Option<Tag>,
    /// The tags that name it now, in ECR.
    pub tags: Vec<Tag>,
}

/// The functions of an account and region.
#[derive(Debug)]
pub struct Survey {
    /// Each with what was found.
    pub functions: BTreeMap<FunctionName, Found>,
    /// Repositories whose tags could not be read: their images are known by digest alone.
    pub without_tags: Vec<CallError>,
}

/// The names of all functions that begin so.
///
/// # Errors
/// Where AWS does not list them.
pub async fn functions(clients: &Clients, prefix: &str) -> Result<Vec<FunctionName>, CallError> {
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let (page, next) = lambda::list_functions(patiently(clients), marker).await?;
        names.extend(page.into_iter().filter(|name| name.as_str().starts_with(prefix)));
        if next.is_none() {
            return Ok(names);
        }
        marker = next;
    }
}

/// How long [`look`] takes at least, for so many functions.
#[must_use]
pub fn takes(functions: usize) -> Duration {
    let calls_a_second = CallBudget::default().control_plane.get();
    Duration::from_secs(1).saturating_mul(u32::try_from(functions).unwrap_or(u32::MAX)) / u32::from(calls_a_second)
}

/// What the alias of each function serves, and which tags name its image.
///
/// # Errors
/// Where AWS does not answer. A function that it does not show to this caller is no error.
pub async fn look(clients: &Clients, functions: &[FunctionName], alias: &AliasName) -> Result<Survey, CallError> {
    let mut found = BTreeMap::new();
    for function in functions {
        let served = match served(clients, function, alias).await {
            Ok(served) => Found::Served(Box::new(served)),
            Err(error) if error.is_not_found() => Found::NoAlias,
            Err(error) if matches!(error.kind, Kind::Denied | Kind::Invalid) => Found::Unreadable(error),
            Err(error) => return Err(error),
        };
        found.insert(function.clone(), served);
    }
    let without_tags = name_images(clients, &mut found).await;
    Ok(Survey { functions: found, without_tags })
}

/// Lambda, within the share of its rates that an environment's ticks have: every deployment of the account needs them too.
fn patiently(clients: &Clients) -> Paced<'_> {
    clients.patiently(&clients.budgets.sweep)
}

async fn served(clients: &Clients, function: &FunctionName, alias: &AliasName) -> Result<Served, CallError> {
    let read = lambda::get_function(patiently(clients), function.as_str(), alias.as_str()).await?;
    // Only the alias itself tells of weights.
    let additional = lambda::get_alias(patiently(clients), function.as_str(), alias.as_str()).await?.live.additional;
    Ok(Served { live: read.live, additional, image: read.image_uri.as_deref().and_then(image) })
}

/// `<registry>/<repository>`, with `:<tag>`, `@<digest>` or both behind it; its tags not asked for yet.
fn image(uri: &str) -> Option<Image> {
    let named = uri.split_once('@').map_or(uri, |(named, _digest)| named);
    let (repository, tag) = named.rsplit_once(':').map_or((named, None), |(repository, tag)| (repository, Some(tag)));
    let deployed_as = tag.and_then(|tag| tag.parse().ok());
    Some(Image { repository: repository.parse().ok()?, deployed_as, tags: Vec::new() })
}

/// Asks ECR, repository by repository; gives the failures.
async fn name_images(clients: &Clients, functions: &mut BTreeMap<FunctionName, Found>) -> Vec<CallError> {
    let mut images: BTreeMap<Repository, Vec<(Digest, &mut Image)>> = BTreeMap::new();
    for found in functions.values_mut() {
        let Found::Served(served) = found else { continue };
        let Served { live: LiveVersion { code: Some(Code::Image(digest)), .. }, image: Some(image), .. } =
            &mut **served
        else {
            continue;
        };
        let EcrRepository { registry: Some(registry), name, .. } = &image.repository else { continue };
        let repository = Repository { registry: registry.clone(), name: name.clone() };
        images.entry(repository).or_default().push((digest.clone(), image));
    }
    let mut failures = Vec::new();
    for (repository, images) in images {
        let mut digests: Vec<Digest> = images.iter().map(|(digest, _)| digest.clone()).collect();
        digests.sort();
        digests.dedup();
        match ecr::tags(&clients.ecr, &repository, &digests).await {
            Ok(tags) => {
                for (digest, image) in images {
                    image.tags = tags.get(&digest).cloned().unwrap_or_default();
                }
            }
            Err(error) => failures.push(error),
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "111111111111.dkr.ecr.eu-central-1.amazonaws.com";

    #[test]
    fn an_image_is_told_by_its_repository_and_the_tag_it_was_deployed_by() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (uri, tag) in [
            (format!("{REGISTRY}/company/flight-service:v1.0.0"), Some("v1.0.0")),
            (format!("{REGISTRY}/company/flight-service@{digest}"), None),
            (format!("{REGISTRY}/company/flight-service:v1.0.0@{digest}"), Some("v1.0.0")),
        ] {
            let image = image(&uri).unwrap();
            assert_eq!(image.repository.to_string(), format!("{REGISTRY}/company/flight-service"), "{uri}");
            assert_eq!(image.deployed_as.as_ref().map(Tag::as_str), tag, "{uri}");
        }
        assert_eq!(image("docker.io/library/nginx:1"), None);
    }
}
