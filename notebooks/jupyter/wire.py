"""Jupyter's messages as they go over the sockets: read, made, signed."""

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone

DELIMITER = b"<IDS|MSG>"


@dataclass
class Message:
    """One message: whom it is for or from, what it is, which request it belongs to."""

    header: dict
    parent: dict
    content: dict
    metadata: dict = field(default_factory=dict)
    identities: list[bytes] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The message's type."""
        return self.header.get("msg_type", "")

    @property
    def id(self) -> str:
        """The message's own id."""
        return self.header.get("msg_id", "")

    @property
    def parent_id(self) -> str:
        """The id of the request that this message answers."""
        return self.parent.get("msg_id", "")


class Wire:
    """Signs and reads messages with the key of one kernel."""

    def __init__(self, key: str):
        self.key = key.encode()

    def sign(self, parts: list[bytes]) -> bytes:
        """The signature over the four parts."""
        if not self.key:
            return b""
        return hmac.new(self.key, b"".join(parts), hashlib.sha256).hexdigest().encode()

    def read(self, frames: list[bytes]) -> Message | None:
        """The message in these frames; none if it is damaged or the signature is wrong."""
        if DELIMITER not in frames:
            return None
        at = frames.index(DELIMITER)
        parts = frames[at + 2 : at + 6]
        if len(parts) < 4 or not hmac.compare_digest(self.sign(parts), frames[at + 1]):
            return None
        header, parent, metadata, content = (json.loads(part) for part in parts)
        return Message(header, parent or {}, content, metadata, frames[:at])

    def frames(self, message: Message) -> list[bytes]:
        """The message as frames."""
        whole = (message.header, message.parent, message.metadata, message.content)
        parts = [json.dumps(part).encode() for part in whole]
        return [*message.identities, DELIMITER, self.sign(parts), *parts]


def new(kind: str, content: dict, parent: Message | None = None) -> Message:
    """A message of our own; as an answer to `parent` if there is one."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": parent.header.get("session", "") if parent else uuid.uuid4().hex,
        "username": "toalign",
        "date": datetime.now(timezone.utc).isoformat(),
        "version": "5.3",
    }
    return Message(header, parent.header if parent else {}, content)


def reply(kind: str, content: dict, request: Message) -> Message:
    """An answer that finds its way back to whoever asked."""
    answer = new(kind, content, request)
    answer.identities = list(request.identities)
    return answer
