"""Two characters in one drawing, each coloured like its own reference, about as well as when alone."""

import shutil

import numpy as np
import pytest

PAIRS = 6
#: How much larger a character's colour error may be than when it is alone.
ALLOWED = 1.2


@pytest.fixture(scope="module")
def pipeline(pack, demo_folder):
    from comfy_path import EXAMPLES
    from pipeline import CHECKPOINT_NAME, Pipeline

    path = demo_folder / CHECKPOINT_NAME
    shutil.copy(EXAMPLES / path.name, path)
    return Pipeline(path, pack.run)


def part_errors(pair, picture):
    from measure import region_error, to_lab

    lab, right = to_lab(picture), to_lab(pair.right / 255)
    return np.nanmean([region_error(lab, right, region) for region in pair.parts.values()])


def colour_together(pack, pipeline, left, right):
    """Colour two drawings side by side: a carrier for the left one, a region for the right one."""
    import torch

    from pipeline import GUIDANCE, STEPS, to_image

    def beside(first, second):
        return to_image([np.concatenate([first, second], axis=1)])

    drawing = beside(left.drawing, right.drawing)
    nothing = np.zeros_like(left.mask)
    height, width = drawing.shape[1:3]
    sizes = {"width": width, "height": height}
    references = [to_image([pair.reference]) for pair in (left, right)]
    carrier, region = (
        pack.run("ColorizeEncodeReference", clip_vision=pipeline.clip_vision, image=image)[0] for image in references
    )
    encoders = {"colorizer": pipeline.colorizer, "vae": pipeline.vae, "clip_vision": pipeline.clip_vision}
    background = beside(left.background, right.background)
    (carrier,) = pack.run("ColorizeEncodeBackground", carrier=carrier, image=background, **encoders, **sizes)
    (carrier,) = pack.run("ColorizeAddRegion", carrier=carrier, region=region, mask=beside(nothing, right.mask))
    model, positive, negative = pack.run(
        "ColorizeApply",
        model=pipeline.model,
        colorizer=pipeline.colorizer,
        carrier=carrier,
        sketch_mask=beside(left.mask, nothing),
    )
    (lines, _) = pack.run("ColorizePrepareSketch", image=drawing, **sizes)
    inputs = {"control_net": pipeline.sketch, "image": lines, "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
    positive, negative = pack.run("ControlNetApplyAdvanced", positive=positive, negative=negative, **inputs)
    (latent,) = pack.run("EmptyLatentImage", **sizes, batch_size=1)
    sampler = {"steps": STEPS, "cfg": GUIDANCE, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent, "seed": 0}
    (latent,) = pack.run("KSampler", **inputs, **sampler)
    (picture,) = pack.run("VAEDecode", samples=latent, vae=pipeline.vae)
    assert torch.isfinite(picture).all()
    return np.split(picture[0].numpy(), 2, axis=1)


def test_each_character_comes_out_as_well_as_alone(pack, pipeline):
    from evaluate_model import VARIANTS, colour_all, make_pair

    pairs = [make_pair(number) for number in range(2 * PAIRS)]
    alone = colour_all(pipeline, pairs, VARIANTS["split + background injection"])
    singly = np.mean([part_errors(pair, picture) for pair, picture in zip(pairs, alone, strict=True)])
    together = []
    for left, right in zip(pairs[::2], pairs[1::2], strict=True):
        halves = colour_together(pack, pipeline, left, right)
        together += [part_errors(left, halves[0]), part_errors(right, halves[1])]
    print(f"\ncolour error of a character: alone {singly:.1f}, beside another {np.mean(together):.1f} (ΔE)")
    assert np.mean(together) <= ALLOWED * singly
