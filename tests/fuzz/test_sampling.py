"""A whole way to a latent on drawn inputs: carrier, Apply Colorization, line maps, and a sampler of two steps.

A right result is finite, has the latent's shape, and is the same when it is made again.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.thorough

#: What adds noise of its own, what looks back, what takes half steps, and what has its own time.
SAMPLERS = ("euler", "euler_ancestral", "dpmpp_2m_sde", "heun", "uni_pc", "lcm", "ddim")
ENDS = ("KSampler", "guider", "sequence")


@pytest.fixture
def ways(fuzzer):
    """Strategy of everything that is drawn for one way to a latent."""
    values = fuzzer.values
    apply_inputs = fuzzer.pack.node("ColorizeApply").INPUT_TYPES()

    @st.composite
    def way(draw: Callable) -> dict[str, Any]:
        batch = draw(st.sampled_from([1, 1, 2, 3]))
        fitting = st.sampled_from([1, batch])
        odd = draw(st.integers(0, 7)) == 0
        drawn: dict[str, Any] = {"end": draw(st.sampled_from(ENDS)), "sampler_name": draw(st.sampled_from(SAMPLERS))}
        drawn["latent"] = (batch, 4, draw(st.integers(1, 9)), draw(st.integers(1, 9)))
        drawn["steps"] = draw(st.integers(1, 2))
        drawn["cfg"], drawn["cfg_sketch"] = (draw(st.sampled_from([1.0, 2.5, 0.0])) for _ in range(2))
        drawn["carrier"] = draw(values.references({}, "carrier", odd))
        size = draw(values.sizes())
        kinds = [
            None,
            values.Numbers((draw(fitting), *size), draw(st.sampled_from(["random", "zeros", "ones", "wide"]))),
        ]
        drawn["sketch_mask"] = draw(st.sampled_from(kinds) if draw(st.integers(0, 9)) else values.masks({}, "", odd))
        drawn["settings"] = draw(numbers_of(apply_inputs))
        drawn["lines"] = draw(st.none() | values.pictures({}, "", False))
        drawn["injected"] = draw(values.pictures({}, "", False)) if draw(st.integers(0, 3)) == 0 else None
        drawn["chunk_size"] = draw(st.sampled_from([0, 1, 2]))
        return drawn

    @st.composite
    def numbers_of(draw: Callable, declared: dict[str, Any]) -> dict[str, Any]:
        """Numbers for some of a node's inputs, within their ranges."""
        specs = declared["required"] | declared["optional"]
        kinds = {name: values.strategy_of("ColorizeApply", name, spec) for name, spec in specs.items()}
        names = sorted(name for name, (kind, _) in kinds.items() if kind in ("INT", "FLOAT"))
        chosen = draw(st.lists(st.sampled_from(names), max_size=4, unique=True))
        return {name: draw(values.STRATEGIES[kinds[name][0]](kinds[name][1], name, False)) for name in chosen}

    return way()


class Way:
    """The graph from a carrier to a latent, wired as drawn."""

    def __init__(self, fuzzer: Any, drawn: dict[str, Any]) -> None:
        self.pack, self.studio, made = fuzzer.pack, fuzzer.workshop.studio, fuzzer.workshop.made
        self.drawn, self.parts = drawn, {}
        for name in ("carrier", "sketch_mask", "lines", "injected"):
            self.parts[name] = None if drawn[name] is None else made(drawn[name])
        self.parts["latent"] = self.studio.torch.zeros(drawn["latent"])

    def latent(self) -> Any:
        """Run the graph."""
        studio, drawn, parts = self.studio, self.drawn, self.parts
        model, positive, negative = studio.apply(parts["carrier"], parts["sketch_mask"], **drawn["settings"])
        blank = positive
        if parts["lines"] is not None:
            blank, _ = studio.sketch(positive, negative, parts["lines"] * 0)
            positive, negative = studio.sketch(positive, negative, parts["lines"])
        if parts["injected"] is not None:
            (model,) = self.pack.run("ColorizeAttentionInjection", model=model, control_net=studio.control_net,
                                     vae=studio.vae, image=parts["injected"], width=8 * drawn["latent"][3],
                                     height=8 * drawn["latent"][2])  # fmt: skip
        sampled = {"KSampler": self.by_ksampler, "guider": self.by_guider, "sequence": self.by_sequence}
        return sampled[drawn["end"]](model, positive, negative, blank)

    def common(self) -> dict[str, Any]:
        return {"steps": self.drawn["steps"], "scheduler": "normal", "denoise": 1.0}

    def by_ksampler(self, model: Any, positive: Any, negative: Any, blank: Any) -> Any:
        inputs = {"model": model, "positive": positive, "negative": negative, "cfg": self.drawn["cfg"], "seed": 3}
        inputs |= {"latent_image": {"samples": self.parts["latent"]}, "sampler_name": self.drawn["sampler_name"]}
        return self.pack.run("KSampler", **inputs, **self.common())[0]["samples"]

    def by_guider(self, model: Any, positive: Any, negative: Any, blank: Any) -> Any:
        run, drawn = self.pack.run, self.drawn
        scales = {"cfg_reference": drawn["cfg"], "cfg_sketch": drawn["cfg_sketch"]}
        wires = {"model": model, "positive": positive, "negative": negative, "blank_sketch": blank}
        (guider,) = run("ColorizeGuider", **wires, **scales)
        (noise,) = run("RandomNoise", noise_seed=3)
        (sampler,) = run("KSamplerSelect", sampler_name=drawn["sampler_name"])
        (sigmas,) = run("BasicScheduler", model=model, **self.common())
        inputs = {"noise": noise, "guider": guider, "sampler": sampler, "sigmas": sigmas}
        return run("SamplerCustomAdvanced", **inputs, latent_image={"samples": self.parts["latent"]})[0]["samples"]

    def by_sequence(self, model: Any, positive: Any, negative: Any, blank: Any) -> Any:
        drawn = self.drawn
        inputs = {"model": model, "positive": positive, "negative": negative, "blank_sketch": blank, "seed": 3}
        inputs |= {"latent_image": {"samples": self.parts["latent"]}, "chunk_size": drawn["chunk_size"]}
        inputs |= {name: drawn[name] for name in ("sampler_name", "cfg", "cfg_sketch")}
        return self.pack.run("ColorizeSampleSequence", **inputs, **self.common())[0]["samples"]


def test_any_way_to_a_latent(fuzzer, ways, examples):
    @examples(1.0)
    @given(drawn=ways)
    def try_way(drawn: dict[str, Any]) -> None:
        way = Way(fuzzer, drawn)
        fuzzer.try_work(way.latent, way.parts, f"{drawn['end']} after Apply Colorization", check)

    def check(latent: Any, parts: dict[str, Any]) -> None:
        assert latent.shape == parts["latent"].shape and latent.isfinite().all()

    try_way()
    print(f"{fuzzer.right} runs, {fuzzer.refusals.total()} refusals:", *fuzzer.refusals, sep="\n")
    assert fuzzer.right > fuzzer.refusals.total(), "most of what is drawn should go together"
