"""Whether the host waits for the device inside a step."""

from collections.abc import Mapping

from network import Case, Network
from tables import Table
from watches import DeviceWaits


def waiting(network: Network, cases: Mapping[str, Case]) -> Table:
    """Look for operations that wait in a step of a run after the first."""
    table = Table(
        "waiting",
        "Waiting for the device inside a step",
        "Operations of a step after the first for which the host would have to wait for a GPU: values asked for, "
        "boolean indices, copies from or to main memory.",
        {"step": "{}", "operations": "{}", "of these waiting": "{}"},
    )
    for name, case in cases.items():
        step = network.patched(case)
        step()
        with DeviceWaits() as waits:
            step()
        table.add(name, waits.seen, len(waits.found))
    return table
