"""The published implementation's numbers, through the nodes in a real ComfyUI (host in float32)."""

import pytest
from golden_cases import EXACT, as_image, check_injection, sample_with_guider, values_of_call
from golden_graphs import CASES, V2Graph

LATENT_TOLERANCE = 1e-3
STEPS, CFG = 6, 4.0


@pytest.fixture(scope="module")
def loaded(pack, tiny_checkpoint):
    return pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name, prediction="auto")


@pytest.fixture(scope="module")
def graph(pack, loaded, golden):
    """A function that wires a case and returns (carrier, model, positive, negative)."""
    return V2Graph(pack, loaded, golden).wire


def test_tokens(pack, loaded, golden, table):
    (carrier,) = pack.run(
        "ColorizeEncodeReference", clip_vision=loaded[4], image=as_image(golden["images/in/reference"])
    )
    tokens = golden["reference_tokens/out/tokens"]
    table.check("tokens", carrier.tokens, tokens[:, 1:], EXACT)
    table.check("class token", carrier.class_token, tokens[:, :1], EXACT)


@pytest.mark.parametrize("name", ["sketch_hints", "blank_sketch_hints"])
def test_hints(host, pack, loaded, golden, table, name):
    torch = host.torch
    image = as_image(golden["images/in/sketch"])
    if name.startswith("blank"):
        image = torch.zeros_like(image)
    conditioning = [[torch.zeros(1, 1, 1024), {}]]
    positive, _ = pack.run(
        "ControlNetApplyAdvanced",
        positive=conditioning,
        negative=conditioning,
        control_net=loaded[2],
        image=image,
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
    )
    control = positive[0][1]["control"]
    with torch.inference_mode():
        hints = control.get_control(torch.zeros(1, 4, 24, 16), torch.ones(1), {}, 1, {})["input"]
    assert [i for i, hint in enumerate(hints[::-1]) if hint is not None] == [0, 3, 6, 9, 11]
    for i, block in enumerate((0, 3, 6, 9, 11)):
        table.check(f"{name}/{i}", hints[::-1][block], golden[f"{name}/out/{i}"], EXACT)


@pytest.mark.parametrize("name", CASES)
def test_case(pack, graph, golden, table, name):
    carrier, model, positive, negative = graph(CASES[name])
    group = golden.group(f"case/{name}")
    table.check(f"case/{name}/context", positive[0][0], group["out/context"], EXACT)
    for key, ours in (("background_features", carrier.background_features), ("style_modulations", carrier.style)):
        for i, tensor in enumerate(ours):
            if f"out/{key}.{i}" in group:
                table.check(f"case/{name}/{key}.{i}", tensor, group[f"out/{key}.{i}"], EXACT)
    for kind, ours, v in values_of_call(model, positive, negative, group):
        table.check(f"case/{name}/v {kind}", ours, v, EXACT)


@pytest.mark.parametrize("name", ["plain", "background_image", "all"])
def test_sample(host, pack, loaded, graph, golden, table, name):
    _, model, positive, negative = graph(CASES[name])
    group = golden.group(f"sample/{name}")
    import comfy.sample
    import comfy.samplers

    noise = group["in/noise"]
    with host.torch.inference_mode():
        latent = comfy.sample.sample(
            model, noise, STEPS, CFG, "euler", "normal", positive, negative, host.torch.zeros_like(noise)
        )
    scale = model.model.latent_format.scale_factor
    table.check(f"sample/{name}/latent", latent * scale, group["out/latent"], LATENT_TOLERANCE)
    (image,) = pack.run("VAEDecode", vae=loaded[3], samples={"samples": latent})
    table.check(f"sample/{name}/image", image, as_image(group["out/image"]).clamp(0, 1), LATENT_TOLERANCE)


def apply_blank_sketch(pack, loaded, golden, positive):
    """Apply ControlNet to the positive conditioning as it left Apply Colorization, with a black image."""
    bare = [[positive[0][0], {}]]
    inputs = {"control_net": loaded[2], "image": as_image(golden["images/in/sketch"]) * 0}
    inputs |= {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
    return pack.run("ControlNetApplyAdvanced", positive=bare, negative=bare, **inputs)[0]


@pytest.mark.parametrize("scales", [(4.0, 1.0), (1.0, 2.0), (4.0, 2.0), (1.0, 1.0)])
def test_guider(host, pack, loaded, graph, golden, table, scales):
    """Dual guidance is the golden data's; with one scale at 1 it is ComfyUI's own CFG between the other two."""
    _, model, positive, negative = graph(CASES["all"])
    group = golden.group("sample/all")
    blank = apply_blank_sketch(pack, loaded, golden, positive)
    reference, sketch = scales
    (guider,) = pack.run(
        "ColorizeGuider",
        model=model,
        positive=positive,
        negative=negative,
        blank_sketch=blank,
        cfg_reference=reference,
        cfg_sketch=sketch,
    )
    rows = []
    guider.model_patcher = guider.model_patcher.clone()
    guider.model_patcher.add_wrapper(
        "diffusion_model", lambda run, x, *rest, **kw: rows.append(len(x)) or run(x, *rest, **kw)
    )
    ours = sample_with_guider(host, pack, guider, group)
    assert sum(rows) == STEPS * (1 + (reference != 1) + (sketch != 1))
    if reference != 1 and sketch != 1:
        scale = model.model.latent_format.scale_factor
        table.check(
            "sample/dual_guidance/latent", ours * scale, golden["sample/dual_guidance/out/latent"], LATENT_TOLERANCE
        )
        return
    without, scale = (negative, reference) if sketch == 1 else (blank, sketch)
    (stock,) = pack.run("CFGGuider", model=model, positive=positive, negative=without, cfg=scale)
    assert host.torch.equal(ours, sample_with_guider(host, pack, stock, group))


def test_guider_asks_for_the_blank_sketch(pack, graph):
    _, model, positive, negative = graph(CASES["plain"])
    with pytest.raises(pack.Error, match="blank_sketch"):
        pack.run("ColorizeGuider", model=model, positive=positive, negative=negative, cfg_sketch=2.0)


@pytest.mark.parametrize("name", ["full", "half", "none"])
def test_attention_injection(pack, loaded, golden_extras, table, name):
    model, colorizer, control_net, vae, clip_vision = loaded
    group = golden_extras.group(f"injection/{name}")
    reference, sketch = as_image(group["in/reference"]), as_image(group["in/sketch"])
    (carrier,) = pack.run("ColorizeEncodeReference", clip_vision=clip_vision, image=reference)
    model, positive, negative = pack.run("ColorizeApply", model=model, colorizer=colorizer, carrier=carrier)
    inputs = {"control_net": control_net, "image": sketch, "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
    positive, negative = pack.run("ControlNetApplyAdvanced", positive=positive, negative=negative, **inputs)
    wired = (model, positive, negative)
    check_injection(pack, table, f"injection/{name}", group, wired, (control_net, vae), 1e-4)


@pytest.mark.parametrize("enhance", [False, True])
@pytest.mark.parametrize("anchored", [False, True])
def test_text_manipulation(pack, golden_extras, table, anchored, enhance):
    """A prompt comes as what CLIP Text Encode gives; the target scale of the golden data is 4."""
    text = golden_extras.group("text")
    carrier_class = pack.module("colorize_core.carrier.carrier").Carrier
    carrier = carrier_class(tokens=text["in/tokens"][:, 1:], class_token=text["in/tokens"][:, :1])
    thresholds = {f"threshold_{i}": float(value) for i, value in enumerate(text["in/thresholds"])}

    def prompt(name):
        return [[None, {"pooled_output": text[f"in/{name}"][:, 0]}]]

    inputs = {"carrier": carrier, "target": prompt("target"), "scale": 4.0, "enhance": enhance, **thresholds}
    if anchored:
        inputs["anchor"] = prompt("anchor")
    name = f"anchor_{anchored:d}_enhance_{enhance:d}"
    whole, _ = pack.run("ColorizeManipulateTokens", **inputs)
    table.check(f"text/global/{name}", whole.class_token, text[f"global/out/{name}"], 1e-4)
    part, picture = pack.run("ColorizeManipulateTokens", control=prompt("control"), **inputs)
    table.check(f"text/local/{name}", part.tokens, text[f"local/out/{name}"][:, 1:], 1e-4)
    assert picture.shape[-1] == 3 and picture.min() >= 0 and picture.max() <= 1


def test_text_of_another_encoder_is_refused(host, pack, golden_extras):
    tokens = golden_extras["text/in/tokens"]
    carrier = pack.module("colorize_core.carrier.carrier").Carrier(tokens=tokens[:, 1:], class_token=tokens[:, :1])
    for pooled in (None, host.torch.ones(1, 768)):
        with pytest.raises(pack.Error, match=r"target.*ViT-H"):
            pack.run("ColorizeManipulateTokens", carrier=carrier, target=[[None, {"pooled_output": pooled}]])
