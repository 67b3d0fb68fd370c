"""A kernel in reserve: while JupyterLab is open, one kernel waits with everything loaded, and the next lesson gets it.

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

from layout import KERNEL, NOTEBOOKS, REPOSITORY, WORKSHOP, accelerator

PATTERN = "slot-{}-*.spare"
WARM = "warm"


def wanted() -> bool:
    """Whether there is an open JupyterLab of `notebooks/lab` to keep a reserve for."""
    server = os.environ.get("TOALIGN_LAB_SERVER", "")
    if not server.isdigit():
        return False
    try:
        os.kill(int(server), 0)
    except ProcessLookupError:
        return False
    return True


def start() -> subprocess.Popen:
    """Starts a kernel in reserve; it ends with JupyterLab."""
    return subprocess.Popen(
        [sys.executable, str(KERNEL / "launcher.py"), "--spare"],
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


def last_edit() -> float:
    """When the library was changed last: a reserve from before has the old one loaded."""
    sources = [*REPOSITORY.glob("src/**/*"), *KERNEL.glob("*.[rt]*"), REPOSITORY / "Cargo.toml"]
    return max(source.stat().st_mtime for source in sources)


class Offer:
    """The reserve's side."""

    def __init__(self, slot: Path):
        self.path = slot.with_name(slot.name + ".spare")
        self.answer = slot.with_name(slot.name + ".adopt")
        self.answer.unlink(missing_ok=True)
        self.file = write_locked(self.path, f"{time.time()}\n")
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
    """The announcements of reserves that live and know the newest library; the others are withdrawn."""
    found = []
    for path in WORKSHOP.glob(PATTERN.format(accelerator())):
        try:
            with open(path) as file:
                if locked(file) and float(file.readline()) > last_edit():
                    found.append(path)
                else:
                    path.unlink()
        except FileNotFoundError:
            pass  # another launcher was faster
    return found


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
                while locked(spare):
                    time.sleep(0.2)
                return True
    return False
