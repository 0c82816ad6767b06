"""What can be read off a MODEL's UNet."""

import comfy.model_patcher
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel


def context_channels(model: comfy.model_patcher.ModelPatcher) -> int | None:
    """Return how many channels the tokens have that a MODEL's cross-attentions take, None where it has none."""
    unet = getattr(model.model, "diffusion_model", None)
    attentions = unet.named_modules() if isinstance(unet, UNetModel) else ()
    return next((m.to_k.in_features for name, m in attentions if name.endswith("attn2")), None)
