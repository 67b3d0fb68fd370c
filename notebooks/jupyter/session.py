"""One kernel under test: runs cells, keeps what they send and how long they take."""

import time
from dataclasses import dataclass, field

from jupyter_client import KernelManager

from layout import DEPENDENCY_LINE, NOTEBOOKS

LONGEST = 600.0  # seconds that any cell may take


@dataclass
class Outcome:
    """What one cell did."""

    status: str
    seconds: float
    messages: list[dict] = field(default_factory=list)

    def stream(self, name: str) -> str:
        """All text on standard output or standard error."""
        return "".join(
            one["content"]["text"]
            for one in self.messages
            if one["msg_type"] == "stream" and one["content"]["name"] == name
        )

    def of_kind(self, kind: str) -> list[dict]:
        """The contents of all messages of this kind."""
        return [one["content"] for one in self.messages if one["msg_type"] == kind]


class Session:
    """A running kernel."""

    def __init__(self) -> None:
        begun = time.monotonic()
        self.manager = KernelManager(kernel_name="toalign")
        self.manager.start_kernel(cwd=str(NOTEBOOKS))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LONGEST)
        self.ready_seconds = time.monotonic() - begun

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)

    def load(self) -> Outcome:
        """The first cell of a lesson."""
        return self.run(DEPENDENCY_LINE + "\nuse toalign::candle_core::{Device, Tensor, Var};")

    def begin(self, code: str) -> str:
        """Starts a cell and does not wait for it; gives its id."""
        self.begun = time.monotonic()
        return self.client.execute(code)

    def run(self, code: str) -> Outcome:
        """Runs a cell to its end."""
        return self.wait(self.begin(code))

    def begun_with(self, cell: str, line: str) -> list[dict]:
        """Waits until a cell has printed a line; gives its messages so far."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=LONGEST)
            if message["parent_header"].get("msg_id") != cell:
                continue
            messages.append(message)
            if message["msg_type"] == "stream" and line in message["content"]["text"]:
                return messages

    def wait(self, cell: str, so_far: list[dict] | None = None) -> Outcome:
        """Gathers all of a cell's messages, after those `so_far`, until it is idle and answered."""
        messages = list(so_far or [])
        while True:
            message = self.client.get_iopub_msg(timeout=LONGEST)
            if message["parent_header"].get("msg_id") != cell:
                continue
            messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=LONGEST)
            if reply["parent_header"].get("msg_id") == cell:
                break
        return Outcome(reply["content"]["status"], time.monotonic() - self.begun, messages)
