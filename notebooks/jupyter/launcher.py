"""The kernel that Jupyter starts: a process that runs evcxr behind itself; see `relay.py` for what it does between the two.

With a connection file it is a lesson's kernel: one in reserve if there is one (`spare.py`), else its own. With `--spare` it is
one in reserve; with `--early` too, only where the template needs no work.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import spare
from relay import Relay

# With so many cores two kernels load as fast as one; with fewer they load one after the other.
MANY_CORES = 4
# A lesson that found no kernel in reserve has one prepared after so many seconds, when its own first cells are through.
BREATH = 20.0


def wait_for_lesson(relay: Relay) -> spare.Offer:
    """Waits in reserve, loading, until a lesson takes this kernel."""
    offer = spare.Offer(relay.slot.folder)
    if (os.cpu_count() or 1) >= MANY_CORES:
        spare.top_up()
    announced = False
    while (connection := offer.taken()) is None:
        relay.step()
        if relay.is_warm() and not announced:
            announced = True
            offer.warm()
            spare.top_up()
    relay.connect(connection)
    return offer


def serve(relay: Relay, offer: spare.Offer | None) -> None:
    """Is a lesson's kernel until Jupyter ends it."""
    begun = time.monotonic()
    refilled = offer is not None
    while not (offer and offer.abandoned()) and not spare.server_is_gone():
        relay.step()
        if not refilled and relay.ready and time.monotonic() - begun > BREATH:
            refilled = True
            spare.top_up()


def main() -> None:
    """Runs a kernel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # stopping comes as a message
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    in_reserve = sys.argv[1] == "--spare"
    if "--early" in sys.argv and not spare.template_is_current():
        return
    connection = {} if in_reserve else json.loads(Path(sys.argv[1]).read_text())
    if not in_reserve and spare.adopt(connection):
        return
    relay = Relay()
    try:
        if in_reserve:
            serve(relay, wait_for_lesson(relay))
        else:
            relay.connect(connection)
            serve(relay, None)
    finally:
        relay.back.end()
        relay.context.destroy(linger=500)


if __name__ == "__main__":
    main()
