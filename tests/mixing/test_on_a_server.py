"""Every mixture as a workflow on a real server: templates of workflows/, and prompts of tests/mixing/workflows.

Latents are compared, as Save Latent writes them, so that equal means equal to the bit.
"""

import copy
import io
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.thorough

SAME, NOTICED = 2e-5, 1e-3
#: What a compiler's or a Fourier transform's other order of sums makes.
ROUNDED = 1e-4
STRENGTH = 0.7  # at which the checkpoint with the LoRA in it has it

HERE = Path(__file__).resolve().parent
TEMPLATES, PROMPTS = HERE.parent.parent / "workflows", HERE / "workflows"

SIZE, STEPS = 128, 2
PICTURES = {
    "Drawing": "drawing",
    "Reference": "reference",
    "Second reference": "other_reference",
    "Depth map": "reference",
    "Picture": "painted",
}
PLAIN, SPLIT = "sketch_and_reference", "character_and_background"


# --- the server ---


@pytest.fixture(scope="module")
def compiled_kernels(tmp_path_factory):
    """The folder into which the server's compiler puts what it has made."""
    return tmp_path_factory.mktemp("inductor")


@pytest.fixture(scope="module")
def server(comfyui_path, base_directory, tiny_checkpoint, comfyui_server, workflow_scripts, compiled_kernels):
    """One server for all tests here, with the models of the host in this process, another pack, and previews."""
    workflow_scripts["build"].tested_mixes.link_adapter_pack(base_directory)
    flags = ["--cpu", "--fp32-unet", "--fp32-vae", "--fp32-text-enc", "--preview-method", "latent2rgb"]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TORCHINDUCTOR_CACHE_DIR", str(compiled_kernels))
        with comfyui_server.Server(comfyui_path, base_directory, flags) as running:
            yield running


@pytest.fixture(scope="module")
def object_info(server):
    return server.get("/object_info")


@pytest.fixture(scope="module")
def tools(workflow_scripts):
    return workflow_scripts["prompt"]


@pytest.fixture(scope="module")
def uploaded(server, pictures, tmp_path_factory):
    """{name: what LoadImage calls it}; "painted" is a colour picture whose upper left the mask editor has painted."""
    from PIL import Image, ImageDraw

    picture = Image.linear_gradient("L").resize((256, 192))
    picture = Image.merge("RGB", (picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), picture))
    mask = Image.new("L", picture.size, 255)
    ImageDraw.Draw(mask).rectangle((0, 0, 127, 95), fill=0)
    picture.putalpha(mask)
    path = tmp_path_factory.mktemp("painted") / "painted.png"
    picture.save(path)
    return {name: server.upload_image(file) for name, file in {**pictures, "painted": path}.items()}


@pytest.fixture(scope="module")
def workflow(tools, object_info, uploaded, tiny_checkpoint):
    """A function that makes a workflow's prompt with the test's files and size, after `change` of a template's JSON."""

    def load(name, change=None):
        template = TEMPLATES / f"{name}.json"
        if template.is_file():
            saved = json.loads(template.read_text(encoding="utf-8"))
            if change:
                change(saved)
            prompt = tools.to_prompt(saved, object_info)
        else:
            prompt = json.loads((PROMPTS / f"{name}.json").read_text(encoding="utf-8"))
        tools.use_embedded_tower(prompt)
        for node in prompt.values():
            kind, title, inputs = node["class_type"], node["_meta"]["title"], node["inputs"]
            if kind == "ColorizeCheckpointLoader" and title == kind:
                inputs["ckpt_name"] = tiny_checkpoint.name
            elif kind == "LoadImage":
                inputs["image"] = uploaded[PICTURES[title]]
            elif kind == "KSampler":
                inputs |= {"seed": 5, "steps": STEPS, "cfg": 2.0}
        tools.set_inputs(prompt, "Width", value=SIZE)
        tools.set_inputs(prompt, "Height", value=SIZE)
        return prompt

    return load


@pytest.fixture(scope="module")
def run(server, base_directory):
    """A function that queues a prompt and returns `.latent` of the last sampler, `.pictures`, `.ran`, `.previews`."""
    from safetensors.torch import load_file

    def queue(prompt):
        prompt, previews = copy.deepcopy(prompt), []
        (decoder,) = (node for node in prompt.values() if node["class_type"].startswith("VAEDecode"))
        inputs = {"samples": decoder["inputs"]["samples"], "filename_prefix": "latents/mixing"}
        prompt["latent"] = {"class_type": "SaveLatent", "inputs": inputs, "_meta": {"title": "Save Latent"}}
        done = server.run(prompt, on_preview=previews.append)
        (saved,) = done.outputs["latent"]["latents"]
        latent = load_file(str(base_directory / "output" / saved["subfolder"] / saved["filename"]))["latent_tensor"]
        assert latent.isfinite().all()
        ran = [prompt[node]["class_type"] for node in done.executed]
        return SimpleNamespace(latent=latent, pictures=server.fetch_images(done), ran=ran, previews=previews)

    return queue


@pytest.fixture(scope="module")
def latent(run):
    """A function that queues a prompt and returns its latent."""
    return lambda prompt: run(prompt).latent


@pytest.fixture(scope="module")
def plain(workflow, latent):
    """A function that gives the latent of a template with nothing mixed in, or with changes to its nodes' inputs."""
    return lambda name: latent(workflow(name))


def difference(a, b):
    """‖a - b‖/‖b‖."""
    return float((a - b).norm() / b.norm())


def equal(a, b):
    return a.shape == b.shape and bool((a == b).all())


@pytest.fixture(scope="module")
def insert(tools):
    """A function that puts a node of one MODEL input before or behind Apply Colorization."""

    def put(prompt, where, kind, title="inserted", **inputs):
        apply = tools.find(prompt, "ColorizeApply")
        if where == "before":
            inputs["model"] = prompt[apply]["inputs"]["model"]
            users = [prompt[apply]]
        else:
            inputs["model"] = [apply, 0]
            users = [node for node in prompt.values() if node["inputs"].get("model") == [apply, 0]]
        for node in users:
            node["inputs"]["model"] = [title, 0]
        prompt[title] = {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}
        return prompt

    return put


def take_out(prompt, tools, key):
    """Remove a node of one MODEL input and output; return its inputs."""
    number = tools.find(prompt, key)
    inputs = prompt.pop(number)["inputs"]
    for node in prompt.values():
        if node["inputs"].get("model") == [number, 0]:
            node["inputs"]["model"] = inputs["model"]
    return inputs


def bypass(*titles):
    """A function that bypasses nodes of a template, as Ctrl+B does."""

    def change(saved):
        found = [node for node in saved["nodes"] if node.get("title", node["type"]) in titles]
        assert len(found) == len(titles)
        for node in found:
            node["mode"] = 4

    return change


def unbypass(*titles):
    """A function that switches bypassed nodes of a template on."""

    def change(saved):
        found = [node for node in saved["nodes"] if node.get("title", node["type"]) in titles]
        assert len(found) == len(titles) and all(node["mode"] == 4 for node in found)
        for node in found:
            node["mode"] = 0

    return change


@pytest.mark.parametrize("name", [path.stem for path in sorted(PROMPTS.glob("*.json"))])
def test_file_is_what_its_description_gives(name, object_info, workflow_scripts, same_prompt):
    build = workflow_scripts["build"]
    built = json.loads(build.as_text(build.tested_mixes.BUILDERS[name](object_info)))
    written = json.loads((PROMPTS / f"{name}.json").read_text(encoding="utf-8"))
    same_prompt(written, built)


def test_every_described_mixture_has_its_file(workflow_scripts):
    assert {path.stem for path in PROMPTS.glob("*.json")} == set(workflow_scripts["build"].tested_mixes.BUILDERS)


# --- LoRA ---


def test_a_lora_loaded_by_its_template(workflow, latent, plain, insert, tools, lora_name):
    """At strength 0 it is none, at 1 it acts, before Apply Colorization and behind it alike."""
    prompt = workflow("mix_lora")
    tools.set_inputs(prompt, "LoraLoaderModelOnly", lora_name=lora_name, strength_model=0.0)
    without = plain(PLAIN)
    assert equal(latent(prompt), without)
    tools.set_inputs(prompt, "LoraLoaderModelOnly", strength_model=1.0)
    before = latent(prompt)
    assert difference(before, without) > NOTICED
    behind = copy.deepcopy(prompt)
    inputs = take_out(behind, tools, "LoraLoaderModelOnly")
    inputs.pop("model")
    assert equal(latent(insert(behind, "behind", "LoraLoaderModelOnly", **inputs)), before)


def test_all_kinds_of_names_load_the_same(workflow, latent, tools, lora_file):
    prompt, latents = workflow("mix_lora"), []
    for kind in ("kohya", "diffusers", "original"):
        tools.set_inputs(prompt, "LoraLoaderModelOnly", lora_name=lora_file(kind))
        latents.append(latent(prompt))
    assert equal(latents[0], latents[1]) and equal(latents[0], latents[2])


def test_a_lora_acts_on_character_and_background_as_if_it_were_in_the_checkpoint(
    workflow, latent, insert, tools, lora_file, checkpoint_with_lora
):
    loaded = insert(
        workflow(SPLIT), "behind", "LoraLoaderModelOnly", lora_name=lora_file("kohya"), strength_model=STRENGTH
    )
    inside = workflow(SPLIT)
    tools.set_inputs(inside, "ColorizeCheckpointLoader", ckpt_name=checkpoint_with_lora)
    assert difference(latent(loaded), latent(inside)) < SAME


@pytest.fixture(scope="module")
def text_encoder(host, base_directory):
    """models/text_encoders with the text tower of SD 2.1 (0.7 GB): all of its layers but the first do nothing."""
    torch = host.torch
    import comfy.text_encoders.sd2_clip
    from safetensors.torch import save_file

    with torch.device("meta"):
        tower = comfy.text_encoders.sd2_clip.SD2ClipHModel(device="meta", dtype=torch.float16).transformer
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, tensor in tower.state_dict().items():
        if name.endswith(("norm1.weight", "norm2.weight", "norm.weight")):
            weights[name] = torch.ones(tensor.shape, dtype=torch.float16)
        elif "embedding" in name or "layers.0." in name or "text_projection" in name:
            weights[name] = (torch.randn(tensor.shape, generator=generator) * 0.03).half()
        else:
            weights[name] = torch.zeros(tensor.shape, dtype=torch.float16)
    path = base_directory / "models" / "text_encoders" / "clip-h.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(weights, str(path))
    yield path.name
    path.unlink()


@pytest.fixture(scope="module")
def lora_for_text_too(host, lora_file, base_directory):
    """The LoRA with kohya names, with two layers of the text encoder in it."""
    from safetensors.torch import load_file, save_file

    folder = base_directory / "models" / "loras"
    tensors = load_file(str(folder / lora_file("kohya")))
    generator = host.torch.Generator().manual_seed(4)
    for layer in ("mlp_fc2", "self_attn_out_proj"):
        name, width = f"lora_te_text_model_encoder_layers_0_{layer}", 4096 if layer == "mlp_fc2" else 1024
        tensors[f"{name}.lora_down.weight"] = host.torch.randn(4, width, generator=generator) / width**0.5
        tensors[f"{name}.lora_up.weight"] = host.torch.randn(1024, 4, generator=generator)
        tensors[f"{name}.alpha"] = host.torch.tensor(4.0)
    save_file(tensors, str(folder / "with-text.safetensors"))
    return "with-text.safetensors"


def test_load_lora_with_a_text_encoder(
    server, workflow, latent, tools, comfyui_server, text_encoder, lora_for_text_too
):
    """Its part for the model is that of the loader without CLIP; its part for the text reaches the words."""
    prompt = workflow("lora_and_text")

    def loaded(model, clip):
        inputs = {"lora_name": lora_for_text_too, "strength_model": model, "strength_clip": clip}
        tools.set_inputs(prompt, "LoraLoader", **inputs)
        return latent(prompt)

    none, model_only, both = loaded(0.0, 0.0), loaded(1.0, 0.0), loaded(1.0, 1.0)
    assert difference(model_only, none) > NOTICED and difference(both, model_only) > NOTICED
    lora, clip = tools.find(prompt, "LoraLoader"), tools.find(prompt, "CLIPLoader")
    prompt[lora]["class_type"] = "LoraLoaderModelOnly"
    for name in ("clip", "strength_clip"):
        del prompt[lora]["inputs"][name]
    for title in ("target", "control"):
        tools.set_inputs(prompt, title, clip=[clip, 0])
    assert equal(latent(prompt), model_only)
    prompt[lora]["class_type"] = "LoraLoader"
    prompt[lora]["inputs"]["strength_clip"] = 1.0
    del prompt[tools.find(prompt, "PreviewImage")]  # with something left to do the server leaves the rest undone
    with pytest.raises(comfyui_server.ServerError, match=r"(?s)Required input is missing.*clip"):
        server.run(prompt)


# --- ControlNets ---


@pytest.fixture(scope="module")
def chain(workflow, tools, control_files):
    """A function that makes the template's prompt with its three Apply ControlNet in another order, or with fewer."""
    titles = {"depth": "Apply Depth", "lines": "Apply Line Map", "adapter": "Apply T2I Adapter"}

    def make(*order, **strengths):
        prompt = workflow("mix_controlnet", unbypass("Apply T2I Adapter"))
        tools.set_inputs(prompt, "Depth ControlNet", control_net_name=control_files["controlnet"])
        tools.set_inputs(prompt, "T2I Adapter", control_net_name=control_files["t2i_adapter"])
        last = tools.find(prompt, "ColorizeApply")
        wires = {"positive": [last, 1], "negative": [last, 2]}
        for kind in order:
            tools.set_inputs(prompt, titles[kind], **wires)
            if kind in strengths:
                tools.set_inputs(prompt, titles[kind], strength=strengths[kind])
            number = tools.find(prompt, titles[kind])
            wires = {"positive": [number, 0], "negative": [number, 1]}
        tools.set_inputs(prompt, "KSampler", **wires)
        return prompt

    return make


@pytest.mark.parametrize("added", ["depth", "adapter"])
def test_a_controlnet_before_and_behind_the_line_map(latent, plain, chain, added):
    before, behind = latent(chain(added, "lines")), latent(chain("lines", added))
    assert difference(before, behind) < SAME
    for alone in (latent(chain(added)), latent(chain("lines"))):
        assert difference(before, alone) > NOTICED
    without = plain(PLAIN)
    assert equal(latent(chain("lines")), without)
    assert difference(latent(chain(added, "lines", **{added: 0.0})), without) < SAME


def test_both_at_once_and_the_template_as_it_is(workflow, latent, tools, chain, control_files):
    prompt = workflow("mix_controlnet")
    tools.set_inputs(prompt, "Depth ControlNet", control_net_name=control_files["controlnet"])
    # The adapter's file is missing, and not needed while the node behind its loader is bypassed.
    assert equal(latent(prompt), latent(chain("depth", "lines")))
    three = latent(chain("depth", "lines", "adapter"))
    assert difference(three, latent(chain("adapter", "depth", "lines"))) < SAME
    assert difference(three, latent(chain("depth", "lines"))) > NOTICED


# --- attention of other packs ---


@pytest.fixture(scope="module")
def hypernetwork(host, base_directory):
    """A file in models/hypernetworks: one linear layer each for the keys' and the values' tokens."""
    torch = host.torch
    generator = torch.Generator().manual_seed(9)

    def layer():
        weight = torch.randn(1024, 1024, generator=generator) / 1024**0.5
        return {"linear.0.weight": weight, "linear.0.bias": torch.zeros(1024)}

    path = base_directory / "models" / "hypernetworks" / "hypernetwork.pt"
    path.parent.mkdir(exist_ok=True)
    torch.save({1024: (layer(), layer()), "activation_func": "linear"}, str(path))
    return path.name


def test_adapters_before_and_behind(workflow, latent, plain, insert, tools, hypernetwork):
    """Two adapters that replace attention, a hypernetwork that patches its inputs: the order makes no difference."""
    mixed = latent(workflow("other_packs_attention"))
    for where in ("before", "behind"):
        prompt = workflow("other_packs_attention")
        inputs = take_out(prompt, tools, "Last Adapter" if where == "before" else "First Adapter")
        inputs.pop("model")
        assert difference(latent(insert(prompt, where, "TestAdapterApply", **inputs)), mixed) < SAME
    prompt = workflow("other_packs_attention")
    inputs = take_out(prompt, tools, "HypernetworkLoader")
    inputs.pop("model")
    assert difference(latent(insert(prompt, "behind", "HypernetworkLoader", **inputs)), mixed) < SAME


def test_each_adapter_counts_and_at_no_weight_is_none(workflow, latent, plain, tools, hypernetwork):
    mixed = latent(workflow("other_packs_attention"))
    weights = {"First Adapter": "weight", "Last Adapter": "weight", "HypernetworkLoader": "strength"}
    none = workflow("other_packs_attention")
    for title, name in weights.items():
        without = workflow("other_packs_attention")
        tools.set_inputs(without, title, **{name: 0.0})
        tools.set_inputs(none, title, **{name: 0.0})
        assert difference(latent(without), mixed) > NOTICED
    assert difference(latent(none), plain(SPLIT)) < SAME


# --- patches of ComfyUI's own ---

NEUTRAL = {
    "FreeU_V2": {"b1": 1.0, "b2": 1.0, "s1": 1.0, "s2": 1.0},
    "PerturbedAttentionGuidance": {"scale": 0.0},
}


def test_patches_of_the_core(workflow, latent, plain, insert, tools):
    """Each acts; bypassed it is not there; at neutral settings it changes nothing, before and behind."""
    prompt, without = workflow("mix_model_patches"), plain(PLAIN)
    mixed = latent(prompt)
    assert equal(latent(workflow("mix_model_patches", bypass(*NEUTRAL))), without)
    for name in NEUTRAL:
        assert difference(latent(workflow("mix_model_patches", bypass(name))), mixed) > NOTICED
    for name, inputs in NEUTRAL.items():
        tools.set_inputs(prompt, name, **inputs)
    assert difference(latent(prompt), without) < ROUNDED
    for name, inputs in NEUTRAL.items():
        assert difference(latent(insert(workflow(PLAIN), "before", name, **inputs)), without) < ROUNDED


def test_perturbed_attention_before_is_as_behind(workflow, latent, plain, insert):
    before, behind = (
        latent(insert(workflow(SPLIT), where, "PerturbedAttentionGuidance", scale=2.0))
        for where in ("before", "behind")
    )
    assert difference(before, behind) < SAME and difference(before, plain(SPLIT)) > NOTICED


def test_a_compiled_model_gives_the_same(workflow, latent, compiled_kernels):
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        pytest.skip("NO C++ COMPILER: TorchCompileModel was not tested. Install g++.")
    patched = ("FreeU_V2", "PerturbedAttentionGuidance")

    def compiled(saved):
        bypass(*patched)(saved)
        unbypass("TorchCompileModel")(saved)

    usual = latent(workflow("mix_model_patches", bypass(*patched)))
    assert not list(compiled_kernels.rglob("*.cpp"))
    assert difference(latent(workflow("mix_model_patches", compiled)), usual) < ROUNDED
    assert list(compiled_kernels.rglob("*.cpp")), "nothing was compiled"


# --- merging and saving ---


def test_merging_by_its_ends(workflow, latent, plain, tools, second_checkpoint):
    """All of the first is the plain one, half of each is neither; behind Apply Colorization the merge is the same."""
    prompt = workflow("merge_and_save")
    save = tools.find(prompt, "ModelSave")
    del prompt[save]
    latents = {}
    for ratio in (1.0, 0.5, 0.0):
        tools.set_inputs(prompt, "ModelMergeSimple", ratio=ratio)
        latents[ratio] = latent(prompt)
    assert difference(latents[1.0], plain(SPLIT)) < SAME
    assert min(difference(latents[0.5], latents[ratio]) for ratio in (0.0, 1.0)) > NOTICED
    merge, apply, sampler = (tools.find(prompt, key) for key in ("ModelMergeSimple", "ColorizeApply", "KSampler"))
    prompt[apply]["inputs"]["model"] = prompt[merge]["inputs"]["model1"]
    prompt[merge]["inputs"] |= {"model1": [apply, 0], "ratio": 0.5}
    prompt[sampler]["inputs"]["model"] = [merge, 0]
    assert equal(latent(prompt), latents[0.5])


def wide_shapes(shapes, tiny):
    """Shapes of a checkpoint whose UNet is 320 channels wide at every level, which ComfyUI's own loader knows.

    Args:
        shapes: of the published checkpoint, 320 to 1280 channels. tiny: of the tiny one, for VAE and image tower.
    """
    wide = {name: shape for name, shape in tiny.items() if name.startswith(("first_stage_model.", "cond_stage_model."))}
    for name, shape in shapes.items():
        if name in wide or name.startswith(("first_stage_model.", "cond_stage_model.")):
            continue
        if "input_blocks" in name and ".skip_connection." in name:
            continue  # as wide behind the block as before it
        narrow = [320 if size in (640, 1280) else size for size in shape]
        if re.search(r"time_embed|label_emb", name):
            narrow = list(shape)
        elif ".emb_layers." in name and len(shape) == 2:
            narrow = [320, 1280]
        elif re.search(r"style_modules\.\d+\.1\.weight", name):
            narrow = [640, 1280]
        elif "style_modules" in name:
            narrow = [640] * len(shape)
        elif re.search(r"style_encoder\.zero_layers\.\d+", name):
            narrow[0] = 640
        elif ".ff.net.0.proj." in name:
            narrow[0] = 2560
        elif ".ff.net.2.weight" in name:
            narrow = [320, 1280]
        elif re.search(r"warp_modules\.\d+\.ff\.0\.", name):
            narrow[0] = 1280
        elif re.search(r"warp_modules\.\d+\.ff\.2\.weight", name):
            narrow[1] = 1280
        elif re.search(r"diffusion_model\.output_blocks\.\d+\.0\.in_layers\.0", name):
            narrow = [640]
        elif re.search(r"diffusion_model\.output_blocks\.\d+\.0\.(in_layers\.2|skip_connection)\.weight", name):
            narrow[1] = 640
        wide[name] = narrow
    return wide


@pytest.fixture(scope="module")
def wide_checkpoints(golden_keys, golden_weights, tiny_checkpoint):
    """The names of two checkpoints of 320 channels in half precision, 0.4 GB each."""
    from safetensors.torch import save_file

    shapes = wide_shapes(golden_keys("full"), golden_keys("tiny"))
    paths = [tiny_checkpoint.with_name(f"wide-{seed}.safetensors") for seed in (0, 1)]
    for seed, path in enumerate(paths):
        weights = golden_weights(shapes, seed=seed)
        save_file({name: tensor.half() for name, tensor in weights.items()}, str(path))
    yield [path.name for path in paths]
    for path in paths:
        path.unlink()


def test_a_merged_model_saved_and_loaded_by_comfyui_colours_the_same(
    workflow, latent, tools, base_directory, wide_checkpoints
):
    """Save Model, then Load Diffusion Model: of the file that is written nothing is lost and nothing is ours."""
    first, second = wide_checkpoints
    prompt = workflow("merge_and_save")
    tools.set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=first)
    tools.set_inputs(prompt, "Second Checkpoint", ckpt_name=second)
    merged = latent(prompt)
    (file,) = (base_directory / "output" / "diffusion_models").glob("merged_*.safetensors")
    try:
        prompt = workflow("saved_model")
        tools.set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=first)
        tools.set_inputs(prompt, "UNETLoader", unet_name=file.name)
        assert difference(latent(prompt), merged) < SAME
        sampling = tools.find(prompt, "ModelSamplingDiscrete")
        prompt[sampling]["inputs"]["model"] = [tools.find(prompt, "ColorizeCheckpointLoader"), 0]
        assert difference(latent(prompt), merged) > NOTICED, "the file of the merge is that of the first checkpoint"
    finally:
        file.unlink()


# --- areas and masks ---


@pytest.fixture(scope="module")
def with_second_reference(workflow, latent, tools, uploaded):
    """A function that gives the latents with one and with another second reference, everything else the same."""

    def sample(name, steps):
        latents = []
        for picture in ("other_reference", "painted"):
            prompt = workflow(name)
            tools.set_inputs(prompt, "Second reference", image=uploaded[picture])
            tools.set_inputs(prompt, "KSampler", steps=steps, cfg=1.0)
            latents.append(latent(prompt))
        return latents

    return sample


def test_each_area_has_its_own_reference(with_second_reference):
    """Without guidance the halves do not see each other: another reference on the right changes the right alone."""
    one, other = with_second_reference("areas", steps=STEPS)
    half = one.shape[-1] // 2
    assert difference(other[..., :half], one[..., :half]) < SAME
    assert difference(other[..., half:], one[..., half:]) > NOTICED


def test_each_masked_area_has_its_own_reference(with_second_reference):
    """In one step: inside the mask, an ellipse in the picture's middle, nothing changes with the reference outside."""
    one, other = with_second_reference("masked_areas", steps=1)
    inside, outside = (..., slice(7, 9), slice(7, 9)), (..., slice(0, 16), slice(0, 4))
    assert difference(other[inside], one[inside]) < SAME
    assert difference(other[outside], one[outside]) > NOTICED


# --- batches, img2img, inpainting ---


def test_a_batch_is_its_pictures_one_by_one(workflow, run, tools, pixels):
    prompt = workflow("batch")
    together = run(prompt)
    assert len(together.pictures) == len(together.latent) == 3
    assert {pixels(picture).shape for picture in together.pictures} == {(SIZE * 3 // 4, SIZE, 3)}
    empty = tools.find(prompt, "EmptyLatentImage")
    for number in range(3):
        prompt["one"] = {
            "class_type": "LatentFromBatch",
            "inputs": {"samples": [empty, 0], "batch_index": number, "length": 1},
            "_meta": {"title": "one"},
        }
        tools.set_inputs(prompt, "KSampler", latent_image=["one", 0])
        alone = run(prompt).latent
        assert difference(alone, together.latent[number : number + 1]) < SAME
        assert difference(alone, together.latent[number - 1 : number or None]) > NOTICED


@pytest.fixture(scope="module")
def painted_picture(uploaded, base_directory, pixels):
    """The picture to change, [H, W, 3] of bytes; its upper left quarter is painted over."""
    return pixels((base_directory / "input" / uploaded["painted"]).read_bytes()).astype(int)


@pytest.fixture(scope="module")
def encoded_picture(workflow, latent, tools):
    """The latent of the picture to change, as it goes into the sampler."""
    prompt = workflow("inpaint")
    tools.set_inputs(prompt, "VAEDecode", samples=[tools.find(prompt, "VAEEncode"), 0])
    return latent(prompt)


@pytest.mark.parametrize("differential", [True, False])
def test_inpainting_keeps_what_is_not_painted(workflow, run, pixels, painted_picture, encoded_picture, differential):
    """To the byte in the picture; in the latent too without Differential Diffusion, which frees it all at the end."""
    result = run(workflow("inpaint", None if differential else bypass("DifferentialDiffusion")))
    after = pixels(result.pictures[0]).astype(int)
    assert after.shape == painted_picture.shape
    kept = (after == painted_picture).all(-1)
    assert kept[:, 128:].all() and kept[96:].all(), "what is not painted has changed"
    assert kept[:96, :128].mean() < 0.1, "what is painted has not"
    painted, rest = (..., slice(2, 8), slice(0, 8)), (..., slice(0, 16), slice(9, 16))
    assert difference(result.latent[painted], encoded_picture[painted]) > NOTICED
    if not differential:
        assert difference(result.latent[rest], encoded_picture[rest]) < SAME


def test_image_to_image_by_bypassing_the_mask(workflow, run, tools, pixels, painted_picture, encoded_picture):
    """All of the picture changes, and the more the more is denoised."""
    prompt = workflow("inpaint", bypass("Only the Painted Part", "Keep the Rest"))
    distances = []
    for denoise in (0.1, 0.4, 1.0):
        tools.set_inputs(prompt, "KSampler", denoise=denoise, steps=4)
        result = run(prompt)
        after = pixels(result.pictures[0]).astype(int)
        assert after.shape == painted_picture.shape
        assert (after != painted_picture).any(-1)[:, 128:].mean() > 0.5, "the mask is still there"
        distances.append(difference(result.latent, encoded_picture))
    assert distances == sorted(distances) and distances[0] < distances[2] / 2


# --- previews, second passes, tiles ---


def test_previews_arrive_at_every_step(workflow, run, tools):
    from PIL import Image

    prompt = workflow(SPLIT)
    tools.set_inputs(prompt, "KSampler", steps=4, seed=77)
    previews = run(prompt).previews
    assert len(previews) == 4
    pictures = [Image.open(io.BytesIO(data)) for data in previews]
    assert all(picture.format == "JPEG" and picture.size == (512, 512) for picture in pictures)
    assert previews[0] != previews[-1]


def test_a_second_pass_at_another_size(workflow, run, tools, pixels):
    """Half as large again with the same patched model, nothing encoded twice; tiles give about the same picture."""
    prompt = workflow("upscale_and_refine")
    tools.set_inputs(prompt, "VAEDecodeTiled", tile_size=64, overlap=32)
    result = run(prompt)
    assert result.latent.shape[-2:] == (SIZE * 3 // 16, SIZE * 3 // 16)
    tiled = pixels(result.pictures[0]).astype(int)
    assert tiled.shape == (SIZE * 9 // 8, SIZE * 3 // 2, 3)
    tools.set_inputs(prompt, "Second Pass", seed=6)
    again = run(prompt)
    assert again.ran.count("KSampler") == 1, "another second pass needs no other first"
    assert not {kind for kind in again.ran if kind.startswith("Colorize")} - {"ColorizeCropToBox"}
    assert difference(again.latent, result.latent) > NOTICED
    tools.set_inputs(prompt, "Second Pass", seed=5)
    decoder = prompt[tools.find(prompt, "VAEDecodeTiled")]
    decoder["class_type"] = "VAEDecode"
    decoder["inputs"] = {name: decoder["inputs"][name] for name in ("samples", "vae")}
    whole = run(prompt)
    assert equal(whole.latent, result.latent)
    assert abs(pixels(whole.pictures[0]).astype(int) - tiled).mean() < 0.1 * 255


def test_the_second_pass_goes_by_the_mask(workflow, latent, tools):
    """The mask follows the size: as a mask that was fitted to the larger size, and unlike its opposite."""
    prompt = workflow("upscale_and_refine")
    usual = latent(prompt)
    apply, fitted = tools.find(prompt, "ColorizeApply"), tools.find(prompt, "Fit Mask")
    prompt["larger"] = copy.deepcopy(prompt[fitted])
    prompt["larger"]["inputs"] |= {"width": SIZE * 3 // 2, "height": SIZE * 3 // 2}
    prompt["mask"] = {"class_type": "ImageToMask", "inputs": {"image": ["larger", 0], "channel": "red"}}
    prompt["opposite"] = {"class_type": "InvertMask", "inputs": {"mask": ["mask", 0]}}
    prompt["second"] = copy.deepcopy(prompt[apply])
    for number, name in (("mask", "mask"), ("opposite", "opposite"), ("larger", "larger"), ("second", "second")):
        prompt[number]["_meta"] = {"title": name}
    tools.set_inputs(prompt, "Second Pass", model=["second", 0])
    prompt["second"]["inputs"]["sketch_mask"] = ["mask", 0]
    near = difference(latent(prompt), usual)
    prompt["second"]["inputs"]["sketch_mask"] = ["opposite", 0]
    far = difference(latent(prompt), usual)
    assert far > NOTICED and near < far / 3
