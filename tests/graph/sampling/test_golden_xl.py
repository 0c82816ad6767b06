"""The published XL implementation's numbers, through the nodes in a real ComfyUI (host in float32).

What is on in a case stands in the golden data's own parameters.
"""

import copy

import pytest
from golden_cases import as_image, check_injection, sample_with_guider, unet_call

TOLERANCE, LATENT_TOLERANCE = 2e-5, 1e-3
STEPS, CFG = 6, 5.0
MODELS = ["base", "v2"]
CASES = ["plain", "background", "background_image", "merge", "strengths", "thresholds", "scaled"]
SAMPLES = {
    "base": ["plain", "background", "background_image"],
    "v2": ["plain", "background", "background_image", "merge"],
}


class Graph:
    """Wires the cases of one model."""

    def __init__(self, pack, loaded, golden):
        self.pack, self.golden = pack, golden
        self.model, self.colorizer, self.control_net, self.vae, self.clip_vision = loaded
        names = ("reference", "background", "sketch")
        self.images = {name: as_image(golden[f"images/in/{name}"]) for name in names}
        self.masks = {name: golden[f"images/in/{name}_mask"][:, 0] for name in ("reference", "sketch")}
        self.height, self.width = self.images["sketch"].shape[1:3]

    def params(self, model, name):
        """Return a case's parameters, numbers as numbers."""
        group = self.golden.group(f"case/{model}/{name}/param")
        return {key: value.tolist() for key, value in group.items()}

    def picture(self, name, threshold=0.5):
        """Return the reference, the background or the bleached reference."""
        if name != "bleached":
            return self.images[name]
        mask = self.masks["reference"]
        return self.pack.run("ColorizeBleach", image=self.images["reference"], mask=mask, threshold=threshold)[0]

    def reference(self, picture):
        """Encode a reference."""
        inputs = {"clip_vision": self.clip_vision, "colorizer": self.colorizer}
        return self.pack.run("ColorizeEncodeReference", image=picture, **inputs)[0]

    def background(self, carrier, param):
        """Encode the background of a case."""
        own = bool(param["use_bg"])
        return self.pack.run(
            "ColorizeEncodeBackground",
            carrier=carrier,
            colorizer=self.colorizer,
            vae=self.vae,
            clip_vision=self.clip_vision,
            image=self.picture("background") if own else self.picture("bleached", param["mask_ts"]),
            width=self.width,
            height=self.height,
            source="background_image" if own else "bleached_reference",
            sketch_mask=self.masks["sketch"],
            image_mask=self.masks["reference"],
        )[0]

    def wire(self, param):
        """Return (carrier, model, positive, negative)."""
        carrier = self.reference(self.images["reference"])
        inputs = {}
        if param["bg_enhance"]:
            carrier = self.background(carrier, param)
            inputs["sketch_mask"] = self.masks["sketch"]
        levels = {"encoder": "encoder", "color": "middle", "semantic": "low"}
        inputs |= {
            f"{ours}_strength": param.get(f"level.{theirs}", param["strength"]) for ours, theirs in levels.items()
        }
        inputs |= {"foreground_strength": param["fg_strength"], "background_strength": param["bg_strength"]}
        inputs |= {"merge": param["merge_scale"], "threshold": param["mask_ss"]}
        model, *conditionings = self.pack.run(
            "ColorizeApply", model=self.model, colorizer=self.colorizer, carrier=carrier, **inputs
        )
        scales = {f"hint_{number}": scale for number, scale in enumerate(param["ctl_scale"])}
        (control,) = self.pack.run("ColorizeHintStrengths", control_net=self.control_net, **scales)
        return carrier, model, *self.sketch(*conditionings, self.images["sketch"], control)

    def sketch(self, positive, negative, image, control=None):
        """Send conditionings through Apply ControlNet."""
        inputs = {"control_net": control or self.control_net, "image": image, "strength": 1.0}
        inputs |= {"start_percent": 0.0, "end_percent": 1.0}
        return self.pack.run("ControlNetApplyAdvanced", positive=positive, negative=negative, **inputs)


@pytest.fixture(scope="module")
def graphs(pack, load_xl, golden_xl):
    return {model: Graph(pack, load_xl(model), golden_xl) for model in MODELS}


@pytest.mark.parametrize("name", ["reference", "background", "bleached"])
def test_tokens(graphs, golden_xl, table, name):
    carrier = graphs["base"].reference(graphs["base"].picture(name))
    table.check(f"xl encoders/{name}", carrier.tokens, golden_xl[f"encoders/{name}/out/tokens"], TOLERANCE)
    assert carrier.class_token is None


@pytest.mark.parametrize("name", ["sketch_hints", "blank_sketch_hints"])
def test_hints(host, graphs, golden_xl, table, name):
    torch, graph = host.torch, graphs["base"]
    image = graph.images["sketch"] * (not name.startswith("blank"))
    positive, _ = graph.sketch([[torch.zeros(1, 1, 256), {}]], [[torch.zeros(1, 1, 256), {}]], image)
    with torch.inference_mode():
        hints = positive[0][1]["control"].get_control(torch.zeros(1, 4, 24, 16), torch.ones(1), {}, 1, {})["input"]
    assert [i for i, hint in enumerate(hints[::-1]) if hint is not None] == [0, 3, 6, 8]
    for i, block in enumerate((0, 3, 6, 8)):
        table.check(f"xl {name}/{i}", hints[::-1][block], golden_xl[f"{name}/out/{i}"], TOLERANCE)


@pytest.mark.parametrize("name", ["background", "background_image"])
def test_background_encoder(graphs, golden_xl, table, name):
    graph = graphs["v2"]
    carrier = graph.background(graph.reference(graph.images["reference"]), graph.params("v2", name))
    assert len(carrier.background_features) == 36
    for number, states in enumerate(carrier.background_features):
        golden = golden_xl[f"background_encoder/{name}/out/{number:02}"]
        table.check(f"xl background_encoder/{name}/{number:02}", states, golden, TOLERANCE)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CASES)
def test_case(graphs, golden_xl, table, model, name):
    graph, group = graphs[model], golden_xl.group(f"case/{model}/{name}")
    _, patched, positive, negative = graph.wire(graph.params(model, name))
    if "out/context" in group:
        table.check(f"xl {model}/{name}/context", positive[0][0], group["out/context"], TOLERANCE)
    for row, kind in enumerate(("conditional", "reference-free")):
        x, t, v = (group[key][row : row + 1] for key in ("in/x", "in/t", "out/v"))
        ours = unet_call(patched, positive, negative, x, t[0])[row : row + 1]
        table.check(f"xl {model}/{name}/v {kind}", ours, v, TOLERANCE)


@pytest.mark.thorough
@pytest.mark.parametrize(("model", "name"), [(model, name) for model in MODELS for name in SAMPLES[model]])
def test_sample(host, pack, graphs, golden_xl, table, model, name):
    import comfy.sample

    graph, group = graphs[model], golden_xl.group(f"sample/{model}/{name}")
    _, patched, positive, negative = graph.wire(graph.params(model, name))
    noise = group["in/noise"]
    with host.torch.inference_mode():
        latent = comfy.sample.sample(
            patched, noise, STEPS, CFG, "euler", "normal", positive, negative, host.torch.zeros_like(noise)
        )
    ours = patched.model.latent_format.process_in(latent)
    table.check(f"xl sample/{model}/{name}/latent", ours, group["out/latent"], LATENT_TOLERANCE)
    if "out/image" in group:
        (image,) = pack.run("VAEDecode", vae=graph.vae, samples={"samples": latent})
        table.check(
            f"xl sample/{model}/{name}/image", image, as_image(group["out/image"]).clamp(0, 1), LATENT_TOLERANCE
        )


@pytest.mark.thorough
@pytest.mark.parametrize(("model", "name"), [("base", "plain"), ("base", "background"), ("v2", "background")])
def test_dual_guidance(host, pack, graphs, golden_xl, table, model, name):
    graph, group = graphs[model], golden_xl.group(f"sample/{model}/{name}_dual")
    _, patched, positive, negative = graph.wire(graph.params(model, name))
    bare = [[positive[0][0], {key: value for key, value in positive[0][1].items() if "control" not in key}]]
    blank, _ = graph.sketch(bare, bare, graph.images["sketch"] * 0)
    scales = {"cfg_reference": float(group["param/cfg_reference"]), "cfg_sketch": float(group["param/cfg_sketch"])}
    conds = {"positive": positive, "negative": negative, "blank_sketch": blank}
    (guider,) = pack.run("ColorizeGuider", model=patched, **conds, **scales)
    latent = patched.model.latent_format.process_in(sample_with_guider(host, pack, guider, group))
    table.check(f"xl sample/{model}/{name}_dual", latent, group["out/latent"], LATENT_TOLERANCE)


@pytest.mark.parametrize("name", ["half", "none", "v2_background"])
def test_attention_injection(pack, graphs, golden_xl, table, name):
    model = "v2" if name == "v2_background" else "base"
    graph, group = copy.copy(graphs[model]), golden_xl.group(f"injection/{name}")
    graph.images = graph.images | {"reference": as_image(group["in/reference"])}
    graph.masks = graph.masks | {"reference": group["in/reference_mask"][:, 0]}
    _, *wired = graph.wire(graph.params(model, "background" if model == "v2" else "plain"))
    check_injection(pack, table, f"xl injection/{name}", group, wired, (graph.control_net, graph.vae), TOLERANCE)
