"""The device that ComfyUI has chosen, and how its kind is timed and watched: the one place where kinds differ."""

import itertools
import platform
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import comfy.model_management
import torch
from clock import seconds
from memory import peak_growth
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from watches import DeviceWaits, LiveBytes, Operators

Work = Callable[[], Any]


class Backend:
    """A device: cuda (CUDA and ROCm), xpu, mps, or the processor.

    Attributes:
        module: torch's module for it; None for the processor.
    """

    def __init__(self) -> None:
        self.device: torch.device = comfy.model_management.get_torch_device()
        self.is_processor = self.device.type == "cpu"
        self.module: ModuleType | None = None if self.is_processor else getattr(torch, self.device.type)

    def dtypes(self) -> tuple[torch.dtype, ...]:
        """Return what steps are measured in."""
        return (torch.bfloat16,) if self.is_processor else (torch.float16, torch.bfloat16)

    def describe(self) -> dict[str, Any]:
        """Say what the device is."""
        name = platform.processor() or platform.machine()
        if not self.is_processor:
            name = comfy.model_management.get_torch_device_name(self.device)
        return {
            "card": name,
            "kind_of_device": self.device.type,
            "memory, MB": round(comfy.model_management.get_total_memory(self.device) / 1e6),
            "driver": self.driver(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "rocm": torch.version.hip,
            "system": platform.platform(),
            "python": platform.python_version(),
        }

    def driver(self) -> str | None:
        """Return the driver's version where PyTorch or NVIDIA's own program tells it."""
        program = shutil.which("nvidia-smi") if torch.version.cuda and self.device.type == "cuda" else None
        if program:
            query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
            told = subprocess.run(query, capture_output=True, text=True, timeout=30).stdout.split()
            return told[0] if told else None
        if self.module is not None and hasattr(self.module, "get_device_properties"):
            return getattr(self.module.get_device_properties(self.device), "driver_version", None)
        return None

    def synchronize(self) -> None:
        """Wait until all is done."""
        if self.module is not None:
            self.module.synchronize()

    def forget(self) -> None:
        """Give cached memory back."""
        if self.module is not None and hasattr(self.module, "empty_cache"):
            self.module.empty_cache()

    # --- time ---

    def times(self, works: Sequence[Work], before: Work | None = None) -> list[float]:
        """Return the seconds of each piece of work, one right after the other, by the device's own clock.

        Nothing is waited for before the last has been handed to the device. On the processor: seconds of processor
        time.

        Args:
            before: what keeps the device busy first, so that no time is counted until it has work waiting.
        """
        if self.module is None:
            return [seconds(work)[0] for work in works]
        if not hasattr(self.module, "Event"):
            return [self.passed(work) for work in works]
        marks = [self.module.Event(enable_timing=True) for _ in range(len(works) + 1)]
        if before is not None:
            before()
        marks[0].record()
        for work, mark in zip(works, marks[1:], strict=True):
            work()
            mark.record()
        self.synchronize()
        return [a.elapsed_time(b) / 1000 for a, b in itertools.pairwise(marks)]

    def passed(self, work: Work) -> float:
        """Return the seconds that pass until work is done."""
        self.synchronize()
        start = time.perf_counter()
        work()
        self.synchronize()
        return time.perf_counter() - start

    # --- memory ---

    def peak(self, work: Work) -> tuple[int | None, str]:
        """Return the bytes that work takes at most beside what is there already, and how they were measured."""
        if self.is_processor:
            return peak_growth(work), "growth of the process"
        self.synchronize()
        self.forget()
        module: Any = self.module
        if not hasattr(module, "reset_peak_memory_stats"):
            with LiveBytes(self.device) as live:
                work()
            return live.peak, "tensors counted"
        before = module.memory_allocated(self.device)
        module.reset_peak_memory_stats(self.device)
        work()
        self.synchronize()
        return module.max_memory_allocated(self.device) - before, "the allocator's own peak"

    # --- what is launched, and waited for ---

    def kernels(self, work: Work) -> int | None:
        """Count the kernels that work launches, copies and fills of memory left out; None where nothing tells."""
        activity = {"cuda": "CUDA", "xpu": "XPU"}.get(self.device.type)
        if activity is None or not hasattr(ProfilerActivity, activity):
            return None
        with profile(activities=[ProfilerActivity.CPU, getattr(ProfilerActivity, activity)]) as profiler:
            work()
            self.synchronize()
        names = [
            event.name
            for event in profiler.events()
            if event.device_type != DeviceType.CPU and not getattr(event, "is_user_annotation", False)
        ]
        return sum(not name.startswith(("Memcpy", "Memset")) for name in names) or None

    def operators(self, work: Work) -> Operators:
        """Count the operations that compute something."""
        with Operators() as operators:
            work()
        return operators

    def waits(self, work: Work) -> tuple[list[str], str]:
        """Return where work makes the host wait for the device, and what has looked.

        With CUDA and ROCm the driver's own check breaks work off at the first; elsewhere the pack's watch goes through
        all operations.
        """
        if self.device.type != "cuda":
            with DeviceWaits() as watch:
                work()
            return watch.found, "watched operations"
        self.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            work()
        except RuntimeError as error:
            torch.cuda.set_sync_debug_mode("default")
            if "synchroniz" not in str(error):
                raise
            return [caller(error)], "set_sync_debug_mode"
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return [], "set_sync_debug_mode"


def caller(error: BaseException) -> str:
    """Name the last call of ComfyUI's or ours that led to an error."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if any(part in frame.filename for part in ("colorize_core", "comfy"))]
    frame = (own or list(frames))[-1]
    return f"{frame.filename.replace(chr(92), '/').rsplit('/', 1)[-1]}:{frame.lineno} {frame.line}"
