//! Finds what is not as Tidegate left it, in what was looked at.
use release_schema::{Artifact, IgnoredField};

use super::{Drift, Holder};
use crate::decide::{Subject, World};
use crate::history::{Deployed, Head};
use crate::ids::{ReleaseId, Version};
use crate::live::{ConfigurationChange, LiveAlias, LiveVersion, Seen, UpdateStatus};
use crate::registry::Registered;
use crate::release::Code;

/// What should be live.
struct Expected<'a> {
    version: Option<Version>,
    code: &'a Code,
    release: &'a ReleaseId,
}

impl<'a> From<&'a Deployed> for Expected<'a> {
    fn from(deployed: &'a Deployed) -> Self {
        Self { version: deployed.version, code: &deployed.code, release: &deployed.release }
    }
}

/// What is not as Tidegate left it, as far as it was looked at. Nothing while a release is under way, nor of a function that
/// Tidegate has not released yet.
#[must_use]
pub fn of(subject: &Subject<'_>, world: &World) -> Vec<Drift> {
    let Some(expected) = expected(subject, world) else { return Vec::new() };
    let mut found = of_traffic(subject, world, &expected);
    if !matches!(found.first(), Some(Drift::FunctionMissing)) {
        found.extend(of_latest(subject, world, &expected));
        found.extend(of_function(subject, world));
        found.extend(of_tag(subject, world));
        found.extend(of_registry(subject, world, &expected));
    }
    found
}

fn expected<'a>(subject: &Subject<'a>, world: &'a World) -> Option<Expected<'a>> {
    match &world.state {
        Some(state) if state.phase.is_over() => state.from.as_ref().map(Expected::from),
        Some(_) => None,
        None => {
            let last = world.head.found().and_then(Head::last_live).map(|record| Expected::from(&record.to));
            last.or_else(|| {
                let wanted = subject.wanted.ok()?;
                let recorded = world.recorded.as_ref().filter(|recorded| recorded.release == wanted.id)?;
                Some(Expected { version: Some(recorded.version), code: &wanted.code, release: &wanted.id })
            })
        }
    }
}

fn of_traffic(subject: &Subject<'_>, world: &World, expected: &Expected<'_>) -> Vec<Drift> {
    match (&world.serving, &world.latest, &world.alias) {
        (Seen::Missing, Seen::Missing, _) => return vec![Drift::FunctionMissing],
        (Seen::Missing, Seen::Found(_), Seen::Missing) => return vec![Drift::AliasMissing],
        _ => {}
    }
    let alias = world.alias.found();
    let mut found = match (world.serving.found(), alias) {
        (Some(serving), _) => of_serving(subject, serving, expected),
        (None, Some(alias)) if alias.version != expected.version => of_version(expected, alias.version),
        _ => Vec::new(),
    };
    let injected = world.provisioning.found().copied().unwrap_or(false);
    found.extend(alias.filter(|_| !injected).and_then(weights));
    found
}

fn of_version(expected: &Expected<'_>, live: Option<Version>) -> Vec<Drift> {
    expected.version.map(|wanted| Drift::Version { wanted, live }).into_iter().collect()
}

fn of_serving(subject: &Subject<'_>, serving: &LiveVersion, expected: &Expected<'_>) -> Vec<Drift> {
    let LiveVersion { version, code, configuration, .. } = serving;
    if let Some(live) = code.as_ref().filter(|code| *code != expected.code) {
        return vec![Drift::Image { wanted: expected.code.clone(), live: live.clone(), version: *version }];
    }
    let mut found = if *version == expected.version { Vec::new() } else { of_version(expected, *version) };
    if is_wanted(subject, expected) && configuration.is_comparable(&subject.service.configuration) {
        found.extend(of_configuration(subject, serving, Holder::Version));
    }
    found
}

/// Whether Git wants what should be live, so that its declaration can be compared.
fn is_wanted(subject: &Subject<'_>, expected: &Expected<'_>) -> bool {
    subject.wanted.is_ok_and(|wanted| wanted.id == *expected.release)
}

fn of_configuration(subject: &Subject<'_>, live: &LiveVersion, of: Holder) -> Vec<Drift> {
    let Some(change) = ConfigurationChange::between(&live.configuration, &subject.service.configuration) else {
        return Vec::new();
    };
    let number = |field: &str, wanted: Option<u32>, live: u32| {
        let field = field.to_owned();
        wanted.map(|wanted| Drift::Configuration { field, of, wanted: Some(wanted), live: Some(live) })
    };
    let memory_size = number("memorySize", change.memory_size, live.configuration.memory_size);
    let timeout = number("timeout", change.timeout, live.configuration.timeout);
    let variables = change.environment_names.iter().map(|name| {
        let field = format!("environment.{name}");
        Drift::Configuration { field, of, wanted: None, live: None }
    });
    memory_size.into_iter().chain(timeout).chain(variables).collect()
}

fn weights(alias: &LiveAlias) -> Option<Drift> {
    alias.additional.map(|other| Drift::Weights { version: other.version, weight: other.basis_points })
}

fn ignores(subject: &Subject<'_>, field: &str) -> bool {
    subject.service.ignored.iter().any(|ignored| ignored.as_str() == field)
}

/// `$LATEST` keeps what the last release left there, whichever is live now: only what never was one is drift.
fn of_latest(subject: &Subject<'_>, world: &World, expected: &Expected<'_>) -> Vec<Drift> {
    let settled = |latest: &&LiveVersion| latest.last_update == UpdateStatus::Successful;
    let Some(latest) = world.latest.found().filter(settled) else { return Vec::new() };
    if ignores(subject, IgnoredField::LATEST) {
        return Vec::new();
    }
    match &latest.code {
        Some(code) if code == expected.code => {
            let compared =
                is_wanted(subject, expected) && latest.configuration.is_comparable(&subject.service.configuration);
            if compared { of_configuration(subject, latest, Holder::Latest) } else { Vec::new() }
        }
        Some(code) if is_foreign(world, code) => {
            vec![Drift::Latest { wanted: expected.code.clone(), live: code.clone() }]
        }
        Some(_) | None => Vec::new(),
    }
}

/// Whether recent history has no release with this code. Without a look at it that cannot be said.
fn is_foreign(world: &World, code: &Code) -> bool {
    world.head.found().is_some_and(|head| head.known().all(|record| record.to.code != *code))
}

fn of_function(subject: &Subject<'_>, world: &World) -> Option<Drift> {
    let wanted = subject.service.reserved_concurrency?;
    let live = world.serving.found()?.reserved_concurrency;
    let field = IgnoredField::RESERVED_CONCURRENCY.to_owned();
    let changed = live != Some(wanted) && world.reserved_concurrency == Some(wanted);
    changed.then_some(Drift::Configuration { field, of: Holder::Function, wanted: Some(wanted), live })
}

fn of_tag(subject: &Subject<'_>, world: &World) -> Option<Drift> {
    let Artifact::Image(image) = &subject.service.artifact else { return None };
    let Code::Image(wanted) = &subject.wanted.ok()?.code else { return None };
    let live = match &world.tag {
        Seen::Found(digest) if digest != wanted => Some(digest.clone()),
        Seen::Missing => None,
        Seen::Found(_) | Seen::NotYet => return None,
    };
    let ignored = ignores(subject, IgnoredField::TAG);
    (!ignored).then(|| Drift::TagMoved { tag: image.tag.clone(), wanted: wanted.clone(), live })
}

fn of_registry(subject: &Subject<'_>, world: &World, expected: &Expected<'_>) -> Option<Drift> {
    let wanted = expected.version?;
    let (live, too_long) = match &world.registry {
        Seen::NotYet | Seen::Found(Registered::NotSeen) => return None,
        Seen::Missing => (None, None),
        Seen::Found(Registered::Full { bytes }) => (None, Some(*bytes)),
        Seen::Found(Registered::Entry { version, names_alias: true }) if *version == wanted => return None,
        Seen::Found(Registered::Entry { version, names_alias }) => (Some(*version).filter(|_| *names_alias), None),
    };
    let ignored = ignores(subject, IgnoredField::REGISTRY);
    (!ignored).then_some(Drift::Registry { wanted, live, too_long })
}
