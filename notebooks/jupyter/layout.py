"""Where everything is: the repository, the ignored folder `.lab`, and the settings that all cargo calls must share."""

import os
import subprocess
from pathlib import Path

JUPYTER = Path(__file__).resolve().parent  # what Jupyter starts, in Python
NOTEBOOKS = JUPYTER.parent
KERNEL = NOTEBOOKS / "kernel"  # what cells link to, in Rust
REPOSITORY = NOTEBOOKS.parent
LAB = NOTEBOOKS / ".lab"
WORKSHOP = LAB / "kernels"  # the template and its copies, one for each running kernel
BOOK = LAB / "book"

# The line that every lesson starts with, and the same dependency by its full path.
DEPENDENCY_LINE = ':dep toalign = { path = "kernel", package = "toalign-nb" }'
DEPENDENCY = f'toalign = {{ path = "{KERNEL}", package = "toalign-nb" }}'


def evcxr() -> Path:
    """The kernel program: our own build, or the one that the environment names."""
    named = os.environ.get("TOALIGN_LAB_EVCXR")
    return Path(named).resolve() if named else LAB / "evcxr" / "bin" / "evcxr_jupyter"


def accelerator() -> str:
    """What the library computes on in notebooks: `cpu`, or `cuda` where TOALIGN_CUDA=1 asks for it."""
    return "cuda" if os.environ.get("TOALIGN_CUDA") == "1" else "cpu"


def template() -> Path:
    """The folder with the library compiled ahead of time. Other flags change every object file: one folder for each."""
    return WORKSHOP / f"template-{accelerator()}"


def cargo_environment() -> dict[str, str]:
    """The environment in which cargo runs, for the template and in every kernel: a difference would recompile all."""
    flags = ["-Cprefer-dynamic"]
    if accelerator() == "cuda":
        flags += ["--cfg", "toalign_cuda"]
    environment = dict(os.environ)
    # This variable wins over RUSTFLAGS, the kernel's and the user's.
    environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
    return environment


def output_of(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
