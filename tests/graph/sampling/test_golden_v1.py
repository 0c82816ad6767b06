"""The published numbers of versions 1 and 1.5, through the nodes in a real ComfyUI (host in float32).

What is on in a case stands in the golden data's own parameters.
"""

import pytest
from golden_cases import as_image, check_injection, sample_with_guider, unet_call

TOLERANCE, LATENT_TOLERANCE, INJECTION_TOLERANCE = 2e-5, 1e-3, 1e-4
BLOCKS = [f"input_{i}" for i in (1, 2, 4, 5, 7, 8)] + ["middle_0"] + [f"output_{i}" for i in range(3, 12)]
BOTH_VERSIONS = ["plain", "background", "background_image", "thresholds", "scaled", "blocks", "text"]
CASES = [("mult", name) for name in BOTH_VERSIONS]
CASES += [
    ("switch", name) for name in (*BOTH_VERSIONS, "foreground", "foreground_scaled", "both", "both_background_image")
]
CASES += [("switch", "training_form")]
SAMPLES = [
    *(("mult", name) for name in ("plain", "plain_eps", "background", "background_eps", "background_image", "window")),
    *(("switch", name) for name in ("plain", "plain_eps", "background", "background_eps", "background_image", "both")),
]


class Graph:
    """Wires the cases of one version."""

    def __init__(self, pack, golden, loaded):
        self.pack, self.golden = pack, golden
        self.model, self.colorizer, self.control_net, self.vae, self.clip_vision = loaded
        names = ("reference", "background", "sketch")
        self.images = {name: as_image(golden[f"images/in/{name}"]) for name in names}
        self.masks = {name: golden[f"images/in/{name}_mask"][:, 0] for name in ("reference", "sketch")}

    def wire(self, param, form="published"):
        """Return (carrier, model, positive, negative) of a case with these parameters."""
        run, images = self.pack.run, self.images
        height, width = images["sketch"].shape[1:3]
        reference = images["reference"]
        (carrier,) = run("ColorizeEncodeReference", clip_vision=self.clip_vision, image=reference)
        if "text" in param:
            carrier = self.manipulate(carrier)
        if "bg_enhance" in param:
            own = "use_bg" in param
            theta = param["mask_threshold_ref"]
            bleach = {"image": reference, "mask": self.masks["reference"], "threshold": theta}
            (carrier,) = run(
                "ColorizeEncodeBackground",
                carrier=carrier,
                colorizer=self.colorizer,
                vae=self.vae,
                clip_vision=self.clip_vision,
                image=images["background"] if own else run("ColorizeBleach", **bleach)[0],
                width=width,
                height=height,
                source="background_image" if own else "bleached_reference",
                reference_threshold=theta,
            )
        inputs = {"split_form": "both" if {"fg_enhance", "bg_enhance"} <= set(param) else form}
        if {"fg_enhance", "bg_enhance"} & set(param):
            inputs["sketch_mask"] = self.masks["sketch"]
        told = {"threshold": "mask_threshold_sketch", "foreground_strength": "fg_scale", "merge": "merge_scale"}
        told |= {"background_strength": "bg_scale", "encoder_strength": "level.encoder"}
        told |= {"color_strength": "level.middle", "semantic_strength": "level.low"}
        told |= {"start_percent": "start", "end_percent": "end"}
        told |= {"ignore_start_percent": "ignore_start", "ignore_end_percent": "ignore_end"}
        inputs |= {ours: param[theirs] for ours, theirs in told.items() if theirs in param}
        if "blocks" in param:
            strengths = dict(zip(BLOCKS, param["blocks"], strict=True))
            (inputs["block_strengths"],) = run("ColorizeBlockStrengths", **strengths)
        patched, *conditionings = run(
            "ColorizeApply", model=self.model, colorizer=self.colorizer, carrier=carrier, **inputs
        )
        return carrier, patched, *self.sketch(*conditionings, images["sketch"], param.get("ctl_scale", 1.0))

    def manipulate(self, carrier):
        """Move the reference as the golden data's prompts do."""
        text = self.golden.group("text")
        prompts = {name: [[None, {"pooled_output": text[f"in/{name}"]}]] for name in ("target", "anchor", "control")}
        levels = {f"threshold_{i}": float(value) for i, value in enumerate(text["param/thresholds"])}
        scale, enhance = float(text["param/scale"]), bool(text["param/enhance"])
        inputs = {"carrier": carrier, "scale": scale, "enhance": enhance, **prompts, **levels}
        return self.pack.run("ColorizeManipulateTokens", **inputs)[0]

    def sketch(self, positive, negative, image, strength=1.0):
        """Send conditionings through Apply ControlNet."""
        inputs = {"control_net": self.control_net, "image": image, "strength": strength}
        inputs |= {"start_percent": 0.0, "end_percent": 1.0}
        return self.pack.run("ControlNetApplyAdvanced", positive=positive, negative=negative, **inputs)


def params(golden, group):
    return {key: value.tolist() for key, value in golden.group(f"{group}/param").items()}


@pytest.fixture(scope="module")
def golden_v1(golden, golden_folder):
    return type(golden)(golden_folder / "v1.safetensors")


@pytest.fixture(scope="module")
def graph(pack, golden_v1, load_v1):
    """A function: the graph of a version, for v or eps."""
    return lambda version, prediction="v": Graph(pack, golden_v1, load_v1(version, prediction))


@pytest.mark.parametrize(("version", "name"), CASES)
def test_case(graph, golden_v1, table, version, name):
    group, wired = f"{version}/case/{name}", graph(version)
    form = "trained" if name == "training_form" else "published"
    _, model, positive, negative = wired.wire(params(golden_v1, group), form=form)
    table.check(f"{group}/context", positive[0][0], golden_v1[f"{group}/out/context"], TOLERANCE)
    for row, kind in enumerate(("conditional", "reference-free")):
        x, t = (golden_v1[f"case/in/{key}"][row : row + 1] for key in ("x", "t"))
        ours = unet_call(model, positive, negative, x, t[0])[row : row + 1]
        table.check(f"{group}/v {kind}", ours, golden_v1[f"{group}/out/v"][row : row + 1], TOLERANCE)


@pytest.mark.thorough
@pytest.mark.parametrize(("version", "name"), SAMPLES)
def test_sample(host, graph, golden_v1, table, version, name):
    import comfy.sample

    group = f"{version}/sample/{name}"
    param = params(golden_v1, group)
    _, model, positive, negative = graph(version, "eps" if param["eps"] else "v").wire(
        param | ({"fg_enhance": 1.0} if name == "both" else {})
    )
    noise = golden_v1["sample/in/noise"]
    with host.torch.inference_mode():
        latent = comfy.sample.sample(
            model, noise, 6, param["cfg"], "euler", "normal", positive, negative, host.torch.zeros_like(noise)
        )
    ours = model.model.latent_format.process_in(latent)
    table.check(f"{group}/latent", ours, golden_v1[f"{group}/out/latent"], LATENT_TOLERANCE)


@pytest.mark.thorough
@pytest.mark.parametrize("version", ["mult", "switch"])
def test_dual_guidance(host, pack, graph, golden_v1, table, version):
    group, wired = f"{version}/sample/dual_guidance", graph(version)
    param = params(golden_v1, group)
    _, model, positive, negative = wired.wire(param)
    bare = [[positive[0][0], {}]]
    blank, _ = wired.sketch(bare, bare, wired.images["sketch"] * 0)
    scales = {"cfg_reference": param["cfg_reference"], "cfg_sketch": param["cfg_sketch"]}
    conds = {"positive": positive, "negative": negative, "blank_sketch": blank}
    (guider,) = pack.run("ColorizeGuider", model=model, **conds, **scales)
    given = {"in/noise": golden_v1["sample/in/noise"], "in/sigmas": golden_v1[f"{group}/in/sigmas"]}
    latent = model.model.latent_format.process_in(sample_with_guider(host, pack, guider, given))
    table.check(f"{group}/latent", latent, golden_v1[f"{group}/out/latent"], LATENT_TOLERANCE)


@pytest.mark.parametrize("version", ["mult", "switch"])
def test_attention_injection(pack, graph, golden_v1, table, version):
    name, wired = f"{version}/injection", graph(version)
    group = golden_v1.group(name) | {f"in/{key}": golden_v1[f"case/in/{key}"] for key in ("x", "t")}
    _, *patched = wired.wire({"bg_enhance": 1.0, "mask_threshold_ref": 0.5})
    check_injection(pack, table, name, group, patched, (wired.control_net, wired.vae), INJECTION_TOLERANCE)


@pytest.mark.thorough
@pytest.mark.parametrize("version", ["mult", "switch"])
def test_published_time_steps(pack, graph, golden_v1, table, version):
    group = f"{version}/default_sampler"
    _, model, positive, negative = graph(version).wire(params(golden_v1, group))
    sigmas, sampler = pack.run("ColorizeTimeSteps", model=model, steps=20)
    times = model.model.model_sampling.timestep(sigmas[:-1])
    assert times.tolist() == golden_v1[f"{group}/in/timesteps"].tolist()
    (guider,) = pack.run("CFGGuider", model=model, positive=positive, negative=negative, cfg=4.0)
    given = {"in/noise": golden_v1["sample/in/noise"], "in/sigmas": sigmas}
    latent = sample_with_guider(pack.host, pack, guider, given, sampler)
    ours = model.model.latent_format.process_in(latent)
    table.check(f"{group}/latent", ours, golden_v1[f"{group}/out/latent"], LATENT_TOLERANCE)
    part, _ = pack.run("ColorizeTimeSteps", model=model, steps=10, denoise=0.5)
    assert part.tolist() == sigmas[-11:].tolist()


def test_time_steps_beyond_the_schedule_are_told(pack, load_v1):
    model = load_v1("mult")[0]
    longest, _ = pack.run("ColorizeTimeSteps", model=model, steps=200, denoise=0.21)
    assert len(longest) == 201 and len(pack.run("ColorizeTimeSteps", model=model, denoise=0.0)[0]) == 0
    for steps, denoise in ((200, 0.2), (20, 0.01), (3, 1e-308)):
        with pytest.raises(pack.Error, match=r"`steps` is \d+ and `denoise` is .* Lower `steps` or raise `denoise`"):
            pack.run("ColorizeTimeSteps", model=model, steps=steps, denoise=denoise)
