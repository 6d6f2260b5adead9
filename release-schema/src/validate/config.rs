//! Decides what `release-config.yaml` means: its environments, each with the defaults of its services.

use super::{analysis, checked, policy, require, service, strategy, value};
use crate::parsed;
use crate::problem::Findings;
use crate::read::{Document, Place};
use crate::release::{Configuration, Defaults, ReleaseConfig};
use crate::value::EnvironmentName;
use std::collections::BTreeMap;

/// Checks the file. What is returned is complete only if nothing was found.
pub(crate) fn release_config(
    document: Document<parsed::ReleaseConfigFile>,
    findings: &mut Findings<'_>,
) -> ReleaseConfig {
    let Document { value: parsed::ReleaseConfigFile { defaults: common, environments }, tree } = document;
    let root = Place::of(&tree);
    require(findings, &root, "environments", "name at least one: `environments: { staging: {} }`");
    let common = defaults(common.unwrap_or_default(), &root.field("defaults"), findings);
    let place = root.field("environments");
    if environments.as_ref().is_some_and(BTreeMap::is_empty) {
        findings.add(place.span(), "`environments` is empty", "name at least one: `environments: { staging: {} }`");
    }
    let mut found = BTreeMap::new();
    for (name, entry) in environments.unwrap_or_default() {
        let (key, place) = (place.key(&name), place.field(&name));
        let name = checked(findings, &key, Some(&name), str::parse::<EnvironmentName>);
        let parsed::EnvironmentEntry { defaults: own } = entry.unwrap_or_default();
        let place = place.field("defaults");
        let own = defaults(own.unwrap_or_default(), &place, findings);
        let merged = merge(own, &common);
        service::check_variables(&merged.configuration, &place, findings);
        strategy::check_aliases(merged.alias.as_ref(), merged.strategy.as_ref(), &place, findings);
        found.extend(name.map(|name| (name, merged)));
    }
    ReleaseConfig { environments: found }
}

fn defaults(parsed: parsed::Defaults, place: &Place<'_>, findings: &mut Findings<'_>) -> Defaults {
    let parsed::Defaults {
        alias,
        strategy,
        smoke_test,
        analysis,
        progress_deadline,
        progress_deadline_abort,
        sync_policy,
        ignore_differences,
        memory_size,
        timeout,
        environment,
    } = parsed;
    let (sync_policy, prune) = policy::defaults(sync_policy);
    Defaults {
        alias: value(findings, &place.field("alias"), alias),
        strategy: strategy.and_then(|parsed| strategy::strategy(parsed, &place.field("strategy"), findings)),
        smoke_test: smoke_test.and_then(|parsed| service::smoke_test(parsed, &place.field("smokeTest"), findings)),
        analysis: analysis::fields(analysis.unwrap_or_default(), &place.field("analysis"), findings),
        progress_deadline: service::progress_deadline(progress_deadline.as_deref(), place, findings),
        progress_deadline_abort,
        sync_policy,
        prune,
        ignored: policy::ignored(ignore_differences, place, findings),
        configuration: service::configuration(memory_size, timeout.as_deref(), environment, place, findings),
    }
}

/// `own`, and `common` where it says nothing: analysis field by field, environment variables one by one.
fn merge(own: Defaults, common: &Defaults) -> Defaults {
    let Defaults {
        alias,
        strategy,
        smoke_test,
        analysis,
        progress_deadline,
        progress_deadline_abort,
        sync_policy,
        prune,
        ignored,
        configuration,
    } = own;
    Defaults {
        alias: alias.or_else(|| common.alias.clone()),
        strategy: strategy.or_else(|| common.strategy.clone()),
        smoke_test: smoke_test.or_else(|| common.smoke_test.clone()),
        analysis: analysis.or(&common.analysis),
        progress_deadline: progress_deadline.or(common.progress_deadline),
        progress_deadline_abort: progress_deadline_abort.or(common.progress_deadline_abort),
        sync_policy: sync_policy.or(common.sync_policy),
        prune: prune.or(common.prune),
        ignored: ignored.union(&common.ignored).cloned().collect(),
        configuration: merge_configuration(configuration, &common.configuration),
    }
}

/// `own`, and `common` where it says nothing.
pub(super) fn merge_configuration(own: Configuration, common: &Configuration) -> Configuration {
    let Configuration { memory_size, timeout, environment } = own;
    let mut merged = common.environment.clone();
    merged.extend(environment);
    Configuration {
        memory_size: memory_size.or(common.memory_size),
        timeout: timeout.or(common.timeout),
        environment: merged,
    }
}
