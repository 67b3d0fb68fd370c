"""Kernels in reserve: while JupyterLab is open, one or two wait with everything loaded, and the next lessons get them.

Starting a kernel takes a quarter of a minute, most of it for reading the sources of all libraries. The reserve is a launcher
that nobody talks to yet; it announces itself with a file beside its slot. A lesson's launcher renames that file to
claim it and leaves the connection file's content; from then on the reserve is the lesson's kernel, and the lesson's launcher
waits for its end. Each holds a lock on its own file, so the other sees when it has died.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from layout import JUPYTER, KERNEL, NOTEBOOKS, REPOSITORY, WORKSHOP, accelerator, template

PATTERN = "slot-{}-*.spare"
WARM = "warm"
# A loaded kernel takes 1.2 GB; with less memory than this only one waits.
ROOMY = 12e9  # bytes


def server() -> int | None:
    """The process of the JupyterLab that `notebooks/lab` opened, if there is one."""
    number = os.environ.get("TOALIGN_LAB_SERVER", "")
    return int(number) if number.isdigit() else None


def server_is_gone() -> bool:
    """Whether JupyterLab has been killed, and could not end its kernels."""
    if server() is None:
        return False
    try:
        os.kill(server(), 0)
    except ProcessLookupError:
        return True
    return False


def wanted() -> bool:
    """Whether there is an open JupyterLab of `notebooks/lab` to keep a reserve for."""
    return server() is not None and not server_is_gone()


def number() -> int:
    """How many kernels shall wait: what TOALIGN_LAB_SPARE says, else two where there is memory for it."""
    named = os.environ.get("TOALIGN_LAB_SPARE", "")
    if named.isdigit():
        return int(named)
    return 2 if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > ROOMY else 1


def top_up() -> None:
    """Starts a kernel in reserve if there are too few."""
    if wanted() and len(waiting()) < number():
        start()


def start() -> subprocess.Popen:
    """Starts a kernel in reserve; it ends with JupyterLab."""
    return subprocess.Popen(
        [sys.executable, str(JUPYTER / "launcher.py"), "--spare"],
        cwd=NOTEBOOKS,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def locked(file: IO) -> bool:
    """Whether another process holds the lock on this file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def write_locked(path: Path, text: str) -> IO:
    """A file that says `text` and is locked as long as it is open here."""
    partial = path.with_name(path.name + ".partial")
    file = open(partial, "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(text)
    file.flush()
    partial.replace(path)
    return file


def is_warm(offer: Path) -> bool:
    """Whether the kernel with this announcement has everything loaded."""
    try:
        return offer.read_text().endswith(WARM)
    except FileNotFoundError:
        return False


def last_edit() -> float:
    """When the library was changed last: a reserve from before has the old one loaded."""
    sources = [*REPOSITORY.glob("src/**/*"), *KERNEL.glob("*.[rt]*"), REPOSITORY / "Cargo.toml"]
    return max(source.stat().st_mtime for source in sources)


def template_is_current() -> bool:
    """Whether the library was not touched since the template was last brought up to date."""
    ready = template() / "ready"
    return ready.exists() and ready.stat().st_mtime > last_edit()


class Offer:
    """The reserve's side."""

    def __init__(self, slot: Path):
        self.path = slot.with_name(slot.name + ".spare")
        self.answer = slot.with_name(slot.name + ".adopt")
        self.answer.unlink(missing_ok=True)
        self.file = write_locked(self.path, f"{time.time()} {server()}\n")
        self.claimed_at: float | None = None
        self.owner: IO | None = None

    def warm(self) -> None:
        """Notes that everything is loaded."""
        self.file.write(WARM)
        self.file.flush()

    def taken(self) -> dict | None:
        """The connection of the lesson that took this kernel; none as long as it is free. Ends when nobody needs it."""
        if self.answer.exists():
            self.owner = open(self.answer)
            return json.load(self.owner)
        if not self.path.exists():
            self.claimed_at = self.claimed_at or time.monotonic()
        if not wanted() or self.claimed_at and time.monotonic() - self.claimed_at > 5:
            self.path.unlink(missing_ok=True)
            sys.exit(0)
        return None

    def abandoned(self) -> bool:
        """Whether the launcher that took this kernel has been killed."""
        return self.owner is not None and not locked(self.owner)


def waiting() -> list[Path]:
    """The announcements of this JupyterLab's reserves, loaded ones first; those that died or know an old library go."""
    found = []
    for path in WORKSHOP.glob(PATTERN.format(accelerator())):
        try:
            with open(path) as file:
                began, owner = file.readline().split()
                if not locked(file) or float(began) < last_edit():
                    path.unlink()
                elif owner == str(server()):  # a kernel ends with its JupyterLab
                    found.append(path)
        except FileNotFoundError:
            pass  # another launcher was faster
    return sorted(found, key=is_warm, reverse=True)


def adopt(connection: dict) -> bool:
    """Takes a reserve for a lesson and waits for its end; false if there is none."""
    if not wanted() or Path.cwd() != NOTEBOOKS:
        return False
    for path in waiting():
        claim = path.with_suffix(f".taken-{os.getpid()}")
        try:
            path.rename(claim)
        except FileNotFoundError:
            continue
        with open(claim) as spare:
            claim.unlink()
            answer = path.with_suffix(".adopt")
            # The file is locked as long as this process lives.
            with write_locked(answer, json.dumps(connection)):
                # Loading takes one core: the next lesson may be opened in the next moment.
                top_up()
                while locked(spare):
                    time.sleep(0.2)
                return True
    return False
