"""A folder for every running kernel: two kernels in one folder would overwrite each other's files."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from layout import WORKSHOP, accelerator, template


def place(number: int) -> Path:
    """The folder of a slot."""
    return WORKSHOP / f"slot-{accelerator()}-{number}"


def make_ready(count: int) -> None:
    """Copies the template into the first slots that are free, so that no lesson waits for it."""
    for slot in [Slot() for _ in range(count)]:
        slot.free()


class Slot:
    """A copy of the template that belongs to this process until it ends; the system frees the lock with it."""

    def __init__(self) -> None:
        WORKSHOP.mkdir(parents=True, exist_ok=True)
        number = 1
        while not self.claim(place(number)):
            number += 1
        self.stop = self.folder / "stop"
        self.stop.unlink(missing_ok=True)

    def claim(self, folder: Path) -> bool:
        """Tries to lock a slot; if it is free, makes it ready."""
        lock = open(folder.with_name(folder.name + ".lock"), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self.lock = lock  # open as long as this process lives
        self.folder = folder
        self.seed()
        return True

    def free(self) -> None:
        """Gives the slot back before the process ends."""
        self.lock.close()

    def seed(self) -> None:
        """Copies the template, unless this slot already has the newest."""
        newest = template() / "ready"
        own = self.folder / "ready"
        if own.exists() and own.read_bytes() == newest.read_bytes():
            for used in self.folder.glob("target/*/debug/deps/libcode_*"):
                used.unlink()  # the last session's cells
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        # With the times of all files, by which cargo sees that nothing changed.
        subprocess.run(["cp", "-a", str(template()), str(partial)], check=True)
        partial.rename(self.folder)

    def restore_versions(self) -> None:
        """Puts the repository's versions back: starting without dependencies makes the kernel forget them."""
        shutil.copyfile(template() / "Cargo.lock", self.folder / "Cargo.lock")
