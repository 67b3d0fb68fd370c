"""Compiles the library for the notebooks ahead of time, so that a kernel starts in seconds instead of minutes.

The kernel (evcxr) keeps a small cargo package in its folder and adds a cell's code to it. The template is such a folder with
all dependencies built; every kernel gets a copy. It must be what evcxr would write, byte for byte, or evcxr builds again.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from layout import DEPENDENCY, REPOSITORY, WORKSHOP, cargo_environment, output_of, template
from slots import make_ready

# The manifest of evcxr 0.22.
MANIFEST = """
[package]
name = "ctx"
version = "1.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]
path = "src/lib.rs"

[profile.dev]
opt-level = 2
debug = false
strip = "debuginfo"
rpath = true
lto = false
debug-assertions = true
codegen-units = 16
panic = 'unwind'
incremental = true
overflow-checks = true

[dependencies]
{dependency}

"""

# evcxr builds everything with opt-level 2 and all checks; cargo merges this file of the folder above, which makes training
# as fast as a release build. It leaves the cells themselves to evcxr (`:opt`).
PROFILE = """\
[profile.dev.package."*"]
opt-level = 1
debug-assertions = false
overflow-checks = false
{fast}
[profile.dev.build-override]
opt-level = 0
"""


def profile() -> str:
    """What computes is compiled as for a release: the library, and the packages that the repository names for its tests."""
    manifest = (REPOSITORY / "Cargo.toml").read_text()
    fast = re.findall(r"^([a-z0-9_-]+) = { opt-level = 3 }$", manifest, re.MULTILINE)
    return PROFILE.format(fast="\n".join(f"[profile.dev.package.{name}]\nopt-level = 3" for name in ["toalign", *fast]))


def write(path: Path, text: str) -> None:
    """Writes a file in one step, and not at all where it already says this: cargo looks at the time of the change."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def cargo(folder: Path, command: str) -> bool:
    """Runs `cargo build` or `cargo check` the way evcxr does; true if anything had to be compiled."""
    environment = cargo_environment() | {"CARGO_TARGET_DIR": "target", "CARGO_BUILD_BUILD_DIR": "target"}
    host = next(line[6:] for line in output_of("rustc", "-Vv").splitlines() if line.startswith("host: "))
    run = ["cargo", command, "--target", host, "--message-format=json-render-diagnostics"]
    # Cargo's progress goes to the terminal as it is.
    done = subprocess.run(run, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(
            f"lab: expected that the library compiles for the notebooks; `cargo {command}` failed (its messages are above). "
            "Make `cargo build` work in the repository, then run notebooks/lab again."
        )
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    artifacts = [message for message in messages if message["reason"] == "compiler-artifact"]
    return any(not message["fresh"] for message in artifacts)


def main() -> None:
    """Builds the template or brings it up to date."""
    folder = template()
    write(WORKSHOP / ".cargo" / "config.toml", profile())
    write(folder / "Cargo.toml", MANIFEST.format(dependency=DEPENDENCY))
    write(folder / ".cargo" / "config.toml", "\n[net]\noffline = false\n")
    write(folder / "src" / "lib.rs", "")
    locked = (REPOSITORY / "Cargo.lock").read_text()
    seed = folder / "repository.lock"
    if not seed.exists() or seed.read_text() != locked or not (folder / "Cargo.lock").exists():
        # Cells get the versions that the repository was tested with.
        shutil.copyfile(REPOSITORY / "Cargo.lock", folder / "Cargo.lock")
    first = not (folder / "ready").exists()
    if first:
        print("lab: compiling the library for the notebooks: about 5 minutes on two cores, once", flush=True)
    begun = time.monotonic()
    # `cargo check` too: without it the first misspelt cell of a session would wait a minute for its message.
    changed = cargo(folder, "build") | cargo(folder, "check")
    write(seed, locked)
    if changed or first:
        # Kernels compare this file with their own copy's.
        write(folder / "ready", f"{time.time_ns()}\n")
        make_ready(2)
        print(f"lab: compiled in {time.monotonic() - begun:.0f} s", flush=True)
    # By this time the next start sees that nothing has to be done.
    os.utime(folder / "ready")


if __name__ == "__main__":
    main()
