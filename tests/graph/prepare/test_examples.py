"""What comes with the pack to try it: a model that the loader offers, and pictures."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 30_000_000  # bytes


@pytest.fixture
def choice(pack):
    return pack.module("colorize_core.host.prepare.examples").MODEL_CHOICE


def choices(pack):
    """Return what the loader offers now, as /object_info tells it."""
    kind, options = pack.node("ColorizeCheckpointLoader").INPUT_TYPES()["required"]["ckpt_name"]
    assert "default" not in options
    return options.get("options", kind)


def test_a_users_own_checkpoints_come_first_and_so_are_the_default(pack, choice, tiny_checkpoint, host):
    own = host.folder_paths.get_filename_list("checkpoints")
    assert tiny_checkpoint.name in own and choices(pack) == [*own, choice]


def test_without_a_checkpoint_the_demonstration_model_is_the_choice(pack, choice, host, monkeypatch, tmp_path):
    monkeypatch.setitem(host.folder_paths.folder_names_and_paths, "checkpoints", ([str(tmp_path)], {".safetensors"}))
    assert choices(pack) == [choice]


def test_the_demonstration_model_loads_whole(pack, choice):
    *_, clip_vision = pack.run("ColorizeCheckpointLoader", ckpt_name=choice)
    assert clip_vision is not None, "it needs no second file"


def test_a_missing_model_is_not_offered(pack, choice, monkeypatch, tmp_path):
    monkeypatch.setattr(
        pack.module("colorize_core.host.prepare.examples"), "MODEL_FILE", tmp_path / "model.safetensors"
    )
    assert choice not in choices(pack)


def test_pictures_come_with_the_masks_of_their_characters(pack):
    import numpy as np
    from PIL import Image

    kind, options = pack.node("ColorizeExamplePicture").INPUT_TYPES()["required"]["picture"]
    names = options.get("options", kind)
    assert {f"{name}.png" for name in names} == {path.name for path in (ROOT / "samples").glob("*.png")}
    assert names[0].startswith("drawing") and names[-1].startswith("background")
    for name in names:
        image, mask = pack.run("ColorizeExamplePicture", picture=name)
        side = 1024 if name.endswith("-large") else 128
        assert image.shape == (1, side, side, 3) and mask.shape == (1, side, side)
        assert bool(mask.any()) != name.startswith("background")
        stored = np.asarray(Image.open(ROOT / "samples" / f"{name}.png"))
        assert (image[0].numpy() * 255).round().astype(np.uint8).tolist() == stored[..., :3].tolist()
        if name.startswith("colored"):
            _, drawn = pack.run("ColorizeExamplePicture", picture=name.replace("colored", "drawing"))
            assert mask.equal(drawn), "it is the drawing of that name"
        if stored.shape[2] == 4:
            assert ((1 - mask[0].numpy()) * 255).round().astype(np.uint8).tolist() == stored[..., 3].tolist()


def test_another_name_is_refused(pack):
    with pytest.raises(pack.Error, match=r"'../demo/losses'; expected one of drawing-dancer"):
        pack.run("ColorizeExamplePicture", picture="../demo/losses")


def test_what_is_installed_for_it_is_small():
    assert sum(path.stat().st_size for path in (ROOT / "samples").iterdir()) < LIMIT
