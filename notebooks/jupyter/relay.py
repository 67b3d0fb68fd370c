"""Passes messages between Jupyter and evcxr, one request at a time, and mends what evcxr lacks.

It loads the library before the first cell, keeps a cell's outputs under that cell, shows pictures while a cell runs, and
stops a training run softly.
"""

import re
import sys
import time
import uuid
from collections import deque

import zmq

from layout import DEPENDENCY, KERNEL
from live import LiveLines
from own_answers import own_answer
from sockets import Back, Front
from slots import Slot
from wire import Message, Wire, new, reply

# Standard error comes by another way than the end of a cell, and a little later.
HOLD = 0.04
# A training loop looks at the stop file each step; whoever has not seen it after this many seconds is killed.
PATIENCE = 2.0
# After this long a waiting cell is told what it waits for.
NOTICE = 15.0

# What a cell that ends with a loop shows.
NOTHING = {"text/plain": "()"}

LIBRARY = f":linker system\n:dep {DEPENDENCY}\n" + (KERNEL / "warm_up.rs").read_text()
# The first variable of a session makes the kernel read all sources: better now than in the first cell.
FIRST_VARIABLE = (
    "let warm_up = toalign::candle_core::Tensor::new(1f32, &toalign::candle_core::Device::Cpu)?;\n"
    "drop(warm_up);"
)


class Relay:
    """Passes one request at a time to evcxr, and its answers back."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.slot = Slot()
        key = uuid.uuid4().hex
        self.back_wire = Wire(key)
        self.back = Back(self.context, key, self.slot)
        self.front_wire: Wire | None = None
        self.front: Front | None = None  # nobody, as long as this kernel is in reserve
        self.routes = {
            self.back.iopub: self.from_iopub,
            self.back.shell: self.from_back_shell,
            self.back.stdin: lambda message: self.send("stdin", message),
        }
        for source in self.routes:
            self.poller.register(source, zmq.POLLIN)
        self.begun = time.monotonic()
        self.queue: deque[Message] = deque()
        self.silent: set[str] = set()  # ids of our own requests
        self.ready = False  # whether evcxr takes requests
        self.types: Message | None = None  # our own request that makes the kernel read all types
        self.noticed: Message | None = None  # the cell that was told what it waits for
        self.next_nudge = 0.0
        self.current: Message | None = None
        self.end: list[tuple[str, Message]] = []  # what is held until the cell's streams are through
        self.release_at: float | None = None
        self.kill_at: float | None = None
        self.lost = False  # whether the process with the variables was killed
        self.count = 0
        self.lines = LiveLines()

    def connect(self, connection: dict) -> None:
        """Opens the ports on which Jupyter expects this kernel."""
        self.begun = time.monotonic()
        self.front_wire = Wire(connection["key"])
        self.front = Front(self.context, connection)
        fronts = {
            self.front.shell: self.from_shell,
            self.front.control: self.from_control,
            self.front.stdin: lambda message: self.ask(self.back.stdin, message),
            self.front.hb: None,
        }
        for source in fronts:
            self.poller.register(source, zmq.POLLIN)
        self.routes |= fronts

    def step(self) -> None:
        """Passes on what has come, and does what is due."""
        if self.back.process.poll() is not None:
            log = (self.slot.folder / "kernel.log").read_text()[-2000:]
            sys.exit(f"The kernel ended by itself, and its variables are lost; restart it. Its last words: {log}")
        for source, _ in self.poller.poll(10 if self.release_at or self.kill_at else 100):
            while source.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                frames = source.recv_multipart()
                if self.front and source is self.front.hb:
                    source.send_multipart(frames)
                    continue
                wire = self.back_wire if source in vars(self.back).values() else self.front_wire
                message = wire.read(frames)
                if message:
                    self.routes[source](message)
        self.on_time()

    def send(self, channel: str, message: Message) -> None:
        """Sends to Jupyter."""
        if self.front:
            getattr(self.front, channel).send_multipart(self.front_wire.frames(message))

    def ask(self, to: zmq.Socket, message: Message) -> None:
        """Sends to evcxr."""
        to.send_multipart(self.back_wire.frames(message))

    def is_warm(self) -> bool:
        """Whether everything is loaded."""
        return self.ready and self.current is None and not self.queue

    def execute_silently(self, code: str) -> Message:
        """Puts a cell of our own before all that wait."""
        content = {"code": code, "silent": True, "store_history": False, "allow_stdin": False}
        message = new("execute_request", content)
        self.silent.add(message.id)
        self.queue.appendleft(message)
        return message

    def cells_waiting(self) -> list[Message]:
        """The user's cells that have not begun."""
        return [one for one in self.queue if one.kind == "execute_request" and one.id not in self.silent]

    def from_shell(self, message: Message) -> None:
        """A request of the user's: answered here if evcxr is not needed, else put in the row."""
        content = own_answer(message.kind)
        if content is None:
            self.queue.append(message)
        else:
            self.state("busy", message)
            self.send("shell", reply(message.kind.replace("request", "reply"), content, message))
            self.state("idle", message)

    def state(self, state: str, parent: Message) -> None:
        """Tells everybody whether the kernel works for this request."""
        self.send("iopub", new("status", {"execution_state": state}, parent))

    def from_control(self, message: Message) -> None:
        """Stop, end, or the question who we are."""
        self.state("busy", message)
        content = own_answer(message.kind) or {"status": "ok"}
        if message.kind == "interrupt_request":
            self.interrupt()
        elif message.kind == "shutdown_request":
            content["restart"] = message.content.get("restart", False)
        self.send("control", reply(message.kind.replace("request", "reply"), content, message))
        self.state("idle", message)
        if message.kind == "shutdown_request":
            sys.exit(0)

    def interrupt(self) -> None:
        """Asks the cell to stop, and drops those that wait; a second time within the patience kills at once."""
        for waiting in self.cells_waiting():
            self.queue.remove(waiting)
            self.abort(waiting)
        if self.current and self.current.kind == "execute_request" and self.current.id not in self.silent:
            if self.kill_at is None:
                self.slot.stop.touch()
            self.kill_at = time.monotonic() + (PATIENCE if self.kill_at is None else 0)

    def abort(self, request: Message) -> None:
        """Answers a cell that is not run, because one before it failed or was stopped."""
        self.state("busy", request)
        self.send("shell", reply("execute_reply", {"status": "aborted"}, request))
        self.state("idle", request)

    def from_back_shell(self, message: Message) -> None:
        """An answer of evcxr: a cell's is held until its streams are through."""
        if message.kind == "kernel_info_reply":
            return
        if message.kind == "execute_reply":
            self.end.append(("shell", message))
            self.hold()
        else:
            self.send("shell", message)

    def from_iopub(self, message: Message) -> None:
        """An output of evcxr, or the news that it is done."""
        if message.parent_id in self.silent and message.kind != "status":
            return
        if not self.ready:
            # The first sign of life. Its own first start is over, so the versions can be put back.
            self.ready = True
            self.slot.restore_versions()
            self.types = self.execute_silently(FIRST_VARIABLE)
            self.execute_silently(LIBRARY)
        elif self.current is None or message.parent_id != self.current.id:
            # Of a thread that outlives its cell, or of our own question for a sign of life.
            if message.kind == "stream":
                self.send("iopub", message)
        elif message.kind == "stream" and message.content["name"] == "stdout":
            for part in self.lines.take(message):
                self.send("iopub", part)
        elif message.kind == "execute_result" and message.content.get("data") == NOTHING:
            pass
        elif message.kind in ("execute_result", "error"):
            self.end.append(("iopub", message))
        elif message.kind == "status":
            if message.content["execution_state"] == "idle":
                self.end.append(("iopub", message))
                self.hold()
            elif self.current.id not in self.silent:
                self.send("iopub", message)
        else:
            self.send("iopub", self.counted(message))

    def counted(self, message: Message) -> Message:
        """The message with the number of the user's cells: evcxr counts ours as well."""
        if "execution_count" in message.content:
            message.content["execution_count"] = self.count
        return message

    def hold(self) -> None:
        """Starts the hold once the cell has ended on both channels; other requests have no answer to wait for."""
        idle = any(message.kind == "status" for _, message in self.end)
        answered = any(message.kind == "execute_reply" for _, message in self.end)
        if idle and (answered or self.current.kind != "execute_request"):
            self.release_at = time.monotonic() + (HOLD if answered else 0)

    def on_time(self) -> None:
        """What is due: the end of a cell, the next one, the end of patience."""
        now = time.monotonic()
        if not self.ready and now >= self.next_nudge:
            self.next_nudge = now + 0.3
            self.ask(self.back.shell, new("kernel_info_request", {}))
        if self.kill_at and now >= self.kill_at:
            self.kill_at = None
            if self.current and self.slot.stop.exists():
                self.slot.stop.unlink(missing_ok=True)
                self.lost = True
                self.ask(self.back.control, new("interrupt_request", {}))
        if self.release_at and now >= self.release_at:
            self.finish()
        if self.ready and self.current is None and self.queue:
            if self.queue[0] is self.types and self.cells_waiting():
                self.queue.popleft()  # the cell that waits need not have variables
            self.begin(self.queue.popleft())
        waiting = next(iter(self.cells_waiting()), None)
        if waiting and not self.count and self.noticed is None and now - self.begun > NOTICE:
            self.noticed = waiting
            note = "Loading the library; if it has changed, it is compiled first, which takes a minute.\n"
            self.send("iopub", new("stream", {"name": "stdout", "text": note}, waiting))

    def begin(self, request: Message) -> None:
        """Hands a request to evcxr."""
        self.current = request
        if request.kind == "execute_request":
            self.slot.stop.unlink(missing_ok=True)
            self.count += request.id not in self.silent
            if request is self.noticed:
                self.send("iopub", new("clear_output", {"wait": False}, request))
        self.ask(self.back.shell, request)

    def finish(self) -> None:
        """Sends what was held, and is ready for the next request."""
        self.release_at = self.kill_at = None
        self.slot.stop.unlink(missing_ok=True)
        request, self.current = self.current, None
        held, self.end = self.end, []
        failed = any(message.kind == "error" for _, message in held)
        if request.id not in self.silent:
            for to, message in held:
                if self.lost and message.kind == "error":
                    words = "Stopped. The variables are lost: run the cells again from the top."
                    message.content = {"ename": "Stopped", "evalue": words, "traceback": [words]}
                elif message.kind == "error":
                    # evcxr's number for the cell, where ours is meant.
                    lines = message.content.get("traceback", [])
                    message.content["traceback"] = [re.sub(r"command_\d+", f"cell {self.count}", line) for line in lines]
                self.send(to, self.counted(message))
        if self.lost:
            # The new process needs its panic message again.
            self.lost = False
            self.execute_silently((KERNEL / "warm_up.rs").read_text())
        if failed and request.content.get("stop_on_error", True) and request.id not in self.silent:
            for waiting in self.cells_waiting():
                self.queue.remove(waiting)
                self.abort(waiting)
