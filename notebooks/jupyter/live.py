"""Turns marked lines of standard output into pictures, curves and bars in the cell that prints them.

The kernel (evcxr) itself sends one result at the end of a cell. The library prints a line of the byte 0x1e, `JUPYTER ` and a
JSON object instead, and the launcher sends what it says: `{"do": "display" | "update" | "clear", ...}`.
"""

import json
import re

from wire import Message, new

MARK = "\x1eJUPYTER "


class LiveLines:
    """Splits one cell's standard output into text and messages."""

    def __init__(self) -> None:
        self.held = ""  # the beginning of a marked line whose end has not come yet

    def take(self, stream: Message) -> list[Message]:
        """The messages to send for one message of the stream, in order."""
        found: list[Message] = []
        plain = ""
        whole, self.held = self.held + stream.content["text"], ""
        # Not splitlines(): to Python the byte 0x1e ends a line as well.
        for line in re.findall(r"[^\n]*\n|[^\n]+", whole):
            if line.startswith(MARK[0]) and not line.endswith("\n"):
                self.held = line
            elif line.startswith(MARK) and (message := display(line[len(MARK) :], stream)):
                if plain:
                    found.append(text(plain, stream))
                    plain = ""
                found.append(message)
            else:
                plain += line
        if plain:
            found.append(text(plain, stream))
        return found


def text(plain: str, stream: Message) -> Message:
    """A piece of the stream as it is."""
    message = new("stream", {"name": stream.content["name"], "text": plain})
    message.parent = stream.parent
    return message


def display(line: str, stream: Message) -> Message | None:
    """The message that a marked line asks for; none if it cannot be understood."""
    try:
        order = json.loads(line)
        do = order["do"]
        if do == "clear":
            message = new("clear_output", {"wait": bool(order.get("wait", False))})
        elif do in ("display", "update"):
            transient = {"display_id": order["id"]} if do == "update" or order.get("id") else {}
            content = {"data": order["data"], "metadata": order.get("metadata") or {}, "transient": transient}
            message = new("display_data" if do == "display" else "update_display_data", content)
        else:
            return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    message.parent = stream.parent
    return message
