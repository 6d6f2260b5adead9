//! Decides whether an order exists in which every service comes after those that it depends on.

use crate::parsed;
use crate::problem::Findings;
use crate::read::{Place, closest};
use crate::value::printable;
use std::collections::{BTreeMap, BTreeSet};

type Written = BTreeMap<String, Option<parsed::Service>>;

/// One line of a `dependsOn`: its number in the list, and the name.
type Edge<'w> = (usize, &'w str);

/// Reports dependencies on services that are not there, on the service itself, and circles.
pub(super) fn check(services: &Written, place: &Place<'_>, findings: &mut Findings<'_>) {
    let known: Vec<&str> = services.keys().map(String::as_str).collect();
    let mut edges: BTreeMap<&str, Vec<Edge<'_>>> = BTreeMap::new();
    for (name, service) in services {
        let list = service.iter().flat_map(|service| service.depends_on.iter().flatten());
        for (index, other) in list.enumerate().filter_map(|(index, other)| Some((index, other.as_deref()?))) {
            let at = || place.field(name).field("dependsOn").item(index).span();
            if other == name {
                findings.add(at(), format!("`{}` depends on itself", printable(name)), "");
            } else if services.contains_key(other) {
                edges.entry(name).or_default().push((index, other));
            } else {
                let near = if findings.wants_hints() { closest(other, &known) } else { None };
                let hint = near.map_or(String::new(), |near| format!("did you mean `{near}`?"));
                findings.add(at(), format!("there is no service `{}` in this environment", printable(other)), hint);
            }
        }
    }
    for circle in circles(&edges) {
        let Circle { service, index, names } = circle;
        let at = place.field(service).field("dependsOn").item(index).span();
        findings.add(at, format!("a circle of dependencies: {}", shown(&names)), "one of them must go first");
    }
}

/// A circle: the line that closes it, and the services in order.
struct Circle<'w> {
    service: &'w str,
    index: usize,
    names: Vec<&'w str>,
}

/// Finds the circles by a depth-first walk, one for each line that closes one. Not recursive: a chain of 6,000 services is
/// a legal file.
fn circles<'w>(edges: &BTreeMap<&'w str, Vec<Edge<'w>>>) -> Vec<Circle<'w>> {
    let none: Vec<Edge<'w>> = Vec::new();
    let of = |name: &str| edges.get(name).unwrap_or(&none).iter();
    let mut found = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in edges.keys().copied() {
        if done.contains(start) {
            continue;
        }
        let mut path = vec![(start, of(start))];
        let mut on_path: BTreeSet<&str> = BTreeSet::from([start]);
        while let Some((name, rest)) = path.last_mut() {
            let name = *name;
            match rest.next() {
                None => {
                    done.insert(name);
                    on_path.remove(name);
                    path.pop();
                }
                Some((index, other)) if on_path.contains(other) => {
                    let names = path.iter().map(|(name, _)| *name).skip_while(|name| name != other).collect();
                    found.push(Circle { service: name, index: *index, names });
                    // More would not be shown.
                    if found.len() == 100 {
                        return found;
                    }
                }
                Some((_, other)) if done.contains(other) => {}
                Some((_, other)) => {
                    on_path.insert(other);
                    path.push((other, of(other)));
                }
            }
        }
    }
    found
}

fn shown(names: &[&str]) -> String {
    const MOST: usize = 10;
    let mut text: Vec<String> = names.iter().take(MOST).map(|name| format!("`{}`", printable(name))).collect();
    if names.len() > MOST {
        text.push("…".to_owned());
    }
    text.extend(names.first().map(|name| format!("`{}`", printable(name))));
    text.join(" → ")
}
