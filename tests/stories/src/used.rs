//! Which calls each command makes, kept for `cargo xtask calls`: what the controller's roles may do is held against it.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use local_aws::{Purpose, Used};

use crate::account::BUCKET;

tokio::task_local! {
    static COMMAND: Purpose;
}

/// What each command calls: command, action as IAM names it, and kinds of resource.
type Commands = BTreeMap<String, BTreeMap<String, BTreeSet<&'static str>>>;

/// The command that the controller runs now.
#[must_use]
pub fn purpose() -> Option<Purpose> {
    COMMAND.try_with(Clone::clone).ok()
}

/// Runs a command: its calls are its own.
pub async fn by<T>(command: &str, work: impl Future<Output = T>) -> T {
    COMMAND.scope(Purpose(command.to_owned()), work).await
}

/// Keeps what a world's controller called, in a file of its own below the build's folder.
pub(crate) fn keep(used: &BTreeSet<Used>) {
    let mut commands = Commands::new();
    for call in used {
        let actions = commands.entry(call.purpose.0.clone()).or_default();
        actions.entry(action(call)).or_default().insert(resource(call));
    }
    if commands.is_empty() {
        return;
    }
    let text = serde_json::to_string(&commands).expect("JSON");
    let folder = folder();
    std::fs::create_dir_all(&folder).expect("a folder for the calls");
    // The same calls are the same file: stories that differ in nothing leave one.
    let name = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&text));
    std::fs::write(folder.join(format!("{name}.json")), text).expect("a file of calls");
}

/// Beside the programs of this build: `target/<profile>/calls`.
fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program");
    program.ancestors().nth(2).expect("a folder of the build").join("calls")
}

/// The action that IAM asks for.
fn action(call: &Used) -> String {
    let name = match (call.service, call.operation) {
        ("lambda", "Invoke") => "InvokeFunction",
        ("s3", "ListObjectsV2") => "ListBucket",
        ("s3", "HeadObject") => "GetObject",
        (_, operation) => operation,
    };
    let service = if call.service == "monitoring" { "cloudwatch" } else { call.service };
    format!("{service}:{name}")
}

/// What kind of resource a call is about, as policies tell them apart.
fn resource(call: &Used) -> &'static str {
    let about = call.resource.as_str();
    match call.service {
        "lambda" if about.contains(':') => "function:qualifier",
        "lambda" => "function",
        "s3" => stored(about),
        "ssm" if about.starts_with("/tidegate/") => "/tidegate",
        "ssm" => "/services",
        "ecr" => "repository",
        "sts" => "role",
        _ => "*",
    }
}

/// The part of the state that a document belongs to; `archives` for what lies in other buckets.
fn stored(about: &str) -> &'static str {
    let kinds = ["lease", "desired", "state", "history", "status"];
    let (bucket, key) = about.split_once('/').unwrap_or((about, ""));
    let document = key.split_once('/').map_or("", |(_prefix, document)| document);
    match kinds.into_iter().find(|kind| document.starts_with(&format!("{kind}/"))) {
        _ if bucket != BUCKET => "archives",
        _ if key.is_empty() => "bucket",
        found => found.unwrap_or("configuration"),
    }
}
