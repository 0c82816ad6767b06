"""What a running server tells of the pack."""

import pytest

CONTRACT = {
    "ColorizeCheckpointLoader": ("MODEL", "COLORIZER", "CONTROL_NET", "VAE", "CLIP_VISION"),
    "ColorizePrepareSketch": ("IMAGE", "COLORIZE_BOX"),
    "ColorizeCropToBox": ("IMAGE",),
    "ColorizeMergeMasks": ("MASK",),
    "ColorizeBleach": ("IMAGE",),
    "ColorizeEncodeReference": ("CARRIER",),
    "ColorizeEncodeBackground": ("CARRIER",),
    "ColorizeEncodeStyle": ("CARRIER",),
    "ColorizeApply": ("MODEL", "CONDITIONING", "CONDITIONING"),
}


@pytest.mark.parametrize("node_id", CONTRACT)
def test_outputs_as_in_the_contract(node_id, object_info):
    assert tuple(object_info[node_id]["output"]) == CONTRACT[node_id]


def test_every_node_explains_itself(object_info):
    nodes = {name: info for name, info in object_info.items() if name.startswith("Colorize")}
    assert set(CONTRACT) <= set(nodes)
    for name, info in nodes.items():
        assert info["category"].split("/")[0] == "ColorizeDiffusion", name
        assert info["display_name"] and info["description"], name
        for kind in ("required", "optional"):
            for input_name, (_type, *options) in info["input"].get(kind, {}).items():
                assert options and options[0].get("tooltip"), f"{name}.{input_name} has no tooltip"


def test_pack_loads_without_a_word_in_the_log(server):
    log = server.log_file.read_text(errors="replace")
    assert "colorizediffusion (IMPORT FAILED)" not in log and "seconds (IMPORT FAILED): " not in log
    assert "colorizediffusion" in log
    assert not [line for line in log.splitlines() if "colorizediffusion" in line and "WARNING" in line.upper()]


def test_refusal_names_the_node_and_the_reason(server, comfyui_server):
    prompt = {
        "1": {
            "class_type": "ColorizeCheckpointLoader",
            "inputs": {"ckpt_name": "no.safetensors", "prediction": "auto"},
        },
        "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 3]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }
    with pytest.raises(comfyui_server.ServerError, match=r"no\.safetensors"):
        server.run(prompt)


def test_a_mask_with_one_side_is_told_on_its_node_until_it_has_two(server, tmp_path):
    from PIL import Image

    flat = Image.new("RGB", (64, 64), "white")
    flat.save(tmp_path / "unpainted.png")
    flat.putalpha(Image.linear_gradient("L").resize((64, 64)))
    flat.save(tmp_path / "painted.png")

    def texts(name):
        told = []
        prompt = {
            "1": {"class_type": "LoadImage", "inputs": {"image": server.upload_image(tmp_path / name)}},
            "2": {
                "class_type": "ColorizeBleach",
                "inputs": {"image": ["1", 0], "mask": ["1", 1], "whiten": "character", "threshold": 0.5, "paper": 1.0},
            },
            "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        }
        server.run(prompt, on_text=lambda node, text: told.append((node, text)))
        return told

    ((node, text),) = texts("unpainted.png")
    assert node == "2" and text.startswith("No character in the mask: paint it")
    assert texts("painted.png") == [("2", "The mask has a character and a background.")]
    assert "WARNING" not in server.log_tail().splitlines()[-1] and "Bleach Region: No character" in server.log_tail()
