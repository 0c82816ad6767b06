"""What goes wrong in the middle of things: the cancel button, lack of memory, failing nodes, models that go away.

The studio is that of tests/graph. `Trace` follows one piece of work tensor by tensor, so that a test can press cancel
at a chosen place of it and see afterwards that nothing it made is still held.
"""

import gc
import itertools
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from module_files import fixtures_of

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


_graph = fixtures_of("graph")
studio, load_xl, studios_xl, studio_xl_v2 = _graph.studio, _graph.load_xl, _graph.studios_xl, _graph.studio_xl_v2
_live_server = fixtures_of("live_server")
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
                if press_at is not None and not self.pressed and self.before >= press_at:
                    comfy.model_management.interrupt_current_processing()
                    self.pressed = True
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

    def break_off(
        self, work: Callable[[], Any], press_at: int | None = None, kind: type[BaseException] | None = None
    ) -> Any:
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
        patchers = [
            self.studio.model,
            *(part for part in vars(self.studio.colorizer).values() if hasattr(part, "model")),
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
def run_objects() -> tuple[str, ...]:
    """Names of the classes that a run of ours makes and must not outlive it."""
    return RUN_OBJECTS


@pytest.fixture(scope="session")
def faults(studio: Any) -> Faults:
    """Break work off, and look at what is left of it."""
    return Faults(studio)


@pytest.fixture(scope="session")
def faults_xl(studio_xl_v2: Any) -> Faults:
    """The same with XL's v2-style model."""
    return Faults(studio_xl_v2)


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


# --- a server ---

SIZE = 128
#: The cache holds what the last prompt needed and no more: newer hosts keep older results too, while memory lasts.
FLAGS = ("--cpu", "--fp32-unet", "--fp32-vae", "--fp32-text-enc", "--cache-classic")
#: glibc keeps freed memory of tensors for later unless told to give large pieces back at once; without this, what a
#: process holds cannot be told from what it held once.
GIVE_MEMORY_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}


@pytest.fixture(scope="session")
def start_server(
    comfyui_path: Path,
    new_base_directory: Callable[[], Path],
    tiny_checkpoint: Path,
    comfyui_server: ModuleType,
    pictures: dict[str, Path],
) -> Callable[[], Any]:
    """A function that makes a server with the pack, the user's faulty nodes, the tiny checkpoint and the pictures."""

    def start() -> Any:
        base = new_base_directory()
        (base / "models" / "checkpoints" / tiny_checkpoint.name).symlink_to(tiny_checkpoint)
        (base / "custom_nodes" / "fault_pack").symlink_to(Path(__file__).parent / "fault_pack")
        for name, path in pictures.items():
            shutil.copy(path, base / "input" / f"{name}.png")  # newer ComfyUI opens no links that lead elsewhere
        return comfyui_server.Server(comfyui_path, base, list(FLAGS), environment=GIVE_MEMORY_BACK)

    return start


class Prompts:
    """Prompts in API format, from the checkpoint to a saved latent and picture.

    Example:
        >>> prompt = prompts.split(seed=4)
        >>> prompts.change(prompt, "sampler", steps=30)
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def _node(self, class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    def plain(self, seed: int = 1) -> dict[str, Any]:
        """KSampler with the MODEL as it was loaded, on nothing but the reference's tokens."""
        node = self._node
        return {
            "loader": node("ColorizeCheckpointLoader", ckpt_name=self.checkpoint, prediction="auto"),
            "reference": node("LoadImage", image="reference.png"),
            "tokens": node("ColorizeEncodeReference", clip_vision=["loader", 4], image=["reference", 0]),
            "apply": self._apply(["tokens", 0], merge=0.0),
            "empty": node("EmptyLatentImage", width=SIZE, height=SIZE, batch_size=1),
            "sampler": self._sampler(["loader", 0], ["apply", 1], ["apply", 2], seed),
            "decode": node("VAEDecode", samples=["sampler", 0], vae=["loader", 3]),
            "picture": node("SaveImage", images=["decode", 0], filename_prefix="faults"),
            "latent": node("SaveLatent", samples=["sampler", 0], filename_prefix="faults"),
        }

    def split(self, seed: int = 1, reference: str = "reference", merge: float = 0.0) -> dict[str, Any]:
        """Everything on: split attention, background, style, line map."""
        node, parts = self._node, {"colorizer": ["loader", 1], "vae": ["loader", 3], "clip_vision": ["loader", 4]}
        sizes = {"width": SIZE, "height": SIZE}
        prompt = self.plain(seed) | {
            "reference": node("LoadImage", image=f"{reference}.png"),
            "drawing": node("LoadImage", image="drawing.png"),
            "background": node(
                "ColorizeEncodeBackground",
                carrier=["tokens", 0],
                image=["reference", 0],
                source="background_image",
                strength=1.0,
                **parts,
                **sizes,
            ),
            "style": node(
                "ColorizeEncodeStyle", carrier=["background", 0], image=["reference", 0], merge=0.0, **parts, **sizes
            ),
            "apply": self._apply(["style", 0], merge=merge, sketch_mask=["drawing", 1]),
            "lines": node("ColorizePrepareSketch", image=["drawing", 0], lines="dark_on_light", **sizes),
            "sketch": node(
                "ControlNetApplyAdvanced",
                positive=["apply", 1],
                negative=["apply", 2],
                control_net=["loader", 2],
                image=["lines", 0],
                strength=1.0,
                start_percent=0.0,
                end_percent=1.0,
            ),
        }
        return prompt | {"sampler": self._sampler(["apply", 0], ["sketch", 0], ["sketch", 1], seed)}

    def injected(self, seed: int = 1) -> dict[str, Any]:
        """Plain reference attention of another reference, and attention injection."""
        inputs = {"control_net": ["loader", 2], "vae": ["loader", 3], "image": ["reference", 0], "seed": 5}
        inputs |= {"width": SIZE, "height": SIZE, "fidelity": 0.5, "sketch_fidelity": 0.5, "start_percent": 0.0}
        return self.plain(seed) | {
            "reference": self._node("LoadImage", image="other_reference.png"),
            "inject": self._node("ColorizeAttentionInjection", model=["apply", 0], **inputs),
            "sampler": self._sampler(["inject", 0], ["apply", 1], ["apply", 2], seed),
        }

    def change(self, prompt: dict[str, Any], node: str, **inputs: Any) -> dict[str, Any]:
        """Return a prompt in which a node has other inputs."""
        return prompt | {node: {**prompt[node], "inputs": prompt[node]["inputs"] | inputs}}

    def insert(self, prompt: dict[str, Any], before: str, name: str, class_type: str, **inputs: Any) -> dict[str, Any]:
        """Return a prompt with another node in the wire that ends at `before`, whose input is called `name`."""
        inputs[name] = prompt[before]["inputs"][name]
        return self.change(prompt, before, **{name: ["inserted", 0]}) | {"inserted": self._node(class_type, **inputs)}

    def _apply(self, carrier: list[Any], merge: float, **more: Any) -> dict[str, Any]:
        strengths = dict.fromkeys(("foreground_strength", "background_strength", "encoder_strength"), 1.0)
        strengths |= dict.fromkeys(("color_strength", "semantic_strength", "end_percent"), 1.0)
        inputs = {"model": ["loader", 0], "colorizer": ["loader", 1], "carrier": carrier, "threshold": 0.05}
        return self._node("ColorizeApply", **inputs, **strengths, start_percent=0.0, merge=merge, **more)

    def _sampler(self, model: list[Any], positive: list[Any], negative: list[Any], seed: int) -> dict[str, Any]:
        inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": ["empty", 0]}
        settings = {"steps": 3, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
        return self._node("KSampler", **inputs, **settings, seed=seed)


@pytest.fixture(scope="session")
def prompts(tiny_checkpoint: Path) -> Prompts:
    """Prompts for the tiny checkpoint."""
    return Prompts(tiny_checkpoint.name)


@pytest.fixture(scope="session")
def result(pixels: Callable[[bytes], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A function: (server, run) -> the latent [B, 4, h, w] and the picture [H, W, 3] that the run has saved."""
    from safetensors.torch import load_file

    def read(server: Any, run: Any) -> tuple[Any, Any]:
        (saved,) = run.outputs["latent"]["latents"]
        latent = load_file(str(server.base_directory / "output" / saved["subfolder"] / saved["filename"]))
        (picture,) = server.fetch_images(run)
        return latent["latent_tensor"], pixels(picture)

    return read
