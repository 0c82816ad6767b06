"""Whether the host waits for the device inside a step."""

from collections.abc import Mapping

from network import Case, Network
from tables import Table
from watches import DeviceWaits


def waiting(
    steps: Mapping[str, tuple[Network, Case]],
    name: str = "waiting",
    title: str = "Waiting for the device inside a step",
) -> Table:
    """Look for operations that wait in a step of a run after the first."""
    table = Table(
        name,
        title,
        "Operations of a step after the first for which the host would have to wait for a GPU: values asked for, "
        "boolean indices, copies from or to main memory.",
        {"step": "{}", "operations": "{}", "of these waiting": "{}"},
    )
    for what, (network, case) in steps.items():
        step = network.patched(case)
        step()
        with DeviceWaits() as waits:
            step()
        table.add(what, waits.seen, len(waits.found))
    return table
