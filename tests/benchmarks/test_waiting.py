"""Nothing of ours asks a device anything inside a step: a real sampler is watched from its second step on.

There is no GPU here. The watch sees every operation; what counts is an operation that would make the host wait on a
GPU and whose innermost caller, among ComfyUI's files and ours, is ours. Copies between main memory and the device show
only on tensors without memory: the benchmarks' own table has those.
"""

import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = 3


@pytest.fixture
def our_waits(host, watches):
    """A function: run `sample(callback)` and return what of ours waited in the steps after the first."""

    class OurWaits(watches.DeviceWaits):
        def note(self, what, inputs):
            files = [Path(frame.filename).resolve() for frame in traceback.extract_stack()[:-1]]
            innermost = next(
                (file for file in reversed(files) if file.is_relative_to(host.path / "comfy") or file in OURS), None
            )
            if innermost in OURS:
                super().note(f"{innermost.name}: {what}", inputs)

    OURS = set((ROOT / "colorize_core").rglob("*.py"))

    def watch(sample):
        waits, entered = OurWaits(), []

        def callback(step, *args):
            if step == 0:
                waits.__enter__()
                entered.append(step)

        try:
            latent = sample(callback)
        finally:
            if entered:
                waits.__exit__(None, None, None)
        assert entered and latent.isfinite().all()
        assert waits.seen > 1000
        return waits.found

    return watch


@pytest.fixture(scope="module")
def everything(studio):
    return studio.carrier("background_image", style=True)


@pytest.fixture
def guided(studio, pack, host):
    """A function: sample with reference and sketch guidance, three conditionings at once."""
    import comfy.samplers

    def sample(model, positive, negative, noise, callback, carrier, mask):
        _, bare, _ = studio.apply(carrier, mask)
        blank, _ = studio.sketch(bare, bare, studio.line_map() * 0)
        inputs = {"model": model, "positive": positive, "negative": negative, "blank_sketch": blank}
        (guider,) = pack.run("ColorizeGuider", **inputs, cfg_reference=3.0, cfg_sketch=2.0)
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
        with host.torch.inference_mode():
            sampler = comfy.samplers.sampler_object("euler")
            return guider.sample(
                noise, host.torch.zeros_like(noise), sampler, sigmas, callback=callback, disable_pbar=True
            )

    return sample


def two_masks(host, studio):
    return host.torch.cat([studio.mask("left"), studio.mask("top")])


@pytest.mark.parametrize(
    "settings",
    [{}, {"merge": 0.3, "color_strength": 0.5}, {"start_percent": 0.2, "end_percent": 0.9}],
    ids=["plain", "merge and strengths", "part of the sampling"],
)
def test_with_everything_on(studio, everything, our_waits, settings):
    model, *conditioning = studio.apply(everything, studio.mask(), **settings)
    conditioning = studio.sketch(*conditioning)
    assert our_waits(lambda callback: studio.sample(model, *conditioning, callback=callback)) == []


def test_without_a_mask(studio, everything, our_waits):
    model, *conditioning = studio.apply(everything, color_strength=0.5)
    assert our_waits(lambda callback: studio.sample(model, *conditioning, callback=callback)) == []


def test_with_a_mask_and_a_line_map_for_each_picture(host, studio, our_waits):
    carrier = studio.carrier("background_image", style=True, batch=2)
    model, *conditioning = studio.apply(carrier, two_masks(host, studio))
    conditioning = studio.sketch(*conditioning, studio.line_map(batch=2))
    noise = studio.noise(batch=2)
    assert our_waits(lambda callback: studio.sample(model, *conditioning, noise=noise, callback=callback)) == []


@pytest.mark.parametrize("masks", ["one", "two"])
def test_where_the_rows_with_a_reference_are_unevenly_spaced(host, studio, everything, guided, our_waits, masks):
    mask = studio.mask() if masks == "one" else two_masks(host, studio)
    model, *conditioning = studio.apply(everything, mask)
    conditioning = studio.sketch(*conditioning)
    noise = studio.noise(batch=3 if masks == "one" else 2)
    found = our_waits(lambda callback: guided(model, *conditioning, noise, callback, everything, mask))
    assert found == []


def test_with_attention_injection(studio, pack, everything, our_waits):
    model, *conditioning = studio.apply(everything, studio.mask())
    inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture()}
    (model,) = pack.run("ColorizeAttentionInjection", model=model, width=64, height=96, **inputs)
    conditioning = studio.sketch(*conditioning)
    assert our_waits(lambda callback: studio.sample(model, *conditioning, callback=callback)) == []


# --- the watch itself ---


WAITING = {
    "number": lambda x: x.sum().item(),
    "condition": lambda x: bool(x.any()),
    "comparison": lambda x: x.equal(x + 1),
    "nonzero": lambda x: x.nonzero(),
    "masked_select": lambda x: x.masked_select(x > 0),
    "boolean index": lambda x: x[x > 0],
    "boolean index, written": lambda x: x.index_put_((x > 0,), x.new_zeros(())),
    "list": lambda x: x[[0, 1, 3]],
}


@pytest.mark.parametrize("name", WAITING)
def test_the_watch_sees_what_waits(host, watches, name):
    x = host.torch.arange(-1.0, 4.0)
    with watches.DeviceWaits() as waits:
        WAITING[name](x)
    assert waits.found


def test_the_watch_sees_copies_to_the_device(host, watches):
    torch = host.torch
    x = torch.empty(4, device="meta")
    copies = (
        lambda: torch.ones(4).to("meta"),
        lambda: x.copy_(torch.ones(4)),
        lambda: x[[0, 1, 3]],
        lambda: x.new_tensor([1.0, 2.0]),
        lambda: torch.tensor(2.0, device="meta"),
    )
    for work in copies:
        with watches.DeviceWaits() as waits:
            work()
        assert waits.found


def test_the_watch_lets_pass_what_does_not_wait(host, watches):
    torch = host.torch
    x, rows = torch.empty(4, 4, device="meta"), torch.empty(3, dtype=torch.int64, device="meta")
    with watches.DeviceWaits() as waits:
        x[rows] = x.index_select(0, rows) * torch.tensor(2.0)
        x[1::2].index_copy_(1, rows, x[1::2, :3])
    assert waits.seen > 3 and waits.found == []


def test_live_bytes_are_those_of_the_tensors_that_live(host, watches):
    torch = host.torch
    old = torch.ones(1000)
    with watches.LiveBytes(torch.device("cpu")) as live:
        view = old[:10].view(2, 5)  # nothing new
        assert live.now == 0
        first = old * 2
        second = first + view.sum()
        assert live.now >= 8000
        del first
        assert live.now < 8000
        del second
    assert live.now == 0 and 8000 <= live.peak < 8100
