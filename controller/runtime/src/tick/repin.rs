//! Asks what the tag of one service names now, where a person says so, and pins that: a release like any other follows.
use release_schema::{Artifact, Image, Service, ServiceName};
use tidegate_core::release::Code;

use super::{Tick, pins};
use crate::aws::{CallError, ecr};
use crate::wanted::Wanted;

/// Why a tag was not pinned anew. What was released stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to ask for, or the tag is gone.
    #[error("{0}")]
    Refused(String),
    /// ECR does not say what the tag names.
    #[error("what the tag names cannot be asked for, and nothing was changed")]
    NotAsked(#[from] CallError),
}

/// Pins what the service's tag names now; gives what came of that, in words.
///
/// Only one service at a time: what an environment's tags name by now was reviewed by nobody, and the guard against mass
/// changes looks at commits.
pub(super) async fn repin(tick: &Tick<'_>, wanted: &mut Wanted, name: &ServiceName) -> Result<String, Error> {
    let Some(service) = wanted.environment.services.get(name) else {
        return Err(Error::Refused(format!("there is no service `{name}`")));
    };
    let image = tagged(service).map_err(Error::Refused)?;
    pins::allowed(tick, service).map_err(Error::Refused)?;
    let repository = pins::repository(tick, image).map_err(Error::Refused)?;
    let tag = &image.tag;
    let mut digests = ecr::digests(&tick.clients.ecr, &repository, std::slice::from_ref(tag)).await?;
    let Some(digest) = digests.remove(tag) else {
        let place = format!("{}/{}", repository.registry, repository.name);
        return Err(Error::Refused(format!("tag `{tag}` does not exist in `{place}`; what was released stays live")));
    };
    let (artifact, code) = (pins::written(service), Code::Image(digest));
    let before = wanted.document.pins.get(name).filter(|pin| pin.artifact == artifact).map(|pin| &pin.code);
    let now = code.short();
    let said = match before {
        Some(before) if *before == code => return Ok(format!("ask what `{tag}` names: it still names {now}")),
        Some(before) => format!("pin `{tag}` anew: it names {now}, and named {} before", before.short()),
        None => format!("pin `{tag}`: it names {now}"),
    };
    pins::pin(&mut wanted.document, service, code);
    Ok(said)
}

/// The image, where Git names it by a tag alone.
fn tagged(service: &Service) -> Result<&Image, String> {
    match &service.artifact {
        Artifact::Image(image @ Image { digest: None, .. }) => Ok(image),
        Artifact::Image(Image { digest: Some(_), .. }) => {
            Err(format!("Git names the digest of `{}`: no push moves that", service.name))
        }
        Artifact::Zip(_) => {
            Err(format!("Git names the version of the archive of `{}`: no upload moves that", service.name))
        }
    }
}
