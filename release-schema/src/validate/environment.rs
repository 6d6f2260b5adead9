//! Decides what one `services.yaml` means: its services, each by itself and all together.

use super::{checked, dependencies, require, service};
use crate::parsed;
use crate::problem::Findings;
use crate::read::{Document, Place};
use crate::release::{Defaults, Environment};
use crate::value::{EnvironmentName, FunctionName, ServiceName};
use std::collections::BTreeMap;

/// Checks the file. What is returned is complete only if nothing was found.
pub(crate) fn environment(
    document: Document<parsed::ServicesFile>,
    name: &EnvironmentName,
    defaults: &Defaults,
    findings: &mut Findings<'_>,
) -> Environment {
    let Document { value: parsed::ServicesFile { services }, tree } = document;
    let root = Place::of(&tree);
    require(findings, &root, "services", "write `services: {}` if nothing shall run here");
    let place = root.field("services");
    let written = services.unwrap_or_default();
    dependencies::check(&written, &place, findings);

    let mut functions: BTreeMap<FunctionName, String> = BTreeMap::new();
    let mut services = BTreeMap::new();
    for (key, parsed) in written {
        let checked_name = checked(findings, &place.key(&key), Some(&key), str::parse::<ServiceName>);
        // What is not even a mapping has been reported.
        let Some(parsed) = parsed else { continue };
        let place = place.field(&key);
        let function = parsed.function_name.as_deref().and_then(|text| text.parse::<FunctionName>().ok());
        let service = service::service(parsed, checked_name, &place, defaults, findings);
        if let Some(function) = function {
            match functions.get(&function) {
                Some(other) => findings.add(
                    place.field("functionName").span(),
                    format!("`{function}` is already the function of `{}`", crate::value::printable(other)),
                    "a function belongs to one service",
                ),
                None => {
                    functions.insert(function, key);
                }
            }
        }
        services.extend(service.map(|service| (service.name.clone(), service)));
    }
    Environment { name: name.clone(), services, prune: defaults.prune.unwrap_or(false) }
}
