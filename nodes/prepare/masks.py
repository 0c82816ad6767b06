"""Masks on the graph: several merged into one, and pictures bleached by them."""

from comfy_api.latest import io

from ...colorize_core.host.prepare.frames import bleach_frames, grow_and_feather
from ...colorize_core.prepare.bleaching import WHITEN
from ...colorize_core.prepare.masks import GROWTHS, MERGES, merge_masks
from ..checked import checked
from ..inputs import transparency
from ..schema import node_schema


class ColorizeMergeMasks(io.ComfyNode):
    """Union, intersection, difference or blend of two masks, then growth and feather."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeMergeMasks",
            display_name="Merge Character Masks",
            category="ColorizeDiffusion/masks",
            description="Brings two character masks together: all characters of a drawing into one foreground, or the "
            "reference's mask with the sketch's before bleaching. Grows, shrinks and softens the result.",
            inputs=[
                io.Mask.Input("mask_a", tooltip="First mask, 1 on the character. The result has its size."),
                io.Mask.Input(
                    "mask_b",
                    optional=True,
                    tooltip="Second mask; resized to the first one. One mask goes with every mask of the other batch. "
                    "Left open, mask_a alone is merged, grown and feathered.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MERGES),
                    default="union",
                    tooltip="union: in either mask. intersection: in both. difference: in mask_a and not in mask_b. "
                    "blend: the weighted mean.",
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of mask_b in a blend: 0 is mask_a, 1 is mask_b. Other modes do not use it.",
                ),
                io.Int.Input(
                    "grow",
                    default=0,
                    min=-512,
                    max=512,
                    tooltip="Pixels by which the result grows; negative numbers shrink it. Growing the reference's "
                    "mask before bleaching takes away the character's outline as well.",
                ),
                io.Int.Input(
                    "feather",
                    default=0,
                    min=0,
                    max=512,
                    tooltip="Softens the edge over this many pixels to either side. The split takes every value above "
                    "its threshold (0.05) as character, so feathering also widens the foreground there.",
                ),
                io.Combo.Input(
                    "grow_shape",
                    options=list(GROWTHS),
                    default="disc",
                    optional=True,
                    tooltip="disc grows equally far in all directions; square is the published growth "
                    "(square with 5 pixels is its 11×11 maximum).",
                ),
                io.Boolean.Input(
                    "merge_batch",
                    default=False,
                    optional=True,
                    tooltip="On: the masks of a batch are the characters of one picture and are first united into a "
                    "single mask. Off: they are frames and stay apart.",
                ),
            ],
            advanced=("grow_shape", "merge_batch"),
            outputs=[io.Mask.Output("MASK", display_name="mask", tooltip="The merged mask, in mask_a's size.")],
        )

    @classmethod
    @checked
    def execute(
        cls, mask_a, mode, weight, grow, feather, mask_b=None, grow_shape="disc", merge_batch=False
    ) -> io.NodeOutput:
        merged = merge_masks(mask_a, mask_b, mode, weight, merge_batch)
        return io.NodeOutput(grow_and_feather(merged, grow, grow_shape, feather))


class ColorizeBleach(io.ComfyNode):
    """A picture with its character, or all around it, painted blank."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeBleach",
            display_name="Bleach Region",
            category="ColorizeDiffusion/masks",
            description="Paints a region white. The reference without its character is a background reference; a "
            "drawing without its surroundings leaves the background to the reference; a reference without its "
            "background is a character on plain paper.",
            inputs=[
                io.Image.Input("image", tooltip="Reference, drawing or line map."),
                io.Mask.Input(
                    "mask", tooltip="1 on the character; resized to the picture. One mask goes with every picture."
                ),
                io.Combo.Input(
                    "whiten",
                    options=list(WHITEN),
                    default="character",
                    tooltip="character: paint the character, keep the background. background: the other way round.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where the mask reaches this value it is character. Lower it to take soft edges along.",
                ),
                io.Float.Input(
                    "paper",
                    default=1.0,
                    min=0.9,
                    max=1.0,
                    step=0.01,
                    tooltip="The white to paint with. The model was trained with paper between 0.95 and 1.0.",
                ),
                io.Combo.Input(
                    "kind",
                    options=["picture", "line_map"],
                    default="picture",
                    optional=True,
                    tooltip="picture: blank is white paper. line_map (white lines on black): blank is black, and "
                    "paper is not used.",
                ),
                transparency("blank paper"),
            ],
            advanced=("threshold", "paper"),
            outputs=[io.Image.Output("IMAGE", display_name="image", tooltip="The picture, one region blank.")],
        )

    @classmethod
    @checked
    def execute(cls, image, mask, whiten, threshold, paper, kind="picture", transparency=None) -> io.NodeOutput:
        blank = 0.0 if kind == "line_map" else paper
        return io.NodeOutput(bleach_frames(image, mask, whiten, threshold, blank, transparency))
