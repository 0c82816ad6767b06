"""Shots: many frames with one carrier."""

from comfy_api.latest import io

from ...colorize_core.host.shot.sequence import SequenceSettings, sample_sequence, sampler_names, scheduler_names
from ...colorize_core.shot.frame_seeds import SEED_RULES
from ..checked import checked
from ..inputs import guidance, seed
from ..schema import node_schema


class ColorizeSampleSequence(io.ComfyNode):
    """Sample a shot in chunks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeSampleSequence",
            display_name="Sample Sequence",
            category="ColorizeDiffusion",
            description="KSampler for a shot: the frames of the batch are sampled in chunks that fit in memory. A "
            "frame comes out the same however the shot is cut and on whatever machine.",
            inputs=[
                io.Model.Input("model", tooltip="From Apply Colorization, whose sketch mask is one or one a frame."),
                io.Conditioning.Input(
                    "positive", tooltip="After Apply ControlNet with the line maps, one for each frame."
                ),
                io.Conditioning.Input("negative", tooltip="After the same Apply ControlNet."),
                io.Latent.Input(
                    "latent_image",
                    tooltip="Empty Latent Image with batch_size = number of frames; or the frames themselves, encoded.",
                ),
                seed("Seed of the noise.", control_after_generate=True),
                io.Combo.Input(
                    "seed_rule",
                    options=list(SEED_RULES),
                    default="same_noise",
                    tooltip="same_noise: every frame starts from the same noise, which keeps flat areas steady. "
                    "seed_per_frame: frame n starts from seed + n.",
                ),
                io.Int.Input(
                    "first_frame",
                    default=0,
                    min=-10_000_000,
                    max=10_000_000,
                    tooltip="Number of the batch's first frame in the whole shot, so that a part of a shot comes out "
                    "as in the whole. Counts with seed_per_frame.",
                ),
                io.Int.Input(
                    "chunk_size",
                    default=0,
                    min=0,
                    max=4096,
                    tooltip="Frames sampled together; 0: as many as fit in memory by ComfyUI's estimate, at most 16.",
                ),
                io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Steps of each frame."),
                io.Float.Input(
                    "cfg",
                    default=4.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="How strongly the result follows the reference; 1 switches this off.",
                ),
                io.Combo.Input("sampler_name", options=sampler_names(), default="euler", tooltip="As in KSampler."),
                io.Combo.Input("scheduler", options=scheduler_names(), default="normal", tooltip="As in KSampler."),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 for a second pass over frames that are already coloured.",
                ),
                io.Conditioning.Input(
                    "blank_sketch",
                    optional=True,
                    tooltip="As in Colorize Guider: the positive conditioning with a black image. Needed where "
                    "cfg_sketch is not 1.",
                ),
                guidance("cfg_sketch", 1.0, "How strongly the result follows the lines", optional=True),
                io.String.Input(
                    "frame_numbers",
                    default="",
                    optional=True,
                    force_input=True,
                    tooltip="Frame numbers of Load Frames, in place of first_frame: needed where frames are left out. "
                    "Counts with seed_per_frame.",
                ),
            ],
            advanced=("first_frame", "chunk_size", "cfg_sketch"),
            outputs=[io.Latent.Output("LATENT", display_name="latent", tooltip="All frames, for VAE Decode.")],
        )

    @classmethod
    @checked
    def execute(cls, model, positive, negative, latent_image, blank_sketch=None, **settings) -> io.NodeOutput:
        """Sample."""
        sequence = SequenceSettings(**settings)
        return io.NodeOutput(sample_sequence(model, positive, negative, latent_image, sequence, blank_sketch))
