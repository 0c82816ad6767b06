"""What goes wrong in the middle of things: the cancel button, lack of memory, failing nodes, models that go away.

The studio is that of tests/graph. `Trace` follows one piece of work tensor by tensor, so that a test can press cancel
at a chosen place of it and see afterwards that nothing it made is still held.
"""

import gc
import importlib.util
import itertools
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

#: What a run of ours makes and must not outlive it.
RUN_OBJECTS = (
    "SamplingRun",
    "UNetCall",
    "RegionIndex",
    "Projected",
    "InjectionRun",
    "InjectionCall",
    "Shot",
    "Frames",
)
#: Operations that set memory aside or name it anew, and leave its contents alone.
NO_WORK = ("empty", "empty_like", "new_empty", "set_", "lift_fresh", "reshape", "detach")


def _fixtures_of(folder: str) -> ModuleType:
    path = Path(__file__).parent.parent / folder / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"{folder}_fixtures", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


studio = _fixtures_of("graph").studio
_live_server = _fixtures_of("live_server")
pictures, pixels = _live_server.pictures, _live_server.pixels


class Faults:
    """Follows a piece of work, breaks it off, and looks at what is left of it.

    Example:
        >>> whole = faults.follow(work)
        >>> broken = faults.break_off(work, press_at=whole.before // 2)
        >>> assert broken.left() == []
    """

    def __init__(self, studio: Any) -> None:
        self.studio, self.torch = studio, studio.torch

    def trace(self, press_at: int | None = None) -> Any:
        """Return a context in which every tensor operation is counted and its results are watched.

        Args:
            press_at: how many values have been worked out when cancel is pressed, as the server's /interrupt does.
        """
        import comfy.model_management
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        Tensor = self.torch.Tensor

        class Trace(TorchDispatchMode):
            def __init__(self) -> None:
                super().__init__()
                #: Values worked out before and after cancel was pressed.
                self.before, self.after = 0, 0
                self.pressed = False
                self.made: list[weakref.ref] = []

            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                if press_at is not None and not self.pressed and self.before >= press_at:
                    comfy.model_management.interrupt_current_processing()
                    self.pressed = True
                result = func(*args, **(kwargs or {}))
                given = {id(leaf) for leaf in tree_leaves((args, kwargs))}
                results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
                self.made += [weakref.ref(tensor) for tensor in results if id(tensor) not in given]
                if not func.is_view and func.overloadpacket.__name__ not in NO_WORK:
                    values = sum(tensor.numel() for tensor in results)
                    if self.pressed:
                        self.after += values
                    else:
                        self.before += values
                return result

            def left(self, collect: bool = True) -> list[tuple[int, ...]]:
                """Shapes of the results that are still held; without `collect`, those in circles of references too."""
                if collect:
                    gc.collect()
                return [tuple(tensor.shape) for tensor in (ref() for ref in self.made) if tensor is not None]

        return Trace()

    def follow(self, work: Callable[[], Any]) -> Any:
        """Do the work to its end, twice so that all models are in place; return the trace of the second time."""
        work()
        with self.trace() as trace:
            work()
        return trace

    def break_off(self, work: Callable[[], Any], press_at: int | None = None, kind: type | None = None) -> Any:
        """Do the work, which must end in an error; return the trace, with no reference to the error.

        Args:
            press_at: see `trace`. kind: of the error; ComfyUI's own for a cancelled prompt unless given. Work that is
                done before it asks whether it is cancelled is no fault: ComfyUI stops before the next node.
        """
        import comfy.model_management

        kind = kind or comfy.model_management.InterruptProcessingException
        trace = self.trace(press_at)
        try:
            with trace:
                work()
        except kind as error:
            trace.message = str(error)
        else:
            assert comfy.model_management.processing_interrupted(), "nothing went wrong at all"
            comfy.model_management.interrupt_current_processing(False)
        assert not comfy.model_management.processing_interrupted()
        return trace

    def press(self) -> None:
        """Press cancel."""
        import comfy.model_management

        comfy.model_management.interrupt_current_processing()

    @contextmanager
    def at_call(self, module: Any, number: int, act: Callable[[], None]) -> Iterator[None]:
        """Act when a module begins its call of this number, 0 being the first."""
        calls = itertools.count()

        def before(*_: object) -> None:
            if next(calls) == number:
                act()

        handle = module.register_forward_pre_hook(before)
        try:
            yield
        finally:
            handle.remove()
        assert next(calls) > number, f"the module was called {next(calls) - 1} times only"

    def hooks(self) -> list[tuple[str, int]]:
        """List the hooks on all modules of the checkpoint, with their number."""
        colorizer = self.studio.colorizer
        patchers = [
            self.studio.model,
            colorizer.background_encoder,
            colorizer.style_encoder,
            colorizer.background_path,
            colorizer.style,
            self.studio.control_net.encoder,
            self.studio.vae.patcher,
            self.studio.clip_vision.patcher,
        ]
        return [
            (f"{type(patcher.model).__name__}.{name}", len(module._forward_pre_hooks) + len(module._forward_hooks))
            for patcher in patchers
            for name, module in patcher.model.named_modules()
            if module._forward_pre_hooks or module._forward_hooks
        ]

    def options(self, model: Any) -> str:
        """Write out a MODEL's options, patches and callbacks, for comparison."""
        return repr((model.model_options, model.patches, model.object_patches, model.wrappers, model.callbacks))

    def check_clean(self, trace: Any = None) -> None:
        """Nothing of a run is left: no state, no hook on a module, none of its tensors."""
        assert self.studio.alive(*RUN_OBJECTS) == []
        assert self.hooks() == []
        assert trace is None or trace.left() == []


@pytest.fixture(scope="session")
def faults(studio: Any) -> Faults:
    """Break work off, and look at what is left of it."""
    return Faults(studio)


@pytest.fixture(scope="session")
def coloured() -> Callable[..., tuple[Any, Any, Any]]:
    """A function: a studio -> (model, positive, negative) with split, background, style and a line map."""

    def prepare(studio: Any, batch: int = 1) -> tuple[Any, Any, Any]:
        carrier = studio.carrier("background_image", style=True)
        model, positive, negative = studio.apply(carrier, studio.mask())
        return model, *studio.sketch(positive, negative, studio.line_map(batch=batch))

    return prepare


@pytest.fixture(scope="session")
def fresh(host: SimpleNamespace, pack: Any, tiny_checkpoint: Any, studio: Any) -> Any:
    """The same checkpoint loaded a second time, in which nothing ever goes wrong."""
    return type(studio)(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name))
