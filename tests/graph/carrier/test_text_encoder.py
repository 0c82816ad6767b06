"""Editing a reference with words, from ComfyUI's own text encoder loader on."""

import pytest


@pytest.mark.slow
def test_the_text_encoder_of_sd2_gives_unit_features(host, pack, base_directory, golden_extras):
    """The whole OpenCLIP ViT-H text tower, 0.7 GB in fp16 with made-up weights, through CLIPLoader."""
    torch = host.torch
    import comfy.ops
    import comfy.text_encoders.sd2_clip
    from safetensors.torch import save_file

    with torch.device("meta"):
        tower = comfy.text_encoders.sd2_clip.SD2ClipHModel(device="meta", dtype=torch.float16).transformer
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, tensor in tower.state_dict().items():
        scale = 1.0 if name.endswith("norm1.weight") else 0.02
        weights[name] = (torch.randn(tensor.shape, generator=generator) * scale).half()
    folder = base_directory / "models" / "text_encoders"
    folder.mkdir(exist_ok=True)
    save_file(weights, str(folder / "clip-h.safetensors"))
    (clip,) = pack.run("CLIPLoader", clip_name="clip-h.safetensors", type="stable_diffusion")
    prompts = [pack.run("CLIPTextEncode", clip=clip, text=text)[0] for text in ("a girl with red hair", "hair")]
    tokens = golden_extras["text/in/tokens"]
    carrier = pack.module("colorize_core.carrier.carrier").Carrier(tokens=tokens[:, 1:], class_token=tokens[:, :1])
    changed, picture = pack.run(
        "ColorizeManipulateTokens", carrier=carrier, target=prompts[0], control=prompts[1], scale=6.0
    )
    assert torch.isfinite(changed.tokens).all() and not torch.equal(changed.tokens, carrier.tokens)
    assert torch.isfinite(picture).all()
    feature = pack.module("colorize_core.carrier.text_manipulation").text_feature
    pooled = prompts[0][0][1]["pooled_output"]
    assert feature(pooled, 1024, "target").norm() == pytest.approx(1.0, abs=1e-5)
