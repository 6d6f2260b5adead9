//! Decides what happens to a service without a person, and which of its differences are somebody else's.

use super::set;
use crate::parsed;
use crate::problem::Findings;
use crate::read::Place;
use crate::release::{Configuration, SyncPolicyFields};
use crate::value::IgnoredField;
use std::collections::BTreeSet;

/// The fields of a `syncPolicy`, where there is one.
pub(super) fn fields(parsed: Option<parsed::SyncPolicy>) -> SyncPolicyFields {
    let parsed::SyncPolicy { automated, self_heal } = parsed.unwrap_or_default();
    SyncPolicyFields { automated, self_heal }
}

/// Those of a default, and whether removed services are pruned: one that is removed cannot say that itself.
pub(super) fn defaults(parsed: Option<parsed::DefaultSyncPolicy>) -> (SyncPolicyFields, Option<bool>) {
    let parsed::DefaultSyncPolicy { automated, self_heal, prune } = parsed.unwrap_or_default();
    (SyncPolicyFields { automated, self_heal }, prune)
}

/// What is ignored at one place.
pub(super) fn ignored(
    parsed: Option<Vec<Option<String>>>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> BTreeSet<IgnoredField> {
    set(findings, &place.field("ignoreDifferences"), parsed).unwrap_or_default()
}

/// What a service ignores: its own, and of the defaults what it does not give itself. Giving and ignoring the same is
/// reported.
pub(super) fn merge(
    own: BTreeSet<IgnoredField>,
    defaults: &BTreeSet<IgnoredField>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> BTreeSet<IgnoredField> {
    for field in own.iter().filter(|field| gives(place, field)) {
        let message = format!("`{field}` is given and ignored");
        findings.add(place.field("ignoreDifferences").span(), message, "leave one of them out");
    }
    let inherited = defaults.iter().filter(|field| !gives(place, field)).cloned();
    own.into_iter().chain(inherited).collect()
}

/// Whether a service's own entry says what this shall be.
fn gives(place: &Place<'_>, field: &IgnoredField) -> bool {
    match field.variable() {
        Some(name) => place.has("environment") && place.field("environment").has(name),
        None => place.has(field.as_str()),
    }
}

/// A configuration without what is ignored: that is neither compared nor applied.
pub(super) fn without(configuration: Configuration, ignored: &BTreeSet<IgnoredField>) -> Configuration {
    let ignores = |field: &str| ignored.iter().any(|ignored| ignored.as_str() == field);
    let Configuration { memory_size, timeout, mut environment } = configuration;
    environment
        .retain(|name, _| !ignores("environment") && !ignored.iter().any(|ignored| ignored.variable() == Some(name)));
    Configuration {
        memory_size: memory_size.filter(|_| !ignores("memorySize")),
        timeout: timeout.filter(|_| !ignores("timeout")),
        environment,
    }
}
