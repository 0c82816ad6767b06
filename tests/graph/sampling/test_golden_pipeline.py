"""The published implementation's numbers, through the nodes in a real ComfyUI (host in float32)."""

from dataclasses import dataclass, field

import pytest
from golden_cases import as_image, check_injection, sample_with_guider, unet_call

ENCODER_TOLERANCE = 2e-5
LATENT_TOLERANCE = 1e-3
STEPS, CFG = 6, 4.0


@dataclass(frozen=True)
class Case:
    """What is on in a case of the golden data, in the terms of the nodes."""

    mask: bool = False
    background: str | None = None
    bleach_threshold: float = 0.5
    background_factor: float = 1.0
    style: bool = False
    style_merge: float = 0.0
    sketch_strength: float = 1.0
    apply: dict = field(default_factory=dict)


CASES = {
    "plain": Case(),
    "foreground": Case(mask=True),
    "background": Case(mask=True, background="bleached_reference"),
    "background_image": Case(mask=True, background="background_image"),
    "style": Case(style=True),
    "style_background_image": Case(
        mask=True, background="background_image", style=True, style_merge=0.25, apply={"merge": 0.25}
    ),
    "all": Case(mask=True, background="bleached_reference", style=True),
    "thresholds": Case(mask=True, background="bleached_reference", bleach_threshold=0.3, apply={"threshold": 0.4}),
    "scaled": Case(
        mask=True,
        background="bleached_reference",
        background_factor=0.8,
        style=True,
        sketch_strength=1.2,
        apply={
            "foreground_strength": 0.7,
            "background_strength": 0.9,
            "merge": 0.3,
            "encoder_strength": 0.9,
            "color_strength": 0.8,
            "semantic_strength": 0.6,
        },
    ),
}


@pytest.fixture(scope="module")
def loaded(pack, tiny_checkpoint):
    return pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name, prediction="auto")


@pytest.fixture(scope="module")
def graph(pack, loaded, golden):
    """A function that wires a case and returns (model, positive, negative)."""
    model, colorizer, control_net, vae, clip_vision = loaded
    images = {name: as_image(golden[f"images/in/{name}"]) for name in ("reference", "background", "sketch")}
    masks = {name: golden[f"images/in/{name}"][:, 0] for name in ("reference_mask", "sketch_mask")}
    height, width = images["sketch"].shape[1:3]
    common = {"colorizer": colorizer, "vae": vae, "clip_vision": clip_vision, "width": width, "height": height}

    def wire(case: Case):
        (carrier,) = pack.run("ColorizeEncodeReference", clip_vision=clip_vision, image=images["reference"])
        if case.style:
            extra = {"background": images["background"], "merge": case.style_merge} if case.style_merge else {}
            (carrier,) = pack.run("ColorizeEncodeStyle", carrier=carrier, image=images["reference"], **common, **extra)
        if case.background:
            image = images["background"]
            if case.background == "bleached_reference":
                (image,) = pack.run(
                    "ColorizeBleach",
                    image=images["reference"],
                    mask=masks["reference_mask"],
                    threshold=case.bleach_threshold,
                )
            (carrier,) = pack.run(
                "ColorizeEncodeBackground",
                carrier=carrier,
                image=image,
                strength=case.background_factor,
                source=case.background,
                **common,
            )
        optional = {"sketch_mask": masks["sketch_mask"]} if case.mask else {}
        patched, positive, negative = pack.run(
            "ColorizeApply", model=model, colorizer=colorizer, carrier=carrier, **optional, **case.apply
        )
        positive, negative = pack.run(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=negative,
            control_net=control_net,
            image=images["sketch"],
            strength=case.sketch_strength,
            start_percent=0.0,
            end_percent=1.0,
        )
        return carrier, patched, positive, negative

    return wire


def test_tokens(pack, loaded, golden, table):
    (carrier,) = pack.run(
        "ColorizeEncodeReference", clip_vision=loaded[4], image=as_image(golden["images/in/reference"])
    )
    tokens = golden["reference_tokens/out/tokens"]
    table.check("tokens", carrier.tokens, tokens[:, 1:], ENCODER_TOLERANCE)
    table.check("class token", carrier.class_token, tokens[:, :1], ENCODER_TOLERANCE)


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
        table.check(f"{name}/{i}", hints[::-1][block], golden[f"{name}/out/{i}"], ENCODER_TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_case(pack, graph, golden, table, name):
    carrier, model, positive, negative = graph(CASES[name])
    group = golden.group(f"case/{name}")
    table.check(f"case/{name}/context", positive[0][0], group["out/context"], ENCODER_TOLERANCE)
    for key, ours in (("background_features", carrier.background_features), ("style_modulations", carrier.style)):
        for i, tensor in enumerate(ours):
            if f"out/{key}.{i}" in group:
                table.check(f"case/{name}/{key}.{i}", tensor, group[f"out/{key}.{i}"], ENCODER_TOLERANCE)
    for row, kind in enumerate(("conditional", "reference-free")):
        x, t, v = (group[key][row : row + 1] for key in ("in/x", "in/t", "out/v"))
        ours = unet_call(model, positive, negative, x, t[0])[row : row + 1]
        table.check(f"case/{name}/v {kind}", ours, v, ENCODER_TOLERANCE)


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
