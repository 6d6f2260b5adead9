//! Resolves tags and objects to what they are, once: a release is pinned when it is first seen, and stays what it was then.
use std::collections::{BTreeMap, BTreeSet};

use release_schema::{Artifact, Digest, Image, Service, ServiceName, Tag, Zip};
use tidegate_core::drift::Recorded;
use tidegate_core::live::Seen;
use tidegate_core::release::{AppliedConfiguration, Code, Release, Source};
use tidegate_core::report::TickReport;
use tidegate_core::status::SyncStatus;

use super::{Releases, Tick};
use crate::aws::ecr::{self, Repository};
use crate::aws::{CallError, zip};
use crate::store::desired::{DesiredDocument, Pin};
use crate::wanted::Wanted;

/// The release of every service, or why there is none. New pins of this shard's services are put into the document; only those
/// that `asked` names are asked for.
pub(super) async fn resolve(tick: &Tick<'_>, wanted: &mut Wanted, asked: impl Fn(&ServiceName) -> bool) -> Releases {
    let services = &wanted.environment.services;
    let allowed: BTreeMap<&ServiceName, Result<(), String>> =
        services.iter().map(|(name, service)| (name, allowed(tick, service))).collect();
    let mut missing: BTreeMap<ServiceName, String> = BTreeMap::new();
    let unpinned: Vec<&Service> = services
        .values()
        .filter(|service| asked(&service.name) && allowed.get(&service.name).is_some_and(Result::is_ok))
        .filter(|service| tick.shard.takes(&service.name) && !is_pinned(&wanted.document, service))
        .collect();
    for (service, code) in look_up(tick, &unpinned).await {
        match code {
            Ok(code) => {
                pin(&mut wanted.document, service, code);
            }
            Err(message) => drop(missing.insert(service.name.clone(), message)),
        }
    }
    wanted.document.pins.retain(|name, _| services.contains_key(name));
    services
        .values()
        .map(|service| {
            let refused = allowed.get(&service.name).and_then(|allowed| allowed.clone().err());
            let release = match refused.or_else(|| missing.get(&service.name).cloned()) {
                Some(message) => Err(message),
                None => pinned(tick, service, &wanted.document),
            };
            (service.name.clone(), release)
        })
        .collect()
}

/// The service's artifact is this code from now on. What its function was seen to have outlives that.
pub(super) fn pin(document: &mut DesiredDocument, service: &Service, code: Code) {
    let reserved_concurrency = document.pins.get(&service.name).and_then(|before| before.reserved_concurrency);
    let pin = Pin { artifact: written(service), code, recorded: None, reserved_concurrency };
    document.pins.insert(service.name.clone(), pin);
}

fn pinned(tick: &Tick<'_>, service: &Service, document: &DesiredDocument) -> Result<Release, String> {
    // Only its own shard does that: until then nothing is known of what Git wants of it.
    let pin = document.pins.get(&service.name).filter(|_| is_pinned(document, service));
    let pin = pin.ok_or_else(|| "its artifact was not resolved".to_owned())?;
    let (source, tag) = match (&service.artifact, &pin.code) {
        (Artifact::Image(image), Code::Image(digest)) => {
            let repository = repository(tick, image)?;
            (Source::Image { uri: repository.by_digest(digest) }, Some(image.tag.clone()))
        }
        (Artifact::Zip(Zip { bucket, key, object_version, .. }), Code::Zip(_)) => {
            let (bucket, key, object_version) = (bucket.clone(), key.clone(), object_version.clone());
            (Source::Zip { bucket, key, object_version }, None)
        }
        (Artifact::Image(_), Code::Zip(_)) | (Artifact::Zip(_), Code::Image(_)) => {
            return Err("its pin is of another package type".to_owned());
        }
    };
    Ok(Release::new(pin.code.clone(), source, tag, &AppliedConfiguration::of(&service.configuration)))
}

/// Whether the artifact was resolved, as it is written now.
pub(super) fn is_pinned(document: &DesiredDocument, service: &Service) -> bool {
    document.pins.get(&service.name).is_some_and(|pin| pin.artifact == written(service))
}

/// The artifact as it is written: while this stands, so does the pin.
pub(super) fn written(service: &Service) -> String {
    match &service.artifact {
        Artifact::Image(Image { repository, tag, digest: Some(digest) }) => format!("{repository}:{tag}@{digest}"),
        Artifact::Image(Image { repository, tag, digest: None }) => format!("{repository}:{tag}"),
        Artifact::Zip(Zip { bucket, key, object_version, code_sha256 }) => {
            let sha = code_sha256.as_ref().map(|sha| format!("#{sha}")).unwrap_or_default();
            format!("s3://{bucket}/{key}?versionId={object_version}{sha}")
        }
    }
}

/// Whoever can merge can reach no function, registry or bucket beyond those that the controller was told.
pub(super) fn allowed(tick: &Tick<'_>, service: &Service) -> Result<(), String> {
    if !tick.config.allows(&service.function) {
        return Err(format!("function `{}` is none that `{}` may manage", service.function, tick.name));
    }
    match &service.artifact {
        Artifact::Image(image) => repository(tick, image).map(drop),
        Artifact::Zip(zip) if tick.config.buckets.contains(&zip.bucket) => Ok(()),
        Artifact::Zip(zip) => {
            Err(format!("bucket `{}` is none that `{}` may take archives from", zip.bucket, tick.name))
        }
    }
}

pub(super) fn repository(tick: &Tick<'_>, image: &Image) -> Result<Repository, String> {
    let registries = &tick.config.registries;
    let registry = match &image.repository.registry {
        Some(registry) => registries.iter().find(|allowed| *allowed == registry),
        None => registries.first(),
    };
    match (registry, &image.repository.registry) {
        (Some(registry), _) => Ok(Repository { registry: registry.clone(), name: image.repository.name.clone() }),
        (None, Some(host)) => Err(format!("registry `{host}` is none that `{}` may take images from", tick.name)),
        (None, None) => Err(format!("`{}` has no registry to take images from", tick.name)),
    }
}

/// Asks ECR and S3: a hundred tags of one repository a call.
async fn look_up<'a>(tick: &Tick<'_>, services: &[&'a Service]) -> Vec<(&'a Service, Result<Code, String>)> {
    let mut found = Vec::new();
    let mut by_repository: BTreeMap<Repository, Vec<(&Service, &Image)>> = BTreeMap::new();
    for service in services.iter().copied() {
        match &service.artifact {
            Artifact::Image(Image { digest: Some(digest), .. }) => {
                found.push((service, Ok(Code::Image(digest.clone()))))
            }
            Artifact::Image(image) => match repository(tick, image) {
                Ok(repository) => by_repository.entry(repository).or_default().push((service, image)),
                Err(message) => found.push((service, Err(message))),
            },
            Artifact::Zip(Zip { code_sha256: Some(sha), .. }) => found.push((service, Ok(Code::Zip(sha.clone())))),
            Artifact::Zip(archive) => {
                let code = zip::code_sha256(&tick.clients.s3, archive).await;
                found.push((service, code.map(Code::Zip).map_err(|error| error.to_string())));
            }
        }
    }
    for (repository, wanting) in by_repository {
        let tags = each_once(wanting.iter().map(|(_, image)| image.tag.clone()));
        let digests = ecr::digests(&tick.clients.ecr, &repository, &tags).await;
        if let Err(error) = &digests {
            tick.failed.note(error, wanting.len(), "new tags cannot be resolved");
        }
        let of = |image: &Image| tagged(&repository, image, &digests);
        found.extend(wanting.into_iter().map(|(service, image)| (service, of(image))));
    }
    found
}

fn tagged(
    repository: &Repository,
    image: &Image,
    digests: &Result<BTreeMap<Tag, release_schema::Digest>, CallError>,
) -> Result<Code, String> {
    let digests = digests.as_ref().map_err(ToString::to_string)?;
    let missing = || format!("tag `{}` does not exist in `{}/{}`", image.tag, repository.registry, repository.name);
    digests.get(&image.tag).cloned().map(Code::Image).ok_or_else(missing)
}

/// What the tags of these services name now, whatever they named when they were released. A repository that cannot be asked
/// says nothing: that is found when something new is wanted of it.
pub(super) async fn named_now(tick: &Tick<'_>, services: &[&Service]) -> BTreeMap<ServiceName, Seen<Digest>> {
    let mut by_repository: BTreeMap<Repository, Vec<(&Service, &Image)>> = BTreeMap::new();
    for service in services.iter().copied().filter(|service| allowed(tick, service).is_ok()) {
        if let Artifact::Image(image @ Image { digest: None, .. }) = &service.artifact
            && let Ok(repository) = repository(tick, image)
        {
            by_repository.entry(repository).or_default().push((service, image));
        }
    }
    let mut found = BTreeMap::new();
    for (repository, tagged) in by_repository {
        let tags = each_once(tagged.iter().map(|(_, image)| image.tag.clone()));
        match ecr::digests(&tick.clients.ecr, &repository, &tags).await {
            Ok(digests) => found.extend(tagged.into_iter().map(|(service, image)| {
                let digest = digests.get(&image.tag).cloned().map_or(Seen::Missing, Seen::Found);
                (service.name.clone(), digest)
            })),
            Err(error) => tick.failed.note(&error, tagged.len(), "tags cannot be compared"),
        }
    }
    found
}

fn each_once(tags: impl Iterator<Item = Tag>) -> Vec<Tag> {
    tags.collect::<BTreeSet<Tag>>().into_iter().collect()
}

/// What is synced is in history: the next tick need not look there. Where nothing was left to do, the function has the
/// concurrency that Git wants, too.
pub(super) fn note_recorded(wanted: &mut Wanted, report: &TickReport) {
    for (name, service) in &report.services {
        let synced = service.standing.sync == SyncStatus::Synced && service.error.is_none();
        let version = service.live.as_ref().and_then(|live| live.version);
        if let (Some(pin), Some(release), Some(version), true) =
            (wanted.document.pins.get_mut(name), &service.wanted.release, version, synced)
        {
            pin.recorded = Some(Recorded { release: release.clone(), version });
            if service.seen == report.started && service.done.is_empty() {
                let declared = wanted.environment.services.get(name);
                pin.reserved_concurrency = declared.and_then(|service| service.reserved_concurrency);
            }
        }
    }
}
