"""What the help pages say of line maps, masks and margins that other nodes make."""

import pytest


def strokes(torch, height, width):
    """[1, H, W, 3]: white strokes with soft edges on black, as line-art preprocessors of other packs give them."""
    y, x = (torch.linspace(-1, 1, side) for side in (height, width))
    distance = ((y[:, None] ** 2 + x[None] ** 2).sqrt() - 0.6).abs()
    return (1 - 60 * distance).clamp(0, 1)[None, ..., None].expand(-1, -1, -1, 3).contiguous()


@pytest.mark.parametrize("size", [(768, 768), (512, 384), (1024, 1536)])
def test_a_line_map_of_a_preprocessor_goes_in_as_it_is(host, pack, size):
    lines, out = strokes(host.torch, *size), {"width": 768, "height": 768}
    line_map, box = pack.run("ColorizePrepareSketch", image=lines, lines="light_on_dark", **out)
    drawn = line_map[:, box.top : box.top + box.height, box.left : box.left + box.width]
    assert line_map.shape == (1, 768, 768, 3) and max(box.height, box.width) == 768
    assert abs(box.height / box.width - size[0] / size[1]) < 0.01, "the proportions stay"
    assert drawn.max() > 0.9 and line_map.mean() < 0.1, "lines are white on black"
    blank = line_map.clone()
    blank[:, box.top : box.top + box.height, box.left : box.left + box.width] = 0
    assert blank.max() == 0, "the margins are blank"
    if size == (768, 768):
        assert host.torch.equal(line_map, lines)
    from_paper, _ = pack.run("ColorizePrepareSketch", image=1 - lines, lines="dark_on_light", **out)
    assert (from_paper - line_map).abs().max() < 1e-5


def test_a_mask_of_another_segmenter_is_grown_and_bleached_as_published(host, pack):
    """A soft mask of the picture's size, as BiRefNet gives it."""
    torch = host.torch
    coarse = torch.randn(1, 1, 4, 3, generator=torch.Generator().manual_seed(0))
    soft = torch.sigmoid(6 * torch.nn.functional.interpolate(coarse, size=(60, 44), mode="bilinear") - 3)[:, 0]
    picture = torch.rand(1, 60, 44, 3, generator=torch.Generator().manual_seed(1))
    (grown,) = pack.run("ColorizeMergeMasks", mask_a=soft, grow=5, grow_shape="square")
    assert torch.equal(grown, torch.nn.functional.max_pool2d(soft, 11, stride=1, padding=5))
    (bleached,) = pack.run("ColorizeBleach", image=picture, mask=grown, threshold=0.5)
    white = (grown > 0.5)[..., None].expand_as(picture)
    assert 0.1 < white.float().mean() < 0.9
    assert (bleached[white] == 1).all() and torch.equal(bleached[~white], picture[~white])
    (alone,) = pack.run("ColorizeBleach", image=picture, mask=grown, threshold=0.5, whiten="background")
    assert (alone[~white] == 1).all() and torch.equal(alone[white], picture[white])


def test_comfyuis_own_segmenter_gives_such_a_mask(host, pack):
    try:
        loader, node = pack.node("LoadBackgroundRemovalModel"), pack.node("RemoveBackground")
    except KeyError:
        pytest.skip("this ComfyUI has no Remove Background")
    assert "background_removal" in host.folder_paths.folder_names_and_paths
    assert tuple(node.RETURN_TYPES) == ("MASK",)
    kinds = {name: kind[0] for name, kind in node.INPUT_TYPES()["required"].items()}
    assert kinds == {"bg_removal_model": loader.RETURN_TYPES[0], "image": "IMAGE"}


@pytest.mark.parametrize("times", [1.25, 2.0])
def test_white_margins_beside_a_reference_leave_it_as_it_is(host, pack, times):
    torch = host.torch
    picture = torch.rand(1, 60, 40, 3, generator=torch.Generator().manual_seed(2)) * 0.9
    width = int(40 * times)
    inputs = {"target_width": width, "target_height": 60, "padding_color": "white", "interpolation": "area"}
    (padded,) = pack.run("ResizeAndPadImage", image=picture, **inputs)
    left = (width - 40) // 2
    assert padded.shape == (1, 60, width, 3)
    assert torch.allclose(padded[:, :, left : left + 40], picture, atol=1e-6)
    assert (padded[:, :, :left] == 1).all() and (padded[:, :, left + 40 :] == 1).all()
