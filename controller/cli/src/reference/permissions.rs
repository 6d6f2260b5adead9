//! Decides what the reference says of IAM: the rights that the policies are made from, and why each is there.
use std::collections::BTreeMap;

use serde::Deserialize;

use super::markdown::{code, table};

const SOURCE: &str = "infra/permissions.json";

#[derive(Deserialize)]
struct Permissions {
    resources: BTreeMap<String, Resource>,
    permissions: Vec<Permission>,
}

/// A kind of resource.
#[derive(Deserialize)]
struct Resource {
    is: String,
}

/// A right, and who has it.
#[derive(Deserialize)]
struct Permission {
    action: String,
    resource: String,
    roles: Vec<String>,
    when: String,
    why: String,
}

/// Each role, and what the page says of it.
const ROLES: [(&str, &str, &str); 3] = [
    (
        "controller",
        "The controller",
        "The role of the scheduled function, and of the role that it assumes in another account.",
    ),
    ("onCall", "Who is on call", "The role of the second function, for `rollback`, `abort` and `pause`."),
    (
        "person",
        "A person at the command line",
        "No policy is made for these: they are what a command needs beside the others.",
    ),
];

pub(super) fn page() -> String {
    let Permissions { resources, permissions } = serde_json::from_str(&super::source(SOURCE)).unwrap();
    let told = |role: &str| ROLES.iter().any(|(known, ..)| *known == role);
    assert!(
        permissions.iter().flat_map(|permission| &permission.roles).all(|role| told(role)),
        "a role that is not told"
    );
    let parts = ROLES.map(|(role, title, about)| {
        let of = permissions.iter().filter(|permission| permission.roles.iter().any(|name| name == role));
        let rows: Vec<_> = of.map(row).collect();
        assert!(!rows.is_empty(), "nobody is `{role}`");
        format!("## {title}\n\n{about}\n\n{}", table(["action", "on", "when", "why"], &rows))
    });
    let kinds: Vec<_> = resources.iter().map(|(name, Resource { is })| [in_words(name), format!("{is}.")]).collect();
    format!(
        "# IAM\n\nWhat the roles may do, by action and resource. The policies of `infra/` are made from the same list, and a test holds it \
         against the calls that the stories record. What is denied besides is in [the security model](../security.md#what-is-denied).\n\n\
         {}## The resources\n\n{}",
        parts.concat(),
        table(["resource", "is"], &kinds)
    )
}

fn row(permission: &Permission) -> [String; 4] {
    let Permission { action, resource, when, why, .. } = permission;
    [code(action), in_words(resource), in_words(when), why.clone()]
}

/// `stateBucket` is told as `state bucket`.
fn in_words(name: &str) -> String {
    name.chars()
        .flat_map(|letter| {
            let space = letter.is_uppercase().then_some(' ');
            space.into_iter().chain(letter.to_lowercase())
        })
        .collect()
}
