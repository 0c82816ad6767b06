"""Stored states of a background: in the decoder's self-attentions the background's tokens look at nothing else.

Source: spec-xl section 6, reading; arXiv 2603.05971.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import comfy.model_patcher
import torch
from torch import Tensor, nn

from ...prepare.regions import THRESHOLD
from .attention import attend
from .patch_hooks import REPLACED, replace_attention
from .pieces import CALL, KEY, Piece
from .row_indices import positions_of, put_positions
from .unet_call import UNetCall
from .unet_layout import AttentionPlace, transformers

#: The first of a layout's two sides.
CHARACTERS = 0

_TILED = (
    "ColorizeDiffusion: another node cuts the self-attentions into tiles, so that the background's tokens cannot look "
    "at the encoded background there. Sample without that node."
)


class BackgroundStates(Piece):
    """Lets the background's tokens look at what the background encoder has stored, and only at that.

    Args:
        states: one [R, h_i·w_i, c_i] a self-attention of the first output blocks, in their order.
    """

    def __init__(self, states: tuple[Tensor, ...]):
        self.states = states
        self.number_of: dict[AttentionPlace, int] = {}

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register with a MODEL."""
        decoder = [place for place, _ in transformers(model.model.diffusion_model) if place.half == "output"]
        places = decoder[: len(self.states)]
        self.number_of = {place: number for number, place in enumerate(places)}
        replace_attention(model, KEY, "attn1", places, self.attention)

    def batches(self) -> dict[str, int]:
        """Say how many backgrounds there are."""
        return {"backgrounds": len(self.states[0])}

    def around_call(self, unet: nn.Module, call: UNetCall) -> AbstractContextManager:
        """Keep the UNet's own projections at hand for the time of a call."""
        call.modules = dict(transformers(unet))
        return nullcontext()

    @torch.compiler.disable
    def attention(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor | None:
        """Attend, characters to the picture's own tokens, the background to the stored states.

        q, k, v [B, T, C] -> [B, T, C]; None where another of our patches attends here.
        """
        place, call = AttentionPlace.of(extra_options), extra_options[CALL]
        if place in extra_options.get(REPLACED, ()):
            return None
        if len(q) != len(call.rows):  # HyperTile
            call.run.say_once(_TILED)
            return None
        size = call.feature_size(q.shape[1], extra_options.get("activations_shape"))
        keys, values = self.keys_values(call, place, q)
        masks, backgrounds = (call.run.pictures, "masks"), (len(keys), "backgrounds")
        out = torch.empty_like(q)
        for (crop, picture, source), places in call.by_layout(range(len(q)), masks, backgrounds).items():
            rows = call.run.rows.index(places, q.device)
            sides = call.run.sides(crop, size, THRESHOLD, q.device)[picture]
            sorted_q, results = positions_of(q, rows, sides.order), []
            for side, part in zip(sides.present, sorted_q.split(sides.sizes, 1), strict=True):
                if side == CHARACTERS:
                    own_k, own_v = k[rows], v[rows]
                else:
                    own_k, own_v = (t[source].expand(len(part), -1, -1) for t in (keys, values))
                results.append(attend(part, own_k, own_v, extra_options))
            result = results[0] if len(results) == 1 else torch.cat(results, dim=1)
            put_positions(out, rows, sides.order, result)
        return out

    def keys_values(self, call: UNetCall, place: AttentionPlace, q: Tensor) -> tuple[Tensor, Tensor]:
        """Project the stored states of a place, once a run: keys and values [R, S, C]."""

        def project() -> tuple[Tensor, Tensor]:
            own: Any = call.modules[place].attn1
            states = self.states[self.number_of[place]].to(q)
            return own.to_k(states), own.to_v(states)

        result: tuple[Tensor, Tensor] = call.run.once(("states", place, q.device, q.dtype), project)
        return result
