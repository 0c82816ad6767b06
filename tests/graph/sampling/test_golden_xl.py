"""The published XL implementation's numbers, through the nodes in a real ComfyUI (host in float32).

What is on in a case stands in the golden data's own parameters.
"""

import copy

import pytest
from golden_cases import EXACT, as_image, check_injection, sample_with_guider, values_of_call
from golden_graphs import XL_CASES, XLGraph

LATENT_TOLERANCE = 1e-3
STEPS, CFG = 6, 5.0
MODELS = ["base", "v2"]
SAMPLES = {
    "base": ["plain", "background", "background_image"],
    "v2": ["plain", "background", "background_image", "merge"],
}


@pytest.fixture(scope="module")
def graphs(pack, load_xl, golden_xl):
    return {model: XLGraph(pack, load_xl(model), golden_xl) for model in MODELS}


@pytest.mark.parametrize("name", ["reference", "background", "bleached"])
def test_tokens(graphs, golden_xl, table, name):
    carrier = graphs["base"].reference(graphs["base"].picture(name))
    table.check(f"xl encoders/{name}", carrier.tokens, golden_xl[f"encoders/{name}/out/tokens"], EXACT)
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
        table.check(f"xl {name}/{i}", hints[::-1][block], golden_xl[f"{name}/out/{i}"], EXACT)


@pytest.mark.parametrize("name", ["background", "background_image"])
def test_background_encoder(graphs, golden_xl, table, name):
    graph = graphs["v2"]
    carrier = graph.background(graph.reference(graph.images["reference"]), graph.params("v2", name))
    assert len(carrier.background_features) == 36
    for number, states in enumerate(carrier.background_features):
        golden = golden_xl[f"background_encoder/{name}/out/{number:02}"]
        table.check(f"xl background_encoder/{name}/{number:02}", states, golden, EXACT)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", XL_CASES)
def test_case(graphs, golden_xl, table, model, name):
    graph, group = graphs[model], golden_xl.group(f"case/{model}/{name}")
    _, patched, positive, negative = graph.wire(graph.params(model, name))
    if "out/context" in group:
        table.check(f"xl {model}/{name}/context", positive[0][0], group["out/context"], EXACT)
    for kind, ours, v in values_of_call(patched, positive, negative, group):
        table.check(f"xl {model}/{name}/v {kind}", ours, v, EXACT)


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
    check_injection(pack, table, f"xl injection/{name}", group, wired, (graph.control_net, graph.vae), EXACT)
