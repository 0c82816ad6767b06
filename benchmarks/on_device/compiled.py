"""Steps that ComfyUI's own wrapper has compiled by torch.compile, beside the same steps as they are."""

import statistics

import torch
from network import Step

from .backend import Backend
from .records import Journal, NotHere, Row
from .steps import EVERYTHING, MODELS, PLAIN, TINY, type_name

#: ComfyUI's own choice, and what follows the same ways without a compiler's minutes.
BACKEND, TINY_BACKEND = "inductor", "eager"
#: Steps that are timed each way.
ROUNDS = 10


class ModelStep:
    """A step as ComfyUI's sampler asks for it: through the MODEL and the wrappers of its calls.

    Args:
        wrappers: of the MODEL's calls, beside the step's own, by their key.
    """

    def __init__(self, model: torch.nn.Module, step: Step, wrappers: dict[str, list]):
        self.model, self.step = model, step
        kinds = dict(step.options["wrappers"])
        kinds["apply_model"] = {**kinds.get("apply_model", {}), **wrappers}
        self.options = {**step.options, "wrappers": kinds}
        self.sigma = torch.ones(len(step.x), device=step.device)

    def __call__(self) -> torch.Tensor:
        """Call the model."""
        with torch.inference_mode():
            return self.model.apply_model(
                self.step.x, self.sigma, c_crossattn=self.step.context, transformer_options=dict(self.options)
            )


def measure(backend: Backend, journal: Journal, tiny: bool) -> None:
    """Compile version 2 with everything on, then the plain one, and time both ways."""
    try:
        from comfy_api.torch_helpers import set_torch_compile_wrapper
        from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
    except ImportError as error:
        raise NotHere("This ComfyUI has no wrapper for torch.compile.") from error
    model, dtype = MODELS["v2"], backend.dtypes()[0]
    case = model.case.but(size=TINY) if tiny else model.case
    network = model.build(backend.device, dtype, "tiny" if tiny else "full")
    chosen = TINY_BACKEND if tiny else BACKEND
    compiler = network.patcher.clone()
    set_torch_compile_wrapper(compiler, backend=chosen)
    wrappers = {COMPILE_KEY: compiler.get_wrappers("apply_model", COMPILE_KEY)}
    of = f"{model.name}, {case.size}², {type_name(dtype)}{', tiny widths' if tiny else ''}, compiled ({chosen})"
    steps = {EVERYTHING: network.patched(case)} | ({} if tiny else {PLAIN: network.plain(case)})
    for column, step in steps.items():
        usual, compiled = (ModelStep(network.patcher.model, step, added) for added in ({}, wrappers))
        expected = usual()
        first = backend.passed(compiled)
        ours = compiled()  # once more: the run's constants are there now, and what meets them may be compiled anew
        difference = float((ours.float() - expected.float()).norm() / expected.float().norm())
        times = [backend.times([usual, compiled], before=usual) for _ in range(2 if tiny else ROUNDS)]
        ratio = statistics.median(after / before for before, after in times)
        # What is known is told at once: the other may not come.
        journal.row(Row(of, "time of a step, against not compiled", {column: ratio}, "{:.3f} ×"))
        journal.row(Row(of, "seconds of the first step, compiling", {column: first}, "{:.1f}"))
        journal.row(Row(of, "relative difference to not compiled", {column: difference}, "{:.1e}"))
