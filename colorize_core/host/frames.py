"""Batches worked through frame by frame."""

from collections.abc import Iterator

import comfy.model_management
import comfy.utils


def each_frame(count: int) -> Iterator[int]:
    """Yield 0 … count - 1 with a progress bar, until the user cancels."""
    progress = comfy.utils.ProgressBar(count)
    for index in range(count):
        comfy.model_management.throw_exception_if_processing_interrupted()
        yield index
        progress.update(1)
