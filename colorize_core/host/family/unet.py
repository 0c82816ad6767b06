"""The MODEL: ComfyUI's stock UNet with the checkpoint's weights."""

import comfy.model_base
import comfy.model_detection
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import comfy.supported_models_base
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor

from ...weights import check_complete
from ..loading import cancellable, dtypes_for, patcher_for, reading_sizes, takes_weights_as_they_are

#: Where a MODEL says which checkpoint it came from.
CHECKPOINT_ATTACHMENT = "colorize_checkpoint"

_MODEL_TYPES = {"v": comfy.model_base.ModelType.V_PREDICTION, "eps": comfy.model_base.ModelType.EPS}


class _ToldPrediction:
    """Lets the prediction type be told instead of guessed from the weights."""

    def __init__(self, unet_config: dict, prediction: str):
        super().__init__(unet_config)  # type: ignore[call-arg]
        self.prediction = prediction

    def model_type(self, state_dict, prefix=""):
        """Return the prediction type that ComfyUI builds the sampling with."""
        return _MODEL_TYPES[self.prediction]


class ColorizeSD2(_ToldPrediction, comfy.supported_models.SD20):
    """Stable Diffusion 2.x of any width."""


class ColorizeSDXL(_ToldPrediction, comfy.supported_models.SDXL):
    """Stable Diffusion XL of any width."""


def unet_config(state_dict: dict[str, Tensor], file_name: str) -> dict:
    """Derive the UNet's sizes from its weights (keys without prefix, projections squeezed)."""
    with reading_sizes("the UNet", file_name):
        return comfy.model_detection.detect_unet_config(state_dict, "")


def unet_channels(state_dict: dict[str, Tensor], block: int, file_name: str) -> tuple[int, int]:
    """Read off a UNet's weights its own width and that of the tokens that it attends to.

    Args:
        block: an input block with a transformer.
    """
    with reading_sizes("the UNet", file_name):
        context = state_dict[f"input_blocks.{block}.1.transformer_blocks.0.attn2.to_k.weight"].shape[1]
        return state_dict["input_blocks.0.0.weight"].shape[0], context


def layout(config: comfy.supported_models_base.BASE, file_name: str) -> dict[str, Tensor]:
    """Return the weights of the UNet of these sizes without their memory: a file may tell of any."""
    with reading_sizes("the UNet", file_name):
        operations = comfy.ops.disable_weight_init
        return UNetModel(**config.unet_config, device=torch.device("meta"), operations=operations).state_dict()


def load_unet(
    state_dict: dict[str, Tensor], config: comfy.supported_models_base.BASE, file_name: str, checkpoint: str
) -> comfy.model_patcher.ModelPatcher:
    """Build ComfyUI's UNet and fill it.

    Args:
        state_dict: the UNet's weights as ComfyUI names them.
        config: of ComfyUI's model.
        checkpoint: the fingerprint that the MODEL carries, so that a foreign colorizer is noticed.

    Returns:
        A stock MODEL.
    """
    check_complete("the UNet", file_name, layout(config, file_name), state_dict)
    storage, compute = dtypes_for(state_dict)
    config.set_inference_dtype(storage, None if compute == storage else compute)
    model = config.get_model(state_dict, "").to(comfy.model_management.unet_offload_device())
    patcher = patcher_for(model)
    options = {"assign": True} if takes_weights_as_they_are(patcher) else {}
    with cancellable(model.diffusion_model):
        model.load_model_weights(dict(state_dict), "", **options)
    patcher.set_attachments(CHECKPOINT_ATTACHMENT, checkpoint)
    return patcher


def checkpoint_of(model: comfy.model_patcher.ModelPatcher) -> str | None:
    """Return the fingerprint of the checkpoint that a MODEL came from, None where it is not known."""
    return model.get_attachment(CHECKPOINT_ATTACHMENT)
