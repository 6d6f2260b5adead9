//! Effect: `cargo xtask package` makes what is released: the Lambda's zip and the command line's tarball, each with its
//! checksum and the list of its parts, the same bytes wherever the same commit is packaged.

pub(crate) mod archive;
mod build;
mod elf;
mod sbom;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::command;
use crate::doctor::Tool;
use crate::python::Venv;
use crate::workspace::Workspace;
use archive::File;
use build::Build;

/// What packaging needs.
pub(crate) const NEEDS: &[Tool] = &[Tool::Rust, Tool::Git, Tool::Python];

/// A processor that is packaged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    Arm64,
    X86_64,
}

impl Arch {
    const ALL: [Self; 2] = [Self::Arm64, Self::X86_64];

    /// Rust's name of it, on Linux with glibc.
    const fn triple(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Arch {
    /// As Lambda calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        })
    }
}

/// The programs that are shipped, by the names of their packages.
const PROGRAMS: [&str; 2] = ["bootstrap", "tidegate"];
/// The sample services: released with nothing, but run in an account by whoever tries an installation.
const SERVICES: [&str; 3] = ["flight-service", "reservation-service", "flight-bff"];

/// Which architectures are packaged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Chosen {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
    All,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The processor that it is for
    #[arg(long, value_enum, default_value_t = Chosen::Arm64)]
    arch: Chosen,
    /// The zips of the sample services as well, for the stack that runs them
    #[arg(long)]
    services: bool,
    /// Build the commit once more, in another folder, and compare the bytes
    #[arg(long)]
    verify: bool,
}

impl Arguments {
    /// What is built together. The services are built apart: with them, what is shipped could have other features.
    fn groups(&self) -> Vec<&'static [&'static str]> {
        if self.services { vec![&PROGRAMS, &SERVICES] } else { vec![&PROGRAMS] }
    }

    fn archs(&self) -> Vec<Arch> {
        match self.arch {
            Chosen::Arm64 => vec![Arch::Arm64],
            Chosen::X86_64 => vec![Arch::X86_64],
            Chosen::All => Arch::ALL.to_vec(),
        }
    }
}

/// Something to release, before it is written: its name without an ending, its bytes, and the list of its parts.
#[derive(Debug)]
struct Artifact {
    name: String,
    ending: &'static str,
    bytes: Vec<u8>,
    parts: String,
}

/// Packages every chosen architecture into `target/package`.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.verify {
        // What is not committed is in no other folder.
        let changed = command::output(git(&workspace.root).args(["status", "--porcelain"]))?;
        anyhow::ensure!(changed.is_empty(), "`--verify` builds the commit, and this is not committed:\n{changed}");
    }
    let venv = Venv::ensure_for_packaging(workspace)?;
    let time = commit_time(&workspace.root)?;
    let directory = workspace.target.join("package");
    fs::create_dir_all(&directory).context("`target/package` cannot be made")?;
    for arch in arguments.archs() {
        build::ensure_target(&workspace.root, arch)?;
        for packages in arguments.groups() {
            let build = Build { venv: &venv, packages, arch, time };
            let artifacts = package(&build, &workspace.root, &workspace.target)?;
            for artifact in &artifacts {
                write(&directory, artifact)?;
            }
            if arguments.verify {
                verify(&build, workspace, &artifacts)?;
            }
        }
    }
    Ok(())
}

/// Builds and packs one architecture of the workspace at `root`.
fn package(build: &Build<'_>, root: &Path, target: &Path) -> anyhow::Result<Vec<Artifact>> {
    let programs = build.run(root, target)?;
    let Build { arch, time, .. } = *build;
    let license = fs::read(root.join("LICENSE")).context("`LICENSE` cannot be read")?;
    let one = |&package: &&str| {
        let program = checked(&programs.join(package), arch)?;
        let (name, ending, bytes) = if package == "tidegate" {
            let folder = format!("tidegate-{}-{arch}", env!("CARGO_PKG_VERSION"));
            let files = [
                File { path: format!("{folder}/tidegate"), content: &program, is_program: true },
                File { path: format!("{folder}/LICENSE"), content: &license, is_program: false },
            ];
            (format!("tidegate-{arch}"), "tar.gz", archive::tar_gz(&files, time)?)
        } else {
            let name = if package == "bootstrap" { "tidegate-lambda" } else { package };
            (format!("{name}-{arch}"), "zip", archive::lambda_zip(&program)?)
        };
        let parts = sbom::cyclonedx(root, build, package, &sha256(&bytes))?;
        Ok(Artifact { name, ending, bytes, parts })
    };
    build.packages.iter().map(one).collect()
}

/// A program that runs on Amazon Linux 2023.
fn checked(program: &Path, arch: Arch) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(program).with_context(|| format!("`{}` was not built", program.display()))?;
    let check = || elf::Needs::of(&bytes)?.check(arch);
    let (major, minor) = check().with_context(|| format!("`{}` cannot be shipped", program.display()))?;
    println!("`{}` needs glibc {major}.{minor}", program.display());
    Ok(bytes)
}

fn write(directory: &Path, artifact: &Artifact) -> anyhow::Result<()> {
    let Artifact { name, ending, bytes, parts } = artifact;
    let file = directory.join(format!("{name}.{ending}"));
    let hash = sha256(bytes);
    let save = |path: &Path, content: &[u8]| {
        fs::write(path, content).with_context(|| format!("`{}` cannot be written", path.display()))
    };
    save(&file, bytes)?;
    // As `sha256sum --check` reads it, in the same folder.
    save(&directory.join(format!("{name}.sha256")), format!("{hash}  {name}.{ending}\n").as_bytes())?;
    save(&directory.join(format!("{name}.cdx.json")), parts.as_bytes())?;
    println!("{}: {} bytes, sha256 {hash}", file.display(), bytes.len());
    Ok(())
}

/// Builds the same commit elsewhere, from nothing, and compares.
///
/// # Errors
/// A byte differs: with the files to compare.
fn verify(build: &Build<'_>, workspace: &Workspace, first: &[Artifact]) -> anyhow::Result<()> {
    let arch = build.arch;
    // Another folder, of another depth and length.
    let elsewhere = workspace.target.join("packaged-again").join("from-the-same-commit").join(arch.to_string());
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere).context("the copy of an earlier run cannot be removed")?;
    }
    let copy = elsewhere.join("source");
    let mut clone = git(&workspace.root);
    command::run(clone.args(["clone", "--quiet", "--no-hardlinks", "."]).arg(&copy))?;
    let second = package(build, &copy, &elsewhere.join("built"))?;
    let mut differing = Vec::new();
    for (first, second) in first.iter().zip(&second) {
        if first.bytes != second.bytes || first.parts != second.parts {
            write(&elsewhere, second)?;
            differing.push(format!("{}.{}", first.name, first.ending));
        }
    }
    let elsewhere_shown = elsewhere.display();
    anyhow::ensure!(
        differing.is_empty(),
        "built again, other bytes: {}; see `{elsewhere_shown}`",
        differing.join(", ")
    );
    println!("{arch}: built again in another folder, the same bytes");
    fs::remove_dir_all(&elsewhere).context("the copy cannot be removed")
}

/// When the commit was made, in seconds since 1970: the one time that is in what is built.
fn commit_time(root: &Path) -> anyhow::Result<u64> {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let text = match given {
        Some(given) => given,
        None => command::output(git(root).args(["log", "-1", "--format=%ct"]))
            .context("the time of the commit cannot be read: set `SOURCE_DATE_EPOCH` where there is no Git")?,
    };
    text.trim().parse().with_context(|| format!("`{}` is no time in seconds", text.trim()))
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root);
    git
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The zip of a program that was built already, beside it: what the benchmark weighs is what is shipped.
pub(crate) fn zip_beside(bootstrap: &Path) -> anyhow::Result<PathBuf> {
    let program = fs::read(bootstrap).with_context(|| format!("`{}` was not built", bootstrap.display()))?;
    let file = bootstrap.with_extension("zip");
    fs::write(&file, archive::lambda_zip(&program)?)
        .with_context(|| format!("`{}` cannot be written", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_what_sha256sum_reads_and_stands_beside_its_file() {
        let directory = std::env::temp_dir().join(format!("xtask-package-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let artifact = Artifact {
            name: "tidegate-lambda-arm64".to_owned(),
            ending: "zip",
            bytes: b"zip".to_vec(),
            parts: "{}".to_owned(),
        };
        write(&directory, &artifact).unwrap();
        let checksum = fs::read_to_string(directory.join("tidegate-lambda-arm64.sha256")).unwrap();
        let mut files: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        fs::remove_dir_all(&directory).unwrap();
        files.sort();
        let names = ["tidegate-lambda-arm64.cdx.json", "tidegate-lambda-arm64.sha256", "tidegate-lambda-arm64.zip"];
        assert_eq!(files, names);
        let (hash, file) = checksum.trim_end().split_once("  ").unwrap();
        assert_eq!((hash.len(), file), (64, "tidegate-lambda-arm64.zip"));
        assert!(hash.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
