"""The launcher's two sides: the ports that Jupyter gave it, and those of the kernel behind it."""

import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import zmq

from layout import cargo_environment, evcxr
from slots import Slot

CHANNELS = ("shell", "control", "stdin", "iopub", "hb")


class Front:
    """What Jupyter talks to."""

    def __init__(self, context: zmq.Context, connection: dict):
        address = f"{connection['transport']}://{connection['ip']}:"
        kinds = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER, "iopub": zmq.PUB, "hb": zmq.REP}
        for channel in CHANNELS:
            made = context.socket(kinds[channel])
            made.linger = 500
            made.sndhwm = 0  # pictures are never dropped
            made.bind(address + str(connection[f"{channel}_port"]))
            setattr(self, channel, made)


class Back:
    """The kernel (evcxr) and the sockets that lead to it. It has the same key, so that answers pass unchanged."""

    def __init__(self, context: zmq.Context, key: str, slot: Slot):
        connection = {f"{channel}_port": port for channel, port in zip(CHANNELS, free_ports(len(CHANNELS)))}
        connection |= {"transport": "tcp", "ip": "127.0.0.1", "key": key, "signature_scheme": "hmac-sha256"}
        connection |= {"kernel_name": "evcxr"}
        file = slot.folder / "connection.json"
        with open(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as opened:
            json.dump(connection, opened)
        self.process = start(file, slot)
        kinds = {"shell": zmq.DEALER, "control": zmq.DEALER, "stdin": zmq.DEALER, "iopub": zmq.SUB}
        for channel, kind in kinds.items():
            made = context.socket(kind)
            made.linger = 0
            made.rcvhwm = 0
            if kind == zmq.DEALER:
                # Questions for input go to whoever sent the cell: the same name on both channels.
                made.identity = b"launcher"
            else:
                made.subscribe(b"")
            made.connect(f"tcp://127.0.0.1:{connection[f'{channel}_port']}")
            setattr(self, channel, made)

    def end(self) -> None:
        """Ends the kernel and the process that runs the cells."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def free_ports(number: int) -> list[int]:
    """Ports that nobody has and that no system gives out by itself (Linux begins at 32768, others higher).

    Among those that it gives out, a socket below that tries to connect before evcxr listens is now and then given the very port
    that it connects to; it is then its own partner, and evcxr finds its port taken.
    """
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1_000):
        with socket.socket() as holder:
            try:
                holder.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == number:
            return found
    sys.exit("lab: expected free ports between 20000 and 32000 on this machine; found none. Close other programs or kernels.")


def start(connection: Path, slot: Slot) -> subprocess.Popen:
    """Starts evcxr in its slot."""
    environment = cargo_environment() | {
        "EVCXR_TMPDIR": str(slot.folder),
        "EVCXR_CONFIG_DIR": str(slot.folder),  # not the user's
        "RUST_LIB_BACKTRACE": "0",  # errors in one line
        "TOALIGN_LIVE": "1",
        "TOALIGN_STOP_FILE": str(slot.stop),
    }
    log = open(slot.folder / "kernel.log", "w")
    return subprocess.Popen(
        [str(evcxr()), "--control_file", str(connection)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )


def end_with_parent() -> None:
    """Asks Linux to end this process when the launcher is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
