"""Packs that call the model with parts of the latent: tiles of the picture, some pictures of the batch."""

import dataclasses
import logging
from types import SimpleNamespace

import pytest

SAME, NOTICED = 2e-5, 1e-3
TILE = (64, 32)  # height, width in pixels; of a picture of 96×64
TOPS, LEFTS = (0, 32), (0, 32)


class Tiles:
    """Denoises tiles as Tiled Diffusion does: several in a call, each with all rows of the whole.

    The ControlNets are asked about the tiles, once each has its piece of the hint; where tiles overlap the last wins.
    """

    def __init__(self, torch, pieces=True, at_once=2):
        self.torch, self.pieces, self.at_once = torch, pieces, at_once
        self.places = [(top // 8, left // 8) for top in TOPS for left in LEFTS]

    def __call__(self, apply_model, args):
        x, cond, out = args["input"], dict(args["c"]), self.torch.empty_like(args["input"])
        height, width = (size // 8 for size in TILE)
        control = cond.pop("control")
        for start in range(0, len(self.places), self.at_once):
            places = self.places[start : start + self.at_once]
            tiles = self.torch.cat([x[..., t : t + height, le : le + width] for t, le in places])
            rows = {k: self.repeated(v, len(tiles)) for k, v in cond.items()}
            time = self.repeated(args["timestep"], len(tiles))
            if self.pieces:
                hint = self.repeated(control.cond_hint_original, len(x))
                control.cond_hint = self.torch.cat(
                    [hint[..., t * 8 : (t + height) * 8, le * 8 : (le + width) * 8] for t, le in places]
                )
            hints = type(control).get_control(
                control, tiles, time, rows, len(args["cond_or_uncond"]), cond["transformer_options"]
            )
            done = apply_model(tiles, time, **rows, control=hints)
            for (top, left), tile in zip(places, done.split(len(x)), strict=True):
                out[..., top : top + height, left : left + width] = tile
        return out

    def repeated(self, value, rows):
        if not isinstance(value, self.torch.Tensor) or len(value) == rows:
            return value
        return value.repeat(-(-rows // len(value)), *[1] * (value.ndim - 1))[:rows]


@pytest.fixture
def tiled(host, studio):
    """A function that samples one step in tiles."""

    def sample(model, positive, negative, noise=None, **kind):
        tiles, model = Tiles(host.torch, **kind), model.clone()
        model.set_model_unet_function_wrapper(tiles)
        control = positive[0][1]["control"]
        control.get_control = lambda *args: control  # as Tiled Diffusion does; the control is asked by tile
        return studio.sample(model, positive, negative, noise, steps=1)

    return sample


@pytest.mark.parametrize("kind", [{"pieces": True}, {"pieces": False, "at_once": 4}], ids=["pieces", "no_pieces"])
def test_mask_background_and_line_map_follow_a_tile(host, studio, colour, tiled, kind, caplog):
    """Each tile of each picture comes out as a picture of its own does, whose mask and line map are the tile's."""
    torch, noise, lines = host.torch, studio.noise(batch=2), studio.line_map(batch=2)
    masks = torch.cat([studio.mask("middle"), studio.mask("left")])
    model, positive, negative = studio.apply(colour.carrier, masks)
    whole = tiled(model, *studio.sketch(positive, negative, lines), noise, **kind)
    assert not [line for line in caplog.messages if line.startswith("ColorizeDiffusion")]
    for top, left in [(0, 0), (32, 32)]:  # the first is overlapped from half its height on
        rows, columns = slice(top, top + TILE[0]), slice(left, left + TILE[1])
        model, positive, negative = studio.apply(colour.carrier, masks[:, rows, columns])
        part = (..., slice(top // 8, (top + TILE[0]) // 8), slice(left // 8, (left + TILE[1]) // 8))
        alone = studio.sample(model, *studio.sketch(positive, negative, lines[:, rows, columns]), noise[part], steps=1)
        seen = slice(0, 4) if top == 0 else slice(None)
        assert studio.difference(whole[part][..., seen, :], alone[..., seen, :]) < SAME


def test_a_piece_of_the_hint_is_taken_where_the_place_is_not_known(host, studio):
    lines, torch = studio.line_map().movedim(-1, 1), host.torch
    x, sigma = torch.zeros(1, 4, 8, 4), torch.tensor([1.0])
    control = studio.control_net.copy().set_cond_hint(lines)
    control.cond_hint = lines[..., 32:, 32:].clone()
    own = studio.control_net.copy().set_cond_hint(lines[..., 32:, 32:])
    with torch.inference_mode():
        hints, own = (c.get_control(x, sigma, {}, 1, {})["input"] for c in (control, own))
    for hint, expected in zip(hints, own, strict=True):
        assert (hint is None) == (expected is None)
        assert hint is None or torch.equal(hint, expected)


def test_a_line_map_that_was_cut_before_the_run_says_that_the_mask_stays(studio, caplog):
    """Ultimate SD Upscale and detailers cut the line map in a copy of the control, and sample the tile as a picture."""
    model, positive, negative = studio.apply(studio.carrier(), studio.mask())
    positive, negative = studio.sketch(positive, negative)
    for conditioning in (positive, negative):
        control = conditioning[0][1]["control"].copy()
        control.cond_hint_original = control.cond_hint_original[..., :48, :32]
        conditioning[0][1]["control"] = control
    studio.sample(model, positive, negative, studio.noise((48, 32)), steps=2)
    said = [line for line in caplog.messages if "sketch mask cannot follow" in line]
    assert len(said) == 1


# --- some pictures of the batch ---


def in_windows(torch, length, tell=None):
    """A function that makes a MODEL be asked about some pictures of the batch at a time, as context windows do."""

    def around(executor, model, conds, x_in, timestep, model_options):
        parts = []
        for start in range(0, len(x_in), length):
            indices = list(range(start, min(start + length, len(x_in))))
            options = model_options
            if tell is not None:
                inner = model_options["transformer_options"] | tell(indices)
                options = model_options | {"transformer_options": inner}
            parts.append(executor(model, conds, x_in[indices], timestep[indices], options))
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def install(model):
        from comfy.patcher_extension import WrappersMP

        model = model.clone()
        model.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "windows", around)
        return model

    return install


def as_the_core(indices):
    return {"context_window": SimpleNamespace(dim=0, index_list=indices)}


def as_animatediff(indices):
    return {"ad_params": {"full_length": 4, "context_length": len(indices), "sub_idxs": indices}}


@pytest.mark.parametrize(
    ("tell", "before"),
    [(None, True), (None, False), (as_animatediff, False), (as_the_core, False)],
    ids=["untold_inside", "untold_outside", "animatediff", "core"],
)
def test_windows_of_other_packs_take_each_picture_s_own(host, studio, tell, before):
    noise, lines = studio.noise(batch=4), studio.line_map(batch=4)
    if tell is not None:
        noise = noise[:1].expand(4, -1, -1, -1)  # so that nothing else tells them apart
    masks = host.torch.cat([studio.mask(kind) for kind in ("left", "none", "all", "top")])
    windows = in_windows(host.torch, 2, tell)
    carrier = studio.carrier("background_image", style=True, batch=4)
    model, positive, negative = studio.apply(carrier, masks, windows(studio.model) if before else studio.model)
    model = model if before else windows(model)
    whole_model, *_ = studio.apply(carrier, masks)
    positive, negative = studio.sketch(positive, negative, lines)
    whole = studio.sample(whole_model, positive, negative, noise)
    assert studio.difference(studio.sample(model, positive, negative, noise), whole) < SAME


def test_pictures_that_cannot_be_told_apart_are_refused_or_alike(host, studio, pack, colour):
    """All begin from the same noise, and nothing says which of them a window holds."""
    noise = studio.noise().expand(4, -1, -1, -1)
    masks = host.torch.cat([studio.mask(kind) for kind in ("left", "none", "all", "top")])
    model, positive, negative = colour.patched(mask=masks)
    with pytest.raises(pack.Error, match="which of the 4 masks"):
        studio.sample(in_windows(host.torch, 2)(model), positive, negative, noise, steps=1)
    model, positive, negative = colour.patched()
    windows = studio.sample(in_windows(host.torch, 2)(model), positive, negative, noise, steps=1)
    assert studio.difference(windows, studio.sample(model, positive, negative, noise, steps=1)) < SAME


# --- batches that fit neither one nor all ---


@pytest.mark.parametrize("kind", ["references", "backgrounds", "styles", "line maps", "injected references"])
@pytest.mark.parametrize(("count", "images"), [(3, 1), (2, 3)])
def test_a_batch_that_fits_neither_one_image_nor_all_is_refused(studio, pack, kind, count, images):
    run, batches = pack.run, {kind: count}
    sizes = {"width": 64, "height": 96}
    encoders = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision, **sizes}
    carrier = studio.carrier(batch=batches.get("references", 1))
    if kind == "backgrounds":
        image = studio.picture("background", batch=count)
        (carrier,) = run("ColorizeEncodeBackground", carrier=carrier, image=image, **encoders)
        carrier = dataclasses.replace(carrier, background_tokens=carrier.background_tokens[:1])
    if kind == "styles":
        (carrier,) = run("ColorizeEncodeStyle", carrier=carrier, image=studio.picture(batch=count), **encoders)
    model, positive, negative = studio.apply(carrier, studio.mask())
    positive, negative = studio.sketch(positive, negative, studio.line_map(batch=batches.get("line maps", 1)))
    if kind == "injected references":
        inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture(batch=count)}
        (model,) = run("ColorizeAttentionInjection", model=model, **inputs, **sizes)
    message = f"{count} {kind.split()[-1] if kind == 'injected references' else kind}, but {images} image"
    with pytest.raises(pack.Error, match=message):
        studio.sample(model, positive, negative, studio.noise(batch=images), steps=1)


# --- feature maps that another node has shrunk ---


def test_deep_shrink_keeps_every_hint(studio, pack, colour, caplog):
    caplog.set_level(logging.WARNING)

    def shrunk(model):
        inputs = {"block_number": 3, "downscale_factor": 2.0, "start_percent": 0.0, "end_percent": 1.0}
        inputs |= {"downscale_after_skip": True, "downscale_method": "bicubic", "upscale_method": "bicubic"}
        return pack.run("PatchModelAddDownscale", model=model, **inputs)[0]

    other, noise = studio.line_map(), studio.noise()
    other[:, 48:] = 0
    latents = []
    for lines in (None, other):
        for where in ("before", "after"):
            model = shrunk(studio.model) if where == "before" else studio.model
            model, positive, negative = studio.apply(colour.carrier, studio.mask(), model)
            model = model if where == "before" else shrunk(model)
            latents.append(studio.sample(model, *studio.sketch(positive, negative, lines), noise, steps=2))
    assert not [line for line in caplog.messages if "control could not be applied" in line]
    assert studio.difference(latents[0], latents[1]) < SAME
    assert studio.difference(latents[0], latents[2]) > NOTICED
