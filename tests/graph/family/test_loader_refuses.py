"""Files that the checkpoint loader refuses: each message says what the file is, what is missing, and what to do."""

import contextlib
import pickle

import pytest

UNET = "model.diffusion_model."
#: Names as the files of other models have them; each tensor is a few numbers.
OTHER_FILES = {
    "a Stable Diffusion 1.x checkpoint": [
        UNET + "input_blocks.0.0.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
    "a Stable Diffusion 2.x checkpoint": [
        UNET + "input_blocks.0.0.weight",
        "cond_stage_model.model.transformer.resblocks.0.ln_1.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
    "an SDXL checkpoint": [
        UNET + "input_blocks.0.0.weight",
        "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
        "conditioner.embedders.1.model.ln_final.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
    "an SDXL refiner checkpoint": [UNET + "input_blocks.0.0.weight", "conditioner.embedders.0.model.ln_final.weight"],
    "a Stable Diffusion 3 checkpoint": [UNET + "joint_blocks.0.context_block.attn.qkv.weight"],
    "a Flux checkpoint": ["double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"],
    "an incomplete ColorizeDiffusion v1 checkpoint": [
        UNET + "input_blocks.0.0.weight",
        "cond_stage_model.visual.model.conv1.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
    "an incomplete ColorizeDiffusion v1.5 checkpoint": [
        UNET + "input_blocks.0.0.weight",
        UNET + "output_blocks.3.1.transformer_blocks.0.attn2.to_q.lora_down_fg.weight",
        "control_encoder.model.0.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
    "a LoRA": ["lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"],
    "a LoRA ": ["unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k.lora_A.weight"],
    "a LoRA  ": ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_k_lora.up.weight"],
    "a LoRA   ": ["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"],
    "a VAE": ["encoder.conv_in.weight", "decoder.up.0.block.0.conv1.weight"],
    "a VAE ": ["encoder.conv_in.weight", "decoder.up_blocks.0.resnets.0.norm1.weight"],
    "a ControlNet": ["control_model.input_hint_block.0.weight", "control_model.zero_convs.0.0.weight"],
    "a ControlNet ": ["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.resnets.0.conv1.weight"],
    "a T2I adapter": ["body.0.in_conv.weight", "conv_in.weight"],
    "an IP-Adapter": ["ip_adapter.1.to_k_ip.weight", "image_proj.proj.weight"],
    "an IS-Net segmenter": ["stage1.rebnconvin.conv_s1.weight", "side1.weight"],
    "a CLIP image tower": ["vision_model.embeddings.class_embedding", "visual_projection.weight"],
    "a CLIP image tower ": ["visual.conv1.weight", "visual.transformer.resblocks.0.ln_1.weight"],
    "a CLIP text encoder": ["text_model.embeddings.token_embedding.weight"],
    "a T5 text encoder": ["encoder.block.0.layer.0.SelfAttention.q.weight", "shared.weight"],
    "a diffusers UNet": [
        "down_blocks.0.resnets.0.conv1.weight",
        "mid_block.resnets.0.conv1.weight",
        "conv_norm_out.weight",
        "time_embedding.linear_1.weight",
    ],
    "no checkpoint this pack knows": ["weight", "bias"],
}

#: Part -> (what the message calls it, one of its names; the name must be in the file for the part to be there).
PARTS = {
    "the UNet": UNET + "input_blocks.0.0.weight",
    "the split LoRA": UNET + "output_blocks.3.1.transformer_blocks.0.attn2.to_q.lora_down_fg.weight",
    "background injection": UNET + "warp_modules.",
    "style modulation": UNET + "style_modules.",
    "the background encoder": "bg_encoder.",
    "the style encoder": "style_encoder.",
    "the sketch encoder": "control_encoder.",
    "the VAE": "first_stage_model.",
}

#: One weight of each part that may be gone or of another shape, and what the message calls the part.
WEIGHTS = {
    UNET + "middle_block.1.proj_in.weight": "the UNet",
    UNET + "time_embed.2.bias": "the UNet",
    UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": "the UNet",
    UNET + "output_blocks.7.1.transformer_blocks.0.attn2.to_v.lora_up_bg.weight": "split LoRA",
    UNET + "output_blocks.7.1.transformer_blocks.0.attn2.to_v.lora_down_bg.weight": "split LoRA",
    UNET + "warp_modules.4.attn.to_out.0.bias": "background injection",
    UNET + "warp_modules.11.norm1.weight": "background injection",
    UNET + "style_modules.7.2.weight": "style modulation",
    UNET + "style_modules.11.1.weight": "style modulation",
    "bg_encoder.zero_layers.3.weight": "the background encoder",
    "bg_encoder.input_blocks.4.0.emb_layers.1.weight": "the background encoder",
    "bg_encoder.label_emb.0.0.weight": "the background encoder",
    "style_encoder.zero_layers.11.bias": "the style encoder",
    "style_encoder.time_embed.0.weight": "the style encoder",
    "control_encoder.model.6.weight": "the sketch encoder",
    "control_encoder.zero_blocks.3.0.bias": "the sketch encoder",
    "control_encoder.output_blocks.2.1.weight": "the sketch encoder",
    "first_stage_model.decoder.mid.attn_1.k.weight": "the VAE",
    "first_stage_model.encoder.conv_in.weight": "the VAE",
    "first_stage_model.post_quant_conv.weight": "the VAE",
    "cond_stage_model.visual.model.transformer.resblocks.1.mlp.c_fc.weight": "the image tower",
    "cond_stage_model.visual.model.positional_embedding": "the image tower",
    "cond_stage_model.visual.model.proj": "the image tower",
}


@pytest.fixture
def refused(pack):
    """A function that loads tensors and returns the message that refuses them."""

    def load(tensors, name="some.safetensors"):
        with pytest.raises(pack.Error) as caught:
            pack.module("colorize_core.host.family.checkpoint").load_tensors(tensors, name)
        return str(caught.value)

    return load


@pytest.fixture
def refused_file(pack, base_directory):
    """A function that writes a file into models/checkpoints, loads it by the node and returns the message."""
    path = None

    def load(name, write):
        nonlocal path
        path = base_directory / "models" / "checkpoints" / name
        write(path)
        with pytest.raises(pack.Error) as caught:
            pack.run("ColorizeCheckpointLoader", ckpt_name=name)
        return str(caught.value)

    yield load
    path.unlink()


@pytest.mark.parametrize("what", OTHER_FILES)
def test_another_kind_of_file_is_named(host, refused, what):
    names = OTHER_FILES[what]
    message = refused({name: host.torch.zeros(1) for name in names})
    assert f"some.safetensors is {what.strip()} ({len(names)} tensors)" in message
    assert f"of 8 parts of a ColorizeDiffusion v2 checkpoint {len(names)}" not in message
    assert "it lacks" in message and "first missing names: " in message
    assert message.rstrip().endswith(".") and any(
        word in message for word in ("Load", "Use", "use", "needed", "Download")
    )


def test_the_node_refuses_a_plain_stable_diffusion_file(host, refused_file):
    from safetensors.torch import save_file

    tensors = {name: host.torch.zeros(1) for name in OTHER_FILES["a Stable Diffusion 2.x checkpoint"]}
    message = refused_file("sd2.safetensors", lambda path: save_file(tensors, str(path)))
    assert message.startswith("sd2.safetensors is a Stable Diffusion 2.x checkpoint")
    assert "Load Checkpoint" in message


@pytest.mark.parametrize("part", PARTS)
def test_a_file_without_one_of_its_parts_names_the_part(tiny_tensors, refused, part):
    start = PARTS[part]
    kept = {name: tensor for name, tensor in tiny_tensors.items() if not name.startswith(start)}
    message = refused(kept)
    assert "an incomplete ColorizeDiffusion v2 checkpoint" in message
    assert f"lacks 1: {part} (first missing names: {start}" in message


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_single_missing_weight_is_named(tiny_tensors, refused, name):
    message = refused({key: tensor for key, tensor in tiny_tensors.items() if key != name})
    assert WEIGHTS[name] in message and "some.safetensors" in message
    assert "download the checkpoint again" in message


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_weight_of_another_shape_is_named(host, tiny_tensors, refused, name):
    shape = list(tiny_tensors[name].shape)
    message = refused({**tiny_tensors, name: host.torch.zeros([shape[0] + 1, *shape[1:]])})
    assert WEIGHTS[name] in message and "some.safetensors" in message
    assert "download the checkpoint again" in message


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (UNET + "output_blocks.11.1.transformer_blocks.0.attn2.to_{}.lora_", "split LoRA"),
        (UNET + "warp_modules.11.", "background injection"),
        (UNET + "style_modules.11.", "style modulation"),
        ("bg_encoder.zero_layers.11.", "the background encoder"),
        ("style_encoder.zero_layers.11.", "the style encoder"),
        ("control_encoder.output_blocks.3.", "the sketch encoder"),
        ("cond_stage_model.visual.model.transformer.resblocks.0.", "the image tower"),
        ("first_stage_model.encoder.down.3.", "the VAE"),
        (UNET + "output_blocks.11.", "the UNet"),
        (UNET + "input_blocks.11.", "the UNet"),
    ],
)
def test_a_part_that_ends_too_early_is_named(tiny_tensors, refused, start, part):
    starts = tuple(start.format(projection) for projection in "qkv")
    message = refused({key: tensor for key, tensor in tiny_tensors.items() if not key.startswith(starts)})
    assert part in message and "download the checkpoint again" in message


def test_names_that_a_part_does_not_know_are_told_with_their_count(host, tiny_tensors, refused):
    extra = {f"control_encoder.extra.{i}.weight": host.torch.zeros(1) for i in range(5)}
    message = refused({**tiny_tensors, **extra})
    assert "the sketch encoder" in message
    assert "5 not known: extra.0.weight, extra.1.weight, extra.2.weight, …" in message


def test_many_missing_weights_are_counted_and_the_first_are_named(tiny_tensors, refused):
    kept = {k: v for k, v in tiny_tensors.items() if not k.startswith("first_stage_model.decoder.mid.")}
    missing = len(tiny_tensors) - len(kept)
    message = refused(kept)
    assert f"does not fit the VAE: {missing} missing: decoder.mid." in message
    assert message.count("decoder.mid.") == 3


@pytest.mark.parametrize("size", [0, 4, 8, 60, 3000, 5000, 100_000, -1])
def test_a_truncated_safetensors_file_is_refused(host, refused_file, size):
    from safetensors.torch import save

    data = save({f"control_encoder.model.{i}.weight": host.torch.zeros(16, 16, 3, 3) for i in range(40)})
    message = refused_file("truncated.safetensors", lambda path: path.write_bytes(data[:size]))
    assert "truncated.safetensors cannot be read (" in message
    assert "truncated" in message and "download it again" in message


def test_a_truncated_pickle_is_refused(host, refused_file):
    def write(path):
        host.torch.save({"state_dict": {"weight": host.torch.zeros(1000)}}, path)
        path.write_bytes(path.read_bytes()[:-500])

    message = refused_file("truncated.ckpt", write)
    assert "truncated.ckpt cannot be read (" in message and "download it again" in message


class Payload:
    """Pickled, it writes a file as soon as it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


@pytest.mark.parametrize("ending", ["ckpt", "pt", "pth"])
@pytest.mark.parametrize("writer", ["torch", "plain"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_a_payload_is_refused_without_running_it(host, refused_file, tmp_path, ending, writer):
    trace = tmp_path / "trace"
    content = {"state_dict": {"weight": host.torch.zeros(1)}, "callbacks": Payload(trace)}

    def write(path):
        if writer == "torch":
            host.torch.save(content, path)
        else:
            path.write_bytes(pickle.dumps(content))

    message = refused_file(f"payload.{ending}", write)
    assert not trace.exists()
    assert "can run any program" in message and "safetensors" in message
    assert "weights_only" not in message  # PyTorch's own advice would be to run it


@pytest.mark.parametrize("text", [b"", b"<html>Not found</html>"])
def test_a_text_under_a_checkpoints_name_is_refused(refused_file, text):
    message = refused_file("text.ckpt", lambda path: path.write_bytes(text))
    assert "text.ckpt" in message


@pytest.mark.parametrize("content", ["list", "tensor", "numbers", "text", "empty", "odd names"])
def test_a_pickle_that_holds_no_named_tensors_is_refused(host, refused_file, content):
    torch = host.torch
    contents = {
        "list": [torch.zeros(1)],
        "tensor": torch.zeros(3),
        "numbers": {"epoch": 3, "state_dict": 4},
        "text": "hello",
        "empty": {},
        "odd names": {1: torch.zeros(1), 2: torch.zeros(1)},
    }
    message = refused_file("odd.pt", lambda path: torch.save(contents[content], path))
    assert "odd.pt is a file without tensors" in message or "odd.pt cannot be read" in message
    assert "ownload" in message


NO_WEIGHTS = {
    "one number that says it is a million rows": (
        lambda torch: torch.zeros(1).expand(1_000_000, 1_000_000),
        "[1000000, 1000000] over 4 bytes",
    ),
    "whole numbers": (lambda torch: torch.zeros(32, dtype=torch.int64), "int64"),
    "complex numbers": (lambda torch: torch.zeros(32, dtype=torch.complex64), "complex64"),
    "sparse": (lambda torch: torch.zeros(32).to_sparse(), "a sparse, quantized or empty tensor"),
    "without contents": (lambda torch: torch.zeros(32, device="meta"), "a sparse, quantized or empty tensor"),
}
"""What -> how it is made, and what the message calls it."""


@pytest.mark.parametrize("what", NO_WEIGHTS)
@pytest.mark.parametrize("start", [UNET, "first_stage_model.", "bg_encoder.", "cond_stage_model.visual.model."])
def test_a_tensor_that_is_no_plain_weight_is_named(host, tiny_tensors, refused, start, what):
    make, words = NO_WEIGHTS[what]
    name = next(key for key in tiny_tensors if key.startswith(start))
    message = refused({**tiny_tensors, name: make(host.torch)})
    assert f"is {words}; expected floating-point numbers" in message and "some.safetensors" in message


def test_sizes_read_off_a_huge_weight_take_no_memory(host, tiny_tensors, refused):
    """A file of a few numbers in which one weight tells of a UNet of terabytes."""
    huge = UNET + "time_embed.0.weight"
    message = refused({**tiny_tensors, huge: host.torch.zeros(1).expand(4_000_000, 1_000_000)})
    assert "over 4 bytes" in message


def test_a_refused_file_leaves_nothing_loaded_behind(studio, tiny_tensors, pack):
    import comfy.model_management

    kinds = ("LatentEncoder", "SketchEncoder", "BackgroundPath", "StyleModulation", "UNetModel", "AutoencoderKL")
    before = {id(thing) for thing in studio.alive(*kinds)}
    loaded = len(comfy.model_management.current_loaded_models)
    kept = {k: v for k, v in tiny_tensors.items() if k != UNET + "middle_block.1.proj_in.weight"}
    with contextlib.suppress(pack.Error):
        pack.module("colorize_core.host.family.checkpoint").load_tensors(kept, "some.safetensors")
    assert [type(thing).__name__ for thing in studio.alive(*kinds) if id(thing) not in before] == []
    assert len(comfy.model_management.current_loaded_models) == loaded
