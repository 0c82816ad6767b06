"""Merging, growing, feathering and bleaching through the nodes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

FEW = settings(max_examples=40)

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))
batches = st.sampled_from([(1, 1), (1, 3), (3, 1), (3, 3)])
seeds = st.integers(0, 2**31 - 1)
kinds = st.sampled_from(["soft", "hard", "empty", "full"])


def make_mask(batch, size, seed, kind):
    noise = torch.rand(batch, *size, generator=torch.Generator().manual_seed(seed))
    return {"soft": noise, "hard": (noise > 0.5).float(), "empty": noise * 0, "full": noise * 0 + 1}[kind]


@FEW
@given(sizes, sizes, batches, seeds, kinds, kinds, st.sampled_from(["union", "intersection", "difference", "blend"]))
def test_merge_gives_size_and_batch_as_promised(pack, size_a, size_b, counts, seed, kind_a, kind_b, mode):
    mask_a, mask_b = make_mask(counts[0], size_a, seed, kind_a), make_mask(counts[1], size_b, seed + 1, kind_b)
    (merged,) = pack.run("ColorizeMergeMasks", mask_a=mask_a, mask_b=mask_b, mode=mode)
    assert merged.shape == (max(counts), *size_a)
    assert merged.min() >= 0 and merged.max() <= 1
    if mode == "union":
        assert (merged >= mask_a).all()
    if mode in ("intersection", "difference"):
        assert (merged <= mask_a).all()


@FEW
@given(sizes, batches, seeds, kinds, kinds, st.integers(0, 5))
def test_union_contains_both_masks(pack, size, counts, seed, kind_a, kind_b, grow):
    mask_a, mask_b = make_mask(counts[0], size, seed, kind_a), make_mask(counts[1], size, seed + 1, kind_b)
    (union,) = pack.run("ColorizeMergeMasks", mask_a=mask_a, mask_b=mask_b, mode="union", grow=grow)
    assert (union >= mask_a).all() and (union >= mask_b).all()


@FEW
@given(sizes, st.integers(1, 3), seeds, kinds, st.integers(-6, 6), st.integers(0, 8))
def test_grow_and_feather_stay_in_range(pack, size, batch, seed, kind, grow, feather):
    mask = make_mask(batch, size, seed, kind)
    (result,) = pack.run("ColorizeMergeMasks", mask_a=mask, grow=grow, feather=feather)
    assert result.shape == mask.shape
    assert result.min() >= 0 and result.max() <= 1
    if kind == "empty":
        assert result.max() == 0
    if kind == "full":
        assert torch.allclose(result, torch.ones(()))
    (alone,) = pack.run("ColorizeMergeMasks", mask_a=mask[:1], grow=grow, feather=feather)
    assert torch.allclose(result[:1], alone, atol=1e-6)


def test_blend_weighs_the_second_mask(pack):
    zero, one = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    (blend,) = pack.run("ColorizeMergeMasks", mask_a=zero, mask_b=one, mode="blend", weight=0.25)
    assert torch.allclose(blend, torch.full((), 0.25))


def test_a_mask_without_itself_is_empty(pack):
    soft = torch.rand(1, 9, 7)
    (nothing,) = pack.run("ColorizeMergeMasks", mask_a=soft, mask_b=soft, mode="difference")
    assert nothing.max() == 0


def test_characters_of_one_batch_become_one_mask(pack):
    characters = torch.zeros(3, 6, 9)
    for index in range(3):
        characters[index, 1:5, 3 * index : 3 * index + 2] = 1
    (merged,) = pack.run("ColorizeMergeMasks", mask_a=characters, merge_batch=True)
    assert merged.shape == (1, 6, 9)
    assert torch.equal(merged[0], characters.sum(dim=0))
    (without,) = pack.run(
        "ColorizeMergeMasks", mask_a=characters, mask_b=characters[1:], mode="difference", merge_batch=True
    )
    assert torch.equal(without, characters[:1])


@pytest.mark.parametrize("radius", [1, 2, 5, 9])
def test_disc_growth_is_the_morphological_one(pack, radius):
    """kornia, which ComfyUI ships, computes the same with every offset of the disc as a channel of its own."""
    from kornia.morphology import dilation, erosion

    mask = make_mask(2, (21, 30), radius, "soft")
    offsets = np.arange(-radius, radius + 1)
    disc = torch.from_numpy(offsets[:, None] ** 2 + offsets**2 <= radius**2).float()
    (grown,) = pack.run("ColorizeMergeMasks", mask_a=mask, grow=radius)
    (shrunk,) = pack.run("ColorizeMergeMasks", mask_a=mask, grow=-radius)
    assert torch.allclose(grown, dilation(mask[:, None], disc)[:, 0], atol=1e-6)
    assert torch.allclose(shrunk, erosion(mask[:, None], disc)[:, 0], atol=1e-6)


def test_square_growth_is_the_published_one(pack, golden_extras):
    mask = golden_extras["mask/in/mask"][:, 0]
    (grown,) = pack.run("ColorizeMergeMasks", mask_a=mask, grow=5, grow_shape="square")
    assert torch.equal(grown, golden_extras["mask/out/dilated"][:, 0])


@pytest.mark.parametrize("whiten", ["character", "background"])
def test_bleaching_is_the_published_one(pack, golden_extras, whiten):
    image = (golden_extras["mask/in/image"].movedim(1, -1) + 1) / 2
    expected = (golden_extras[f"mask/out/{whiten}_whitened"].movedim(1, -1) + 1) / 2
    (result,) = pack.run("ColorizeBleach", image=image, mask=golden_extras["mask/in/mask"][:, 0], whiten=whiten)
    print(f"mask/out/{whiten}_whitened: largest difference {(result - expected).abs().max():.1e}")
    assert torch.allclose(result, expected, atol=1e-6)


@FEW
@given(
    sizes,
    batches,
    seeds,
    kinds,
    st.sampled_from(["character", "background"]),
    st.floats(0, 1),
    st.floats(0.9, 1),
    st.sampled_from([1, 3]),
)
def test_bleaching_never_touches_the_kept_region(pack, size, counts, seed, kind, whiten, threshold, paper, channels):
    image = torch.rand(counts[0], *size, channels, generator=torch.Generator().manual_seed(seed))
    mask = make_mask(counts[1], size, seed + 1, kind)
    (result,) = pack.run("ColorizeBleach", image=image, mask=mask, whiten=whiten, threshold=threshold, paper=paper)
    assert result.shape == (max(counts), *size, 3)
    image, mask = image.expand(max(counts), *size, 3), mask.expand(max(counts), *size)
    painted = mask >= threshold if whiten == "character" else mask < threshold
    assert torch.equal(result[~painted], image[~painted])
    assert torch.allclose(result[painted], torch.tensor(paper, dtype=torch.float32))


def test_a_line_map_is_bleached_to_black(pack):
    lines = torch.ones(1, 4, 6, 3)
    mask = torch.zeros(1, 4, 6)
    mask[..., :3] = 1
    (result,) = pack.run("ColorizeBleach", image=lines, mask=mask, whiten="background", kind="line_map")
    assert result[:, :, :3].min() == 1 and result[:, :, 3:].max() == 0


def test_a_mask_of_another_size_is_fitted_to_the_picture(pack):
    image, mask = torch.zeros(2, 32, 48, 3), torch.zeros(1, 8, 8)
    mask[:, :, 4:] = 1
    (result,) = pack.run("ColorizeBleach", image=image, mask=mask)
    assert result[:, :, :22].max() == 0 and result[:, :, 26:].min() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_and_layouts_are_taken(pack, dtype):
    image = torch.rand(2, 3, 9, 7).to(dtype).movedim(1, -1)
    mask = torch.rand(7, 9).to(dtype).t()
    (bleached,) = pack.run("ColorizeBleach", image=image, mask=mask)
    (merged,) = pack.run("ColorizeMergeMasks", mask_a=mask, mask_b=mask, grow=2, feather=2)
    assert bleached.shape == (2, 9, 7, 3) and merged.shape == (1, 9, 7)
    assert bleached.dtype == merged.dtype == torch.float32


@pytest.mark.parametrize(
    ("node", "inputs", "message"),
    [
        ("ColorizeMergeMasks", {"mask_a": torch.zeros(1, 4, 4, 3)}, "mask_a.*IMAGE"),
        ("ColorizeMergeMasks", {"mask_a": torch.zeros(0, 4, 4)}, "mask_a.*empty"),
        ("ColorizeMergeMasks", {"mask_a": torch.full((1, 4, 4), float("nan"))}, "mask_a.*NaN"),
        ("ColorizeMergeMasks", {"mask_a": torch.zeros(2, 4, 4), "mask_b": torch.zeros(3, 4, 4)}, "2 and `mask_b` 3"),
        ("ColorizeBleach", {"image": torch.zeros(1, 4, 4, 5), "mask": torch.zeros(1, 4, 4)}, "image.*channels"),
        ("ColorizeBleach", {"image": torch.zeros(1, 0, 4, 3), "mask": torch.zeros(1, 4, 4)}, "image.*empty"),
        ("ColorizeBleach", {"image": torch.zeros(2, 4, 4, 3), "mask": torch.zeros(3, 4, 4)}, "2 and `mask` 3"),
    ],
)
def test_bad_input_is_told_in_a_sentence(pack, node, inputs, message):
    with pytest.raises(pack.Error, match=message):
        pack.run(node, **inputs)
