"""What is trained is what runs: the trainer's model and the nodes give the same prediction from the same weights."""

import numpy as np
import pytest

pytestmark = pytest.mark.thorough

SEED = 3


@pytest.fixture(scope="module")
def torch(host):
    """Torch, with the host's arguments parsed: the trainer's modules import ComfyUI's."""
    return host.torch


@pytest.fixture(scope="module")
def trained(torch):
    """A model and an autoencoder whose every weight is off zero, and rounded as the file rounds them."""
    import autoencoder
    from model import DemoModel

    torch.manual_seed(0)
    model, vae = DemoModel(), autoencoder.build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
        for parameter in (*model.parameters(), *vae.parameters()):
            parameter.copy_(parameter.half().float())
    return model.requires_grad_(False), vae.requires_grad_(False)


@pytest.fixture(scope="module")
def pairs():
    from evaluate_model import make_pair

    return [make_pair(100), make_pair(101)]


def predicted(torch, trained, pairs, features, noise):
    """The denoised latents that the trainer's model predicts at the first of 1000 steps."""
    from colorizediffusion.colorize_core.prepare.masks import resize_mask

    from autoencoder import encode
    from model import Conditions
    from stages import SCHEDULE, for_tower, size_embedding

    model, vae = trained

    def pictures(name):
        stacked = np.stack([getattr(pair, name) for pair in pairs]).astype(np.float32)
        return torch.from_numpy(stacked / 127.5 - 1).permute(0, 3, 1, 2)

    rows = len(pairs)
    front, back = (model.tower(for_tower(pictures(name))) for name in ("reference", "background"))
    sizes = size_embedding(128, 128, 128, 128).expand(rows, -1)
    masks = torch.from_numpy(np.stack([pair.mask for pair in pairs]).astype(np.float32) / 255)
    encoded = model.background(encode(vae, pictures("background")), back, sizes)
    given = Conditions(
        context=torch.cat([front, back if features.split else front], dim=1),
        hints=model.sketch(-pictures("drawing")),
        mask=resize_mask(masks, 16, 16),
        split=torch.full((rows,), features.split),
        inject=torch.ones(rows) if features.split else None,
        features=[features.injection * f for f in encoded] if features.split else None,
        style=model.style(encode(vae, pictures("reference")), front, sizes) if features.style else None,
    )
    v, _ = model.denoise(noise, torch.full((rows,), 999), given)
    return SCHEDULE.signal[999] * noise - SCHEDULE.noise[999] * v


@pytest.mark.parametrize("name", ["plain", "split", "split + background injection + style"])
def test_nodes_predict_what_the_trainer_s_model_predicts(name, pack, torch, trained, pairs, demo_folder):
    import comfy.sample

    import export
    import pipeline
    from evaluate_model import VARIANTS, to_image

    features = VARIANTS[name]
    export.write(*trained, demo_folder / pipeline.CHECKPOINT_NAME)
    kept = {}

    def run(node_id, **inputs):
        if node_id == "KSampler":
            inputs |= {"steps": 1, "cfg": 1.0}
        outputs = pack.run(node_id, **inputs)
        kept[node_id] = outputs
        return outputs

    colour = pipeline.Pipeline(demo_folder / pipeline.CHECKPOINT_NAME, run).colour
    given = (
        to_image([getattr(pair, kind) for pair in pairs]) for kind in ("drawing", "reference", "background", "mask")
    )
    colour(*given, features, SEED)
    noise = comfy.sample.prepare_noise(torch.zeros(len(pairs), 4, 16, 16), SEED)
    with torch.no_grad():
        right = predicted(torch, trained, pairs, features, noise)
    sampled = kept["KSampler"][0]["samples"] * 0.18215
    assert (sampled - right).abs().max() < 2e-3 * right.abs().max()
