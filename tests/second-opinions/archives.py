"""Zips this workspace's programs as Lambda takes them: without debug information, with which they are above its limit."""

import platform
import zipfile

from processes import PROGRAMS, run

ARCHITECTURE = {"x86_64": "x86_64", "AMD64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}[platform.machine()]
SERVICES = ["flight-service", "reservation-service", "flight-bff"]


def build(directory):
    """As `cargo xtask package --services` names them."""
    directory.mkdir()
    for archive, program in [("tidegate-lambda", "bootstrap"), *((name, name) for name in SERVICES)]:
        stripped = directory / "bootstrap"
        run(["strip", "-o", str(stripped), str(PROGRAMS / program)])
        bundle(directory / f"{archive}-{ARCHITECTURE}.zip", stripped)
        stripped.unlink()


def bundle(archive, program, **files):
    """The program first, as `bootstrap`; and other files beside it, which make another release of it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.write(program, "bootstrap")
        for name, text in files.items():
            made.writestr(name, text)


def release(directory, service, name):
    """Another archive of a service, which differs by a file that says its name."""
    first = directory / f"{service}-{ARCHITECTURE}.zip"
    archive = directory / f"{service}-{name}.zip"
    archive.write_bytes(first.read_bytes())
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("RELEASE", name)
    return archive
