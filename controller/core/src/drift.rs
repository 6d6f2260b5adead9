//! Decides what of a service somebody else changed: what is live against what Tidegate made live last, as data.
//!
//! A release that begins, a rollout's own weights, weights that AWS injects for provisioned concurrency, and what is live
//! while a release is held out are no drift.
mod fight;
mod find;
mod text;

use chrono::{DateTime, Utc};
use release_schema::{Digest, Tag};
use serde::{Deserialize, Serialize};

use crate::decide::World;
use crate::ids::{ReleaseId, TransitionNumber, Version};
use crate::release::Code;

pub use fight::{Fight, fight};
pub use find::of;

/// What history is known to end with: a cache, so that a service at rest costs one look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recorded {
    /// The release.
    pub release: ReleaseId,
    /// Its version.
    pub version: Version,
}

/// One thing that is not as Tidegate left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Drift {
    /// The alias serves other code.
    Image {
        /// What it should serve.
        wanted: Code,
        /// What it serves.
        live: Code,
        /// The version that does; `None` for `$LATEST`.
        version: Option<Version>,
    },
    /// The alias names another version, perhaps one that Tidegate did not publish.
    Version {
        /// The version that it should name.
        wanted: Version,
        /// The version that it names; `None` for `$LATEST`.
        live: Option<Version>,
    },
    /// A part of the traffic goes to another version.
    Weights {
        /// That version.
        version: Version,
        /// Its share in ten-thousandths.
        weight: u16,
    },
    /// The alias was deleted.
    AliasMissing,
    /// The function was deleted.
    FunctionMissing,
    /// `$LATEST` has code that never was a release. It has no traffic, and the next release replaces it.
    Latest {
        /// What is live.
        wanted: Code,
        /// What it has.
        live: Code,
    },
    /// A field of the configuration is not what Git wants of it.
    Configuration {
        /// As `services.yaml` calls it, `environment.NAME` for a variable.
        field: String,
        /// Whose field it is.
        of: Holder,
        /// What Git wants; `None` for a variable, whose value is shown nowhere.
        wanted: Option<u32>,
        /// What it is; `None` for a variable, or where there is none.
        live: Option<u32>,
    },
    /// The tag was pushed again. What it named when it was released stays live.
    TagMoved {
        /// The tag.
        tag: Tag,
        /// What it named when it was released.
        wanted: Digest,
        /// What it names; `None` where it was deleted.
        live: Option<Digest>,
    },
    /// The entry in the service registry is not the one that was written.
    Registry {
        /// The version that it should tell of.
        wanted: Version,
        /// The version that it tells of; `None` where there is no entry, or none that can be read.
        live: Option<Version>,
        /// How many bytes the document of all services would have with it, where that is more than a parameter takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        too_long: Option<usize>,
    },
}

/// Whose configuration a field is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// The version with the traffic.
    Version,
    /// `$LATEST`, which the next release is published from.
    Latest,
    /// The function, all versions together.
    Function,
}

/// Whose doing a changed alias most likely is: what its description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "whose")]
pub enum Whose {
    /// The description is that of the last transition: the console, the AWS CLI, or a tool that only moves aliases.
    KeptDescription,
    /// The description was replaced: a deployment tool that writes whole aliases.
    OtherDescription,
    /// The description is that of an older transition: something was restored, or replayed.
    Older {
        /// That transition.
        transition: TransitionNumber,
    },
    /// The description is that of a transition which this history does not have: another installation, or a lost history.
    Newer {
        /// That transition.
        transition: TransitionNumber,
    },
}

/// A drift, with since when it is there and whose doing it likely is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drifted {
    /// What.
    pub drift: Drift,
    /// Server time of the first look that found it.
    pub since: DateTime<Utc>,
    /// Whose doing it likely is, where the alias tells.
    pub whose: Option<Whose>,
}

impl Drift {
    /// The kind, as metrics and lists name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Image { .. } => "image",
            Self::Version { .. } => "version",
            Self::Weights { .. } => "weights",
            Self::AliasMissing => "aliasMissing",
            Self::FunctionMissing => "functionMissing",
            Self::Latest { .. } => "latest",
            Self::Configuration { .. } => "configuration",
            Self::TagMoved { .. } => "tagMoved",
            Self::Registry { .. } => "registry",
        }
    }

    /// Whether the alias does not send all traffic to what was released.
    #[must_use]
    pub const fn concerns_traffic(&self) -> bool {
        match self {
            Self::Image { .. }
            | Self::Version { .. }
            | Self::Weights { .. }
            | Self::AliasMissing
            | Self::FunctionMissing
            | Self::Configuration { of: Holder::Version, .. } => true,
            Self::Latest { .. } | Self::Configuration { .. } | Self::TagMoved { .. } | Self::Registry { .. } => false,
        }
    }

    /// Whether only a close look finds it. The concurrency of the function is in every look.
    #[must_use]
    pub const fn needs_a_close_look(&self) -> bool {
        let of_every_look = matches!(self, Self::Configuration { of: Holder::Function, .. });
        !self.concerns_traffic() && !of_every_look
    }

    const fn concerns_alias(&self) -> bool {
        matches!(self, Self::Image { .. } | Self::Version { .. } | Self::Weights { .. })
    }
}

/// The drifts with since when they are there, and whose doing they likely are. `before` is what the last look found.
#[must_use]
pub fn told(drifts: Vec<Drift>, world: &World, before: &[Drifted], now: DateTime<Utc>) -> Vec<Drifted> {
    let tell = |drift: Drift| {
        let since = before.iter().find(|known| known.drift == drift).map_or(now, |known| known.since);
        let whose = if drift.concerns_alias() { whose(world) } else { None };
        Drifted { drift, since, whose }
    };
    drifts.into_iter().map(tell).collect()
}

fn whose(world: &World) -> Option<Whose> {
    let alias = world.alias.found()?;
    let Some(marker) = &alias.marker else { return Some(Whose::OtherDescription) };
    let transition = marker.transition;
    let last = world.head.found()?.number;
    let moved = world.head.found()?.known().find(|record| record.kind.is_live())?;
    Some(if transition > last {
        Whose::Newer { transition }
    } else if moved.to.release == marker.release || moved.number <= transition {
        Whose::KeptDescription
    } else {
        Whose::Older { transition }
    })
}
