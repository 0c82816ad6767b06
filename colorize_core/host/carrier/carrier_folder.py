"""Carrier files in ComfyUI's input and output folders."""

from ...carrier.carrier import Carrier
from ...carrier.carrier_file import SUFFIX, read_carrier, write_carrier
from ..chosen_files import ChosenFiles
from ..saved_place import refused_names, saved_place

CARRIERS = ChosenFiles("carrier file", "Load Carrier", SUFFIX, "carriers")


def load_carrier(name: str) -> Carrier:
    """Load one of the choices of `CARRIERS`."""
    return read_carrier(CARRIERS.path(name))


def save_carrier(carrier: Carrier, prefix: str) -> dict[str, str]:
    """Save a carrier in the output folder under the next free number.

    Args:
        prefix: path below the output folder, as `saved_place` takes it.

    Returns:
        Where it lies, as ComfyUI tells of saved files: filename, subfolder, type.
    """
    with refused_names(prefix, "carrier", "Save Carrier"):
        place = saved_place(prefix, f"{CARRIERS.subfolder}/hero")
        file = f"{place.name}_{place.counter:05}_{SUFFIX}"
        write_carrier(carrier, place.folder / file)
    return place.told(file)
