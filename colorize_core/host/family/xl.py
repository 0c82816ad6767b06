"""ColorizeDiffusion XL in ComfyUI: its networks, what it makes of pictures, what goes into the UNet.

Source: spec-xl sections 2 to 8 and 12.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import comfy.latent_formats
import comfy.ldm.modules.attention
import comfy.lora
import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch
from torch import Tensor

from ...carrier.carrier import Carrier
from ...errors import ColorizeError
from ...family.lora_layout import lora_layout
from ...family.version import Parts
from ...family.xl_reference_tokens import ReferenceProjection, reference_projection_sizes
from ...family.xl_sizes import background_embedding, unet_embedding
from ...family.xl_sketch_encoder import XLSketchEncoder, xl_sketch_encoder_sizes
from ...prepare.masks import every_eighth
from ...sampling.attention import torch_attention
from ...sampling.settings import Settings, block_strengths, one_strength
from ...weights import check_complete
from ..carrier.encoders import CHUNK, finite, onto_device
from ..carrier.image_tower import check_tower, encode_tokens
from ..carrier.latents import encode_with_vae, resize_to_output
from ..loading import load_module, reading_sizes
from ..notice import notice
from ..sampling.background_states import BackgroundStates
from ..sampling.pieces import Piece, Recipe
from ..sampling.size_labels import tell_size
from ..sampling.unet_layout import AttentionPlace
from ..sampling.weight_lora import WeightLora
from .colorizer import BackgroundPicture, Colorizer, ImageEncoders
from .unet import ColorizeSDXL, load_unet, unet_channels, unet_config
from .xl_background import build_background_encoder, encode_states
from .xl_tagger import load_tagger, tagger_features

#: Width of the pooled text embedding that ComfyUI's SDXL asks a conditioning for; this family has no text.
POOLED = 1280


@dataclass(frozen=True)
class ColorizerXL(Colorizer):
    """The COLORIZER of XL, base and v2-style.

    Attributes:
        projection: `ReferenceProjection`.
        tagger: the tagger inside the file, None where it has none.
        background_encoder: `XLBackgroundEncoder` of the v2-style model.
        lora: its background LoRA, as weight patches by the name of the weight.
    """

    projection: comfy.model_patcher.ModelPatcher
    tagger: comfy.model_patcher.ModelPatcher | None
    background_encoder: comfy.model_patcher.ModelPatcher | None
    lora: Mapping[str, object]

    @property
    def latent_format(self) -> comfy.latent_formats.LatentFormat:
        """Return SDXL's scale of latents."""
        return comfy.latent_formats.SDXL()

    def tokens(self, encoders: ImageEncoders, picture: Tensor) -> tuple[Tensor, None]:
        """Encode pictures [R, H, W, 3] in [0, 1] by both image encoders: [R, 196, D]; there is no class token."""
        check_tower(encoders.clip_vision, self.version.needs)
        tagger = encoders.tagger or self.tagger
        if tagger is None:
            raise ColorizeError(
                f"`tagger` is empty, and {self.file_name} holds none: {self.version.name} looks at a reference with "
                "two networks. Put model.safetensors of wd-v1-4-swinv2-tagger-v2 into models/colorize_taggers, load "
                "it with Load Colorize Tagger and wire it in."
            )
        chunks, encoded = list(picture.split(CHUNK)), []
        progress = comfy.utils.ProgressBar(2 * len(chunks))
        for chunk in chunks:
            comfy.model_management.throw_exception_if_processing_interrupted()
            clip_tokens = encode_tokens(encoders.clip_vision, chunk)
            self._check_channels("clip_vision", clip_tokens, self.projection.model.clip_channels)
            progress.update(1)
            features = tagger_features(tagger, chunk)
            self._check_channels("tagger", features, self.projection.model.tagger_channels)
            encoded.append(self._project(clip_tokens, features))
            progress.update(1)
        return finite(torch.cat(encoded), "clip_vision", "--fp32-text-enc --fp32-unet"), None

    def background_features(self, carrier: Carrier, given: BackgroundPicture) -> tuple[Tensor, ...]:
        """Encode the states that the background's tokens look at; none in the base model."""
        if given.strength != 1.0:
            text = f"`strength` does nothing in {self.version.name}: set background_strength of Apply Colorization."
            notice("Encode Background", text, otherwise="")
        if self.background_encoder is None:
            return ()
        if given.sketch_mask is None:
            raise ColorizeError(
                f"`sketch_mask` is empty, but the background encoder of {self.version.name} needs it: wire the mask "
                "that goes into Apply Colorization into Encode Background as well."
            )
        latent = encode_with_vae(
            given.vae, resize_to_output(given.picture, given.width, given.height), self.latent_format
        )
        height, width = latent.shape[-2:]
        empty = torch.zeros(1, 8 * height, 8 * width)
        sketch_mask, image_mask = (
            every_eighth(mask.cpu(), height, width)
            for mask in (given.sketch_mask, empty if given.image_mask is None else given.image_mask)
        )
        y = background_embedding(*given.own_size, given.height, given.width)
        return tuple(encode_states(self.background_encoder, latent, sketch_mask, image_mask, y))

    def recipe(
        self, carrier: Carrier, has_mask: bool, settings: Settings, places: tuple[AttentionPlace, ...]
    ) -> Recipe:
        """Say what goes into the UNet: in the v2-style model stored states and LoRA where a background is encoded."""
        pieces: list[Piece] = []
        if has_mask and carrier.has_background:
            pieces = [BackgroundStates(carrier.background_features), WeightLora(self.lora)]
        if self.version.one_strength:
            blocks = list(dict.fromkeys(place.block for place in places))
            strengths = one_strength(settings, blocks, self.version.name)
        else:
            strengths = block_strengths(settings, self.version.levels)
        soft = self.background_encoder is not None
        return Recipe(strengths, latent_mask=every_eighth, soft_split=soft, pieces=pieces)

    def conditioning_options(self) -> dict[str, Tensor]:
        """Return the pooled text embedding that ComfyUI's SDXL asks for, here nothing."""
        return {"pooled_output": torch.zeros(1, POOLED)}

    def _project(self, clip_tokens: Tensor, features: Tensor) -> Tensor:
        """Make reference tokens of both encoders' features, float32."""
        attention = comfy.ldm.modules.attention.optimized_attention
        tokens = self.projection.model(*onto_device(self.projection, clip_tokens, features), attention=attention)
        return tokens.float().to(comfy.model_management.intermediate_device())

    def _check_channels(self, name: str, features: Tensor, channels: int) -> None:
        if features.shape[-1] != channels:
            raise ColorizeError(
                f"`{name}` gives features of {features.shape[-1]} channels; {self.file_name} takes {channels}. "
                f"{self.version.name} needs {self.version.needs} (models/clip_vision) and the tagger "
                "wd-v1-4-swinv2-tagger-v2 (models/colorize_taggers)."
            )


def load_colorizer(parts: Parts, file_name: str, checkpoint: str) -> ColorizerXL:
    """Build the COLORIZER from a checkpoint's parts."""

    def build_projection(state_dict, operations, device, dtype):
        sizes = reference_projection_sizes(state_dict)
        return ReferenceProjection(**sizes, operations=operations, device=device, dtype=dtype)

    unet = parts["unet"]
    model_channels, context_channels = unet_channels(unet, 4, file_name)
    background_encoder, lora = None, cast(Mapping[str, object], {})
    if "background_encoder" in parts.tensors:
        config = ColorizeSDXL(unet_config(unet, file_name), "v").unet_config
        background_encoder = load_module(
            build_background_encoder(config), parts["background_encoder"], "the background encoder", file_name
        )
        lora = load_lora(parts["lora"], unet, file_name)
    return ColorizerXL(
        version=parts.version,
        file_name=file_name,
        checkpoint=checkpoint,
        model_channels=model_channels,
        context_channels=context_channels,
        projection=load_module(build_projection, parts["projection"], "the token projection", file_name),
        tagger=load_tagger(parts["tagger"], file_name) if parts["tagger"] else None,
        background_encoder=background_encoder,
        lora=lora,
    )


def load_lora(weights: dict[str, Tensor], unet: dict[str, Tensor], file_name: str) -> Mapping[str, object]:
    """Return a LoRA on the UNet's cross-attentions as ComfyUI's patches, by the name of the weight that each is for.

    Args:
        weights: `….attn2.to_q.lora_{down,up}_background.weight`, every projection of every cross-attention.
        unet: the UNet's own weights.
    """
    with reading_sizes("the background LoRA", file_name):
        check_complete("the background LoRA", file_name, lora_layout(weights, unet, ("background",)), weights)
        renamed = {key.replace("_background.", "."): value for key, value in weights.items()}
        names = {key.removesuffix(".lora_up.weight") for key in renamed if key.endswith(".lora_up.weight")}
        patches: Mapping[str, object] = comfy.lora.load_lora(
            renamed, {name: f"diffusion_model.{name}.weight" for name in sorted(names)}
        )
    return patches


def attend_to_scales(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Attend to up to 22529 tokens: on the CPU in half the time of ComfyUI's own way, and a sixth of its memory."""
    if comfy.model_management.is_device_cpu(q.device):
        return torch_attention(q, k, v, heads)
    result: Tensor = comfy.ldm.modules.attention.optimized_attention(q, k, v, heads)
    return result


def build_sketch_encoder(state_dict: dict[str, Tensor], operations, device, dtype) -> XLSketchEncoder:
    """Build the sketch encoder at the sizes that its weights tell."""
    return XLSketchEncoder(
        **xl_sketch_encoder_sizes(state_dict),
        attention=attend_to_scales,
        operations=operations,
        device=device,
        dtype=dtype,
    )


def load_model(parts: Parts, prediction: str, file_name: str, checkpoint: str) -> comfy.model_patcher.ModelPatcher:
    """Build the MODEL, SDXL's UNet with this family's label embedding."""
    weights = parts["unet"]
    model = load_unet(weights, ColorizeSDXL(unet_config(weights, file_name), prediction), file_name, checkpoint)
    tell_size(model, unet_embedding)
    return model


def image_tower(parts: Parts) -> dict[str, Tensor]:
    """Return the image tower's weights as transformers names them; empty where the file has none."""
    tower = {f"vision_model.{key}": value for key, value in parts["image_tower"].items()}
    return tower | {f"visual_projection.{key}": value for key, value in parts["image_projection"].items()}
