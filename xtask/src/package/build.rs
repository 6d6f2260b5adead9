//! Effect: builds what is shipped, for one architecture, so that neither the machine nor the folder shows in the bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::Arch;
use super::elf::GLIBC;
use crate::command;
use crate::python::Venv;

/// Flags of whoever builds: they would show in the bytes.
const FLAGS_OF_OTHERS: [&str; 6] =
    ["RUSTFLAGS", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "CARGO_BUILD_RUSTFLAGS", "RUSTC_WRAPPER"];

/// What is built, and with what.
pub(crate) struct Build<'a> {
    /// Where the linker is.
    pub(crate) venv: &'a Venv,
    /// The packages whose programs are built: each is called as its package.
    pub(crate) packages: &'a [&'a str],
    pub(crate) arch: Arch,
    /// The only time that the build knows, in seconds since 1970.
    pub(crate) time: u64,
}

impl Build<'_> {
    /// Builds the programs of the workspace at `root`; gives the folder that they are in then.
    pub(crate) fn run(&self, root: &Path, target: &Path) -> anyhow::Result<PathBuf> {
        let Self { venv, packages, arch, time } = *self;
        let remap = Remap::new(root, target)?;
        let (major, minor) = GLIBC;
        let triple = arch.triple();
        let mut build = venv.command("cargo-zigbuild");
        command::forget_cargo_run(&mut build);
        for name in FLAGS_OF_OTHERS {
            build.env_remove(name);
        }
        build.args(["zigbuild", "--release", "--locked", "--bins"]);
        for package in packages {
            build.args(["--package", package]);
        }
        build.arg("--target").arg(format!("{triple}.{major}.{minor}"));
        build.current_dir(root).env("CARGO_TARGET_DIR", target);
        build.env("CARGO_ENCODED_RUSTFLAGS", remap.rust());
        // For the C parts, by which crates' build scripts find them: of this target alone.
        build.env(format!("CFLAGS_{}", triple.replace('-', "_")), remap.c());
        build.env("SOURCE_DATE_EPOCH", time.to_string());
        build.env("CARGO_INCREMENTAL", "0");
        command::run(&mut build)?;
        Ok(target.join(triple).join("release"))
    }
}

/// Has the standard library of this architecture installed.
pub(crate) fn ensure_target(root: &Path, arch: Arch) -> anyhow::Result<()> {
    let installed = command::output(Command::new("rustup").args(["target", "list", "--installed"]).current_dir(root))
        .context("building for another machine needs Rust from `rustup` (https://rustup.rs)")?;
    if installed.lines().any(|line| line == arch.triple()) {
        return Ok(());
    }
    command::run(Command::new("rustup").args(["target", "add", arch.triple()]).current_dir(root))
}

/// Which folders are called otherwise in what is built: panics and assertions name the files that they are in.
struct Remap(Vec<(String, &'static str)>);

impl Remap {
    fn new(root: &Path, target: &Path) -> anyhow::Result<Self> {
        let home = cargo_home()?;
        // Later ones win: the target folder is mostly in the root.
        let folders = [(root, "/tidegate"), (home.as_path(), "/cargo"), (target, "/tidegate/target")];
        let mut all = Vec::new();
        for (folder, name) in folders {
            let folder = folder.to_str().filter(|folder| !folder.contains(char::is_whitespace));
            all.push((folder.context("a folder with a blank in its name cannot be built in")?.to_owned(), name));
        }
        Ok(Self(all))
    }

    /// For `CARGO_ENCODED_RUSTFLAGS`, which separates by a character that no path has.
    fn rust(&self) -> String {
        let flags = self.0.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
        flags.collect::<Vec<_>>().join("\u{1f}")
    }

    fn c(&self) -> String {
        self.0.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect::<Vec<_>>().join(" ")
    }
}

/// Where Cargo keeps the sources of crates.
fn cargo_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    Ok(std::env::home_dir().context("there is neither `CARGO_HOME` nor a home folder")?.join(".cargo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_this_machine_get_other_names_the_inner_ones_last() {
        let remap = Remap::new(Path::new("/home/me/tidegate"), Path::new("/home/me/tidegate/target")).unwrap();
        let rust = remap.rust();
        let flags: Vec<_> = rust.split('\u{1f}').collect();
        assert_eq!(flags[0], "--remap-path-prefix=/home/me/tidegate=/tidegate");
        assert_eq!(flags[2], "--remap-path-prefix=/home/me/tidegate/target=/tidegate/target");
        assert!(remap.c().starts_with("-ffile-prefix-map=/home/me/tidegate=/tidegate -ffile-prefix-map="));
    }

    #[test]
    fn a_folder_with_a_blank_is_refused_before_anything_is_built() {
        assert!(Remap::new(Path::new("/home/me/my work"), Path::new("/target")).is_err());
    }
}
