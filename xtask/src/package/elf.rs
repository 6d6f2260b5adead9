//! Decides whether a program runs where it is to run: its machine, and what it needs of the system's libraries.

use anyhow::Context as _;
use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _};
use object::{Endianness, elf};

use super::Arch;

/// The newest glibc that `provided.al2023` has, and with it Amazon Linux 2023.
pub(crate) const GLIBC: (u32, u32) = (2, 34);

/// What the runtime's image has of the system's libraries, and any Linux with glibc.
const LIBRARIES: [&str; 8] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// What a program needs where it runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// ELF's number of the machine.
    machine: u16,
    /// The names of the libraries that it is linked with.
    libraries: Vec<String>,
    /// The newest glibc that a symbol of it asks for.
    glibc: Option<(u32, u32)>,
}

impl Needs {
    /// Reads them from a program's file.
    ///
    /// # Errors
    /// It is no 64-bit ELF program, or is damaged.
    pub(crate) fn of(program: &[u8]) -> anyhow::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(program).context("it is no 64-bit ELF file")?;
        let endian = header.endian()?;
        let sections = header.sections(endian, program)?;
        let mut libraries = Vec::new();
        if let Some((entries, strings)) = sections.dynamic(endian, program)? {
            let strings = sections.strings(endian, program, strings)?;
            for entry in entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
                libraries.push(text(entry.string(endian, strings)?)?);
            }
        }
        let mut glibc = None;
        if let Some((mut needs, strings)) = sections.gnu_verneed(endian, program)? {
            let strings = sections.strings(endian, program, strings)?;
            while let Some((_, mut versions)) = needs.next()? {
                while let Some(version) = versions.next()? {
                    glibc = glibc.max(glibc_version(&text(version.name(endian, strings)?)?));
                }
            }
        }
        libraries.sort();
        Ok(Self { machine: header.e_machine(endian), libraries, glibc })
    }

    /// Checks that the program runs on Amazon Linux 2023 of this architecture; gives the newest glibc that it asks for.
    ///
    /// # Errors
    /// It does not, and why.
    pub(crate) fn check(&self, arch: Arch) -> anyhow::Result<(u32, u32)> {
        let Self { machine, libraries, glibc } = self;
        let wanted = match arch {
            Arch::Arm64 => EM_AARCH64,
            Arch::X86_64 => EM_X86_64,
        };
        anyhow::ensure!(*machine == wanted, "it is for machine {machine}, and {arch} is {wanted}");
        let unknown = libraries.iter().find(|library| !LIBRARIES.contains(&library.as_str()));
        if let Some(unknown) = unknown {
            anyhow::bail!("it needs `{unknown}`, which Lambda's image need not have: link it statically");
        }
        let (major, minor) = glibc.context("it names no version of glibc")?;
        let (most, least) = GLIBC;
        anyhow::ensure!(
            (major, minor) <= GLIBC,
            "it needs glibc {major}.{minor}, and Lambda's image has {most}.{least}"
        );
        Ok((major, minor))
    }
}

fn text(bytes: &[u8]) -> anyhow::Result<String> {
    Ok(std::str::from_utf8(bytes).context("a name in it is no text")?.to_owned())
}

/// `GLIBC_2.34` and `GLIBC_2.2.5`; a version of another library is none.
fn glibc_version(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(libraries: &[&str], glibc: (u32, u32)) -> Needs {
        let libraries = libraries.iter().map(|name| (*name).to_owned()).collect();
        Needs { machine: EM_AARCH64, libraries, glibc: Some(glibc) }
    }

    fn refusal(needs: &Needs, arch: Arch) -> String {
        needs.check(arch).unwrap_err().to_string()
    }

    #[test]
    fn versions_of_glibc_are_compared_as_numbers_and_others_are_left_out() {
        assert_eq!(glibc_version("GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc_version("GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version("GCC_4.2.0"), None);
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
        assert!(glibc_version("GLIBC_2.34") > glibc_version("GLIBC_2.4"));
    }

    #[test]
    fn a_program_that_needs_no_more_than_the_image_has_passes() {
        assert_eq!(needs(&["libc.so.6", "libm.so.6"], (2, 34)).check(Arch::Arm64).unwrap(), (2, 34));
    }

    #[test]
    fn a_newer_glibc_another_library_and_another_machine_are_refused_by_name() {
        let newer = refusal(&needs(&["libc.so.6"], (2, 36)), Arch::Arm64);
        assert_eq!(newer, "it needs glibc 2.36, and Lambda's image has 2.34");
        let zlib = refusal(&needs(&["libc.so.6", "libz.so.1"], (2, 34)), Arch::Arm64);
        assert!(zlib.starts_with("it needs `libz.so.1`"), "{zlib}");
        let machine = refusal(&needs(&["libc.so.6"], (2, 34)), Arch::X86_64);
        assert_eq!(machine, "it is for machine 183, and x86_64 is 62");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_needs_of_a_real_program_are_read() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = Needs::of(&this).unwrap();
        assert!(needs.libraries.iter().any(|library| library == "libc.so.6"), "{needs:?}");
        assert!(needs.glibc > Some((2, 0)), "{needs:?}");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert_eq!(Needs::of(b"#!/bin/sh\n").unwrap_err().to_string(), "it is no 64-bit ELF file");
    }
}
