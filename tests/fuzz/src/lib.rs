//! What reads bytes from outside, each as one function of bytes: the same for the tests and for a fuzzer.
//!
//! A target panics where something does not hold that must hold for every input. [`check`] runs one, and holds it to
//! [`budget::MEMORY`] and [`budget::TIME`] as well. `corpus/<target>/` holds inputs that lead far, and those that once
//! led to a finding.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a target says by a panic what it found"
)]

pub mod budget;
pub mod git_host;
pub mod mutate;
pub mod pack;

mod aws;
mod targets;

use std::path::PathBuf;

use targets::{calls, contract, documents, events, git, installation, metrics};

/// One function of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its folder in the corpus too.
    pub name: &'static str,
    /// What reads the bytes.
    pub reads: &'static str,
    /// Reads them.
    pub run: fn(&[u8]),
    /// How many mutations the tests make of its corpus.
    pub mutations: usize,
}

/// All targets.
pub static TARGETS: [Target; 13] = [
    Target { name: "services", reads: "`services.yaml`", run: contract::services, mutations: 2_000 },
    Target { name: "release_config", reads: "`release-config.yaml`", run: contract::release_config, mutations: 2_000 },
    Target {
        name: "installation",
        reads: "the controller's configuration",
        run: installation::parameters,
        mutations: 1_000,
    },
    Target { name: "state", reads: "stored state, and what is decided by it", run: documents::state, mutations: 1_500 },
    Target { name: "desired", reads: "what is stored of a commit", run: documents::desired, mutations: 800 },
    Target { name: "history", reads: "records and heads, and their proof", run: documents::history, mutations: 600 },
    Target { name: "marker", reads: "an alias's description", run: documents::marker, mutations: 2_000 },
    Target { name: "events", reads: "what the Lambda is invoked with", run: events::events, mutations: 2_000 },
    Target { name: "git_refs", reads: "a Git server's list of references", run: git::references, mutations: 1_000 },
    Target { name: "git_pack", reads: "a Git server's pack", run: git::pack, mutations: 150 },
    Target { name: "git_tree", reads: "commits and directories", run: git::tree, mutations: 150 },
    Target { name: "metrics", reads: "CloudWatch's answers, and the verdict", run: metrics::metrics, mutations: 600 },
    Target { name: "aws_errors", reads: "what AWS says of a failure", run: calls::errors, mutations: 2_000 },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    /// Where its corpus is.
    #[must_use]
    pub fn corpus(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "corpus", self.name].iter().collect()
    }
}

/// Runs a target on one input, within its budget.
///
/// # Panics
/// Where it does not hold, or costs too much.
pub fn check(target: &Target, data: &[u8]) {
    let spent = budget::spent(|| (target.run)(data));
    let (name, bytes) = (target.name, data.len());
    assert!(spent.memory <= budget::MEMORY, "`{name}` took {} bytes of memory for {bytes} bytes", spent.memory);
    assert!(spent.time <= budget::TIME, "`{name}` took {:?} for {bytes} bytes", spent.time);
}
