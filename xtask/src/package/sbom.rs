//! Decides what a program's list of parts says: CycloneDX, from the tree that Cargo builds and the lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Arch;
use super::build::Build;
use crate::command::{cargo, output};

/// Name and version, which together name a part.
type Id = (String, String);

/// A part as Cargo's tree shows it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    license: String,
    needs: BTreeSet<Id>,
}

/// The list of a program's parts: the crates that are in it, without what only builds or tests it.
///
/// # Errors
/// Cargo does not answer, or says something else than it used to.
pub(crate) fn cyclonedx(root: &Path, build: &Build<'_>, program: &str, sha256: &str) -> anyhow::Result<String> {
    let Build { arch, time, packages, .. } = *build;
    let mut tree = cargo(&["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "depth"]);
    tree.args(["--format", "{p}|{l}", "--charset", "ascii", "--target", arch.triple()]);
    for package in packages {
        // All, as they are built: features are those of all that is built together.
        tree.args(["--package", package]);
    }
    let parts = parts(&output(tree.current_dir(root))?)?;
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("`Cargo.lock` cannot be read")?;
    let list = list(&parts, &checksums(&lock), program, arch, time, sha256)?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&list)?))
}

/// Takes `cargo tree --prefix depth --format {p}|{l}` apart. A part's own needs are shown the first time alone.
fn parts(tree: &str) -> anyhow::Result<BTreeMap<Id, Part>> {
    let mut all: BTreeMap<Id, Part> = BTreeMap::new();
    let mut above: Vec<Id> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let odd = || format!("`cargo tree` printed `{line}`");
        let digits = line.find(|c: char| !c.is_ascii_digit()).with_context(odd)?;
        let (depth, rest) = line.split_at(digits);
        let depth: usize = depth.parse().with_context(odd)?;
        let (package, license) = rest.split_once('|').with_context(odd)?;
        let mut words = package.split(' ');
        let name = words.next().with_context(odd)?;
        let version = words.next().and_then(|word| word.strip_prefix('v')).with_context(odd)?;
        let id = (name.to_owned(), version.to_owned());
        above.truncate(depth);
        if let Some(user) = above.last() {
            all.entry(user.clone()).or_default().needs.insert(id.clone());
        }
        license.trim_end_matches(" (*)").clone_into(&mut all.entry(id.clone()).or_default().license);
        above.push(id);
    }
    Ok(all)
}

/// The hash of each crate's archive, as the lock file has it; crates of this workspace have none.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let value = |entry: &str, key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let entries = lock.split("[[package]]").skip(1);
    let found = entries
        .filter_map(|entry| Some(((value(entry, "name")?, value(entry, "version")?), value(entry, "checksum")?)));
    found.collect()
}

/// All that `start` needs, itself among it.
fn reached<'a>(parts: &'a BTreeMap<Id, Part>, start: &'a Id) -> BTreeSet<&'a Id> {
    let (mut found, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(id) = next.pop() {
        if found.insert(id) {
            next.extend(parts.get(id).into_iter().flat_map(|part| &part.needs));
        }
    }
    found
}

fn list(
    parts: &BTreeMap<Id, Part>,
    checksums: &BTreeMap<Id, String>,
    program: &str,
    arch: Arch,
    time: u64,
    sha256: &str,
) -> anyhow::Result<Value> {
    let root = parts.keys().find(|(name, _)| name == program).with_context(|| format!("no `{program}` in the tree"))?;
    let reached = reached(parts, root);
    let components: Vec<Value> =
        reached.iter().filter(|id| **id != root).map(|id| component(id, parts, checksums)).collect();
    let dependencies: Vec<Value> = reached.iter().map(|id| dependency(id, parts)).collect();
    let time = DateTime::from_timestamp(i64::try_from(time)?, 0).context("the commit's time is out of range")?;
    let mut subject = component(root, parts, checksums);
    if let Some(subject) = subject.as_object_mut() {
        subject.insert("type".to_owned(), "application".into());
        subject.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": sha256}]));
        subject.insert("properties".to_owned(), json!([{"name": "tidegate:architecture", "value": arch.to_string()}]));
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(sha256),
        "version": 1,
        "metadata": {
            "timestamp": time.to_rfc3339_opts(SecondsFormat::Secs, true),
            "tools": {"components": [{"type": "application", "name": "cargo xtask package", "version": env!("CARGO_PKG_VERSION")}]},
            "component": subject,
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(id: &Id, parts: &BTreeMap<Id, Part>, checksums: &BTreeMap<Id, String>) -> Value {
    let (name, version) = id;
    let mut component =
        json!({"type": "library", "bom-ref": purl(id), "name": name, "version": version, "purl": purl(id)});
    let license = parts.get(id).map(|part| part.license.as_str()).unwrap_or_default();
    if let Some(fields) = component.as_object_mut() {
        if !license.is_empty() {
            // `MIT/Apache-2.0` is how older crates say it.
            let expression = license.replace('/', " OR ");
            fields.insert("licenses".to_owned(), json!([{ "expression": expression }]));
        }
        if let Some(checksum) = checksums.get(id) {
            fields.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": checksum}]));
        }
    }
    component
}

fn dependency(id: &Id, parts: &BTreeMap<Id, Part>) -> Value {
    let needs: Vec<String> = parts.get(id).into_iter().flat_map(|part| &part.needs).map(purl).collect();
    json!({"ref": purl(id), "dependsOn": needs})
}

/// How package registries are named outside of them: <https://github.com/package-url/purl-spec>.
fn purl((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// A UUID (version 8, its own way) that is the same for the same bytes.
fn serial(sha256: &str) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(sha256.as_bytes()).into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| text.get(range).unwrap_or_default());
    format!("urn:uuid:{}", groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0bootstrap v0.1.0 (/src/controller/lambda)|Apache-2.0
1tidegate-runtime v0.1.0 (/src/controller/runtime)|Apache-2.0
2libgit2-sys v0.18.8+1.9.7|MIT OR Apache-2.0
3libz-sys v1.1.0|MIT/Apache-2.0
1serde v1.0.0|MIT OR Apache-2.0

0tidegate v0.1.0 (/src/controller/cli)|Apache-2.0
1clap v4.6.0|MIT OR Apache-2.0
1tidegate-runtime v0.1.0 (/src/controller/runtime)|Apache-2.0 (*)
";
    const LOCK: &str = "\
version = 4

[[package]]
name = \"libz-sys\"
version = \"1.1.0\"
source = \"registry+https://github.com/rust-lang/crates.io-index\"
checksum = \"abc1\"

[[package]]
name = \"tidegate\"
version = \"0.1.0\"
";

    fn names(list: &Value) -> Vec<&str> {
        list["components"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect()
    }

    fn list_of(program: &str) -> Value {
        list(&parts(TREE).unwrap(), &checksums(LOCK), program, Arch::Arm64, 1_700_000_000, "00ff").unwrap()
    }

    #[test]
    fn each_program_lists_what_it_needs_and_nothing_of_the_other() {
        assert_eq!(names(&list_of("bootstrap")), ["libgit2-sys", "libz-sys", "serde", "tidegate-runtime"]);
        assert_eq!(names(&list_of("tidegate")), ["clap", "libgit2-sys", "libz-sys", "tidegate-runtime"]);
    }

    #[test]
    fn a_part_has_its_address_its_licence_as_an_expression_and_the_hash_of_the_lock_file() {
        let list = list_of("bootstrap");
        let zlib = &list["components"][1];
        assert_eq!(zlib["purl"], "pkg:cargo/libz-sys@1.1.0");
        assert_eq!(zlib["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(zlib["hashes"][0]["content"], "abc1");
        assert_eq!(list["components"][0]["purl"], "pkg:cargo/libgit2-sys@0.18.8%2B1.9.7");
        assert_eq!(list["components"][3].get("hashes"), None);
    }

    #[test]
    fn who_needs_whom_is_told_with_the_same_names() {
        let list = list_of("bootstrap");
        let runtime = list["dependencies"].as_array().unwrap().last().unwrap();
        assert_eq!(runtime["ref"], "pkg:cargo/tidegate-runtime@0.1.0");
        assert_eq!(runtime["dependsOn"], json!(["pkg:cargo/libgit2-sys@0.18.8%2B1.9.7"]));
    }

    #[test]
    fn the_list_names_the_bytes_that_it_is_of_and_is_the_same_for_the_same() {
        let list = list_of("bootstrap");
        assert_eq!(list, list_of("bootstrap"));
        assert_eq!(list["metadata"]["component"]["hashes"][0]["content"], "00ff");
        assert_eq!(list["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
        let serial = list["serialNumber"].as_str().unwrap();
        assert_eq!(serial.len(), "urn:uuid:".len() + 36);
        assert_eq!(serial.chars().nth("urn:uuid:".len() + 14), Some('8'), "{serial}");
    }

    #[test]
    fn another_form_of_the_tree_is_refused() {
        let error = parts("bootstrap v0.1.0\n").unwrap_err().to_string();
        assert!(error.starts_with("`cargo tree` printed"), "{error}");
    }
}
