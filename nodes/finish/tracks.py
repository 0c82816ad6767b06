"""Regions followed through a shot, so that flats do not flicker."""

from comfy_api.latest import io, ui

from ...colorize_core.host.finish.tracks import track_frames
from ..checked import checked
from ..schema import node_schema
from ..sockets import Palette, Regions


class ColorizeTrackRegions(io.ComfyNode):
    """Find which regions of a shot are the same, and give each one swatch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeTrackRegions",
            display_name="Track Regions",
            category="ColorizeDiffusion/finish",
            shows_picture=True,
            description="Finds which regions of a shot's frames are the same one, and gives each track the one swatch "
            "that its pixels in all frames vote for, so that colours do not flicker.",
            inputs=[
                Regions.Input(
                    "regions",
                    tooltip="A shot's, of Line Regions or of Flats. Tones of Flats stay, and what was corrected there "
                    "goes for the whole track.",
                ),
                io.Image.Input("image", tooltip="The shot's coloured frames, as many as there are drawings. Any size."),
                Palette.Input(
                    "palette",
                    optional=True,
                    tooltip="The colours that may come; without it those of Flats, or the shot's own.",
                ),
                io.Image.Input(
                    "anchor",
                    optional=True,
                    tooltip="Flats of one frame put right by hand, in exact colours of the palette: they win for their "
                    "tracks in all frames.",
                ),
                io.Int.Input(
                    "anchor_frame",
                    default=0,
                    min=0,
                    max=1_000_000,
                    optional=True,
                    tooltip="Which frame of this batch the anchor shows, counted from 0.",
                ),
            ],
            outputs=[
                Regions.Output(
                    "REGIONS",
                    display_name="regions",
                    tooltip="With tracks and their swatches, for Save Cels, Ink Over, Save Layers and Flats, which "
                    "then keeps them.",
                ),
                io.Image.Output(
                    "IMAGE",
                    display_name="strip",
                    tooltip="All frames small, each track in a colour of its own; what is new in a frame has a magenta "
                    "border.",
                ),
                io.Image.Output("FLATS", display_name="flats", tooltip="The flat colours, at the drawing's size."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @checked
    def execute(cls, regions, image, palette=None, anchor=None, anchor_frame=0) -> io.NodeOutput:
        """Follow them."""
        tracked, strip, flats = track_frames(regions, image, palette, anchor, anchor_frame)
        return io.NodeOutput(tracked, strip, flats, ui=ui.PreviewImage(strip, cls=cls))
