"""The published implementation's numbers through the nodes on a device; and runs whose weights go away in between."""

import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import comfy.model_management
import comfy.sample
import torch
from comfy.cli_args import args
from golden_cases import EXACT, TOLERANCE, relative_error, values_of_call
from golden_graphs import CASES, XL_CASES, V2Graph, XLGraph
from host_and_pack import GOLDEN, Golden, Pack, fill_of, keys_of, xl_tensors
from memory import MB

from .records import Journal, Row, reason

#: ComfyUI's arguments that say in which type a part computes.
PARTS = ("unet", "vae", "text_enc")
TYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
#: Models as tables call them, and XL's as the golden data does.
V2, STYLED = "v2", "XL v2-style"
MODELS = {"XL base": "base", STYLED: "v2"}
#: Euler steps of a run; after which of them weights are taken, counted from 0.
STEPS, TAKEN_AFTER = 4, 1
#: What the latent may differ by after that.
SAME = 1e-5


class Goldens:
    """The golden data's checkpoints, loaded in one type.

    Args:
        base_directory: of the ComfyUI, for models/checkpoints.
    """

    def __init__(self, host: SimpleNamespace, pack: Pack, base_directory: Path):
        self.host, self.pack, self.checkpoints = host, pack, base_directory / "models" / "checkpoints"
        self.v2_data, self.xl_data = (Golden(GOLDEN / f"{name}.safetensors") for name in ("pipeline", "xl"))

    def load(self, name: str, tensors: Callable[[], dict[str, Any]]) -> tuple[Any, ...]:
        """Load a checkpoint, written when it is first asked for."""
        from safetensors.torch import save_file

        path = self.checkpoints / name
        if not path.is_file():
            save_file(tensors(), str(path))
        return self.pack.run("ColorizeCheckpointLoader", ckpt_name=name, prediction="v")

    def v2(self) -> V2Graph:
        """Return version 2."""
        loaded = self.load("tiny-v2.safetensors", lambda: fill_of()(keys_of("tiny"), 0))
        return V2Graph(self.pack, loaded, self.v2_data)

    def xl(self, model: str) -> XLGraph:
        """Return one of XL's."""
        loaded = self.load(f"tiny-xl-{model}.safetensors", functools.partial(xl_tensors, model))
        return XLGraph(self.pack, loaded, self.xl_data)

    # --- golden cases ---

    def errors(self, model: str, few: bool) -> dict[str, float]:
        """Return the relative error of v by case, the worse of the two rows'."""
        found = {}
        if model == V2:
            graph = self.v2()
            for name in ["all"] if few else CASES:
                found[name] = self.worst(graph.wire(CASES[name]), self.v2_data.group(f"case/{name}"))
            return found
        xl, name_of_data = self.xl(MODELS[model]), MODELS[model]
        for name in ["background"] if few else XL_CASES:
            wired = xl.wire(xl.params(name_of_data, name))
            found[name] = self.worst(wired, self.xl_data.group(f"case/{name_of_data}/{name}"))
        return found

    @staticmethod
    def worst(wired: tuple[Any, ...], group: dict[str, Any]) -> float:
        """Return the worse error of a case's two rows."""
        return max(relative_error(ours, v) for _, ours, v in values_of_call(*wired[1:], group))

    def compare(self, dtype: str, journal: Journal, few: bool) -> None:
        """Compare all cases in one type."""
        compute_in(dtype)
        limit = EXACT if dtype == "float32" else TOLERANCE[dtype]
        for model in (V2, STYLED) if few else (V2, *MODELS):
            errors = self.errors(model, few)
            worst = max(errors, key=lambda name: errors[name])
            row = Row(f"golden cases, {model}, {dtype}", "worst relative error of v")
            row.values, row.form, row.limit = {"all on": errors[worst]}, "{:.1e}", f"{limit:.0e}"
            row.met, row.details = errors[worst] <= limit, errors
            row.note = f"case {worst}, of {len(errors)}; widths of the golden data"
            journal.row(row)
        comfy.model_management.unload_all_models()

    # --- weights that go away ---

    def pressed(self, journal: Journal, how: str, few: bool) -> None:
        """Take half of every model's weights from the device in mid-run, then all of them between runs.

        The plain UNet goes the same way, so that it can be told whose an error is.
        """
        compute_in("float32")
        v2, xl = self.v2(), self.xl("v2")
        works = {V2: (v2.model, v2.wire(CASES["all"]), self.v2_data["sample/all/in/noise"])}
        noise = self.xl_data["sample/v2/background/in/noise"]
        works[STYLED] = (xl.model, xl.wire(xl.params("v2", "background")), noise)
        for called, (bare, (_, patched, positive, negative), noise) in works.items():
            row = Row(f"{called}, {how}", "weights taken in mid-run: relative difference of the latent", form="{:.1e}")
            after = Row(f"{called}, {how}", "and in the next run, all taken before", form="{:.1e}")
            row.limit = after.limit = f"{SAME:.0e}"
            models = ({} if few else {"plain": bare}) | {"all on": patched}
            for column, model in models.items():
                sample = functools.partial(self.sample, model, positive, negative, noise)
                expected, taken = sample(), list[float]()
                try:
                    row.values[column] = relative_error(sample(take_half(taken)), expected)
                    row.note = f"{sum(taken) / MB:.1f} MB taken after {TAKEN_AFTER + 1} of {STEPS} steps"
                    comfy.model_management.unload_all_models()
                    after.values[column] = relative_error(sample(), expected)
                except Exception as error:
                    row.note, row.met = f"{column}: {reason(error)}", False
                comfy.model_management.unload_all_models()
            for each in (row, after):
                if "all on" in each.values and each.met is None:
                    each.met = each.values["all on"] <= SAME
                journal.row(each)

    def sample(self, model: Any, positive: Any, negative: Any, noise: Any, callback: Any = None) -> torch.Tensor:
        """Run ComfyUI's sampler."""
        options = {"callback": callback, "disable_pbar": True}
        with torch.inference_mode():
            latent = torch.zeros_like(noise)
            return comfy.sample.sample(
                model, noise, STEPS, 4.0, "euler", "normal", positive, negative, latent, **options
            ).cpu()


def take_half(taken: list[float]) -> Callable[..., None]:
    """Return a sampler's callback that takes half of what each model has on the device, as ComfyUI does in need."""

    def callback(step: int, *_: Any) -> None:
        if step == TAKEN_AFTER:
            for entry in list(comfy.model_management.current_loaded_models):
                patcher = entry.model
                taken.append(patcher.partially_unload(patcher.offload_device, patcher.loaded_size() // 2) or 0)

    return callback


def compute_in(dtype: str) -> None:
    """Let ComfyUI load models in a type from now on, and multiply float32 by float32's own precision."""
    for name, flag in TYPES.items():
        for part in PARTS:
            setattr(args, f"{flag}_{part}", name == dtype)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
