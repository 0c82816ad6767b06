"""An SD 2.x ControlNet and a T2I adapter, chained before and after the sketch encoder."""

import pytest

SAME, NOTICED = 2e-5, 1e-3


@pytest.fixture(scope="module")
def other(pack, control_files):
    """{"controlnet", "t2i_adapter": a CONTROL_NET of ComfyUI's own loader}."""
    return {kind: pack.run("ControlNetLoader", control_net_name=name)[0] for kind, name in control_files.items()}


@pytest.fixture(scope="module")
def run(studio, everything):
    """A function that samples with a chain of (CONTROL_NET, image, strength)."""

    def sample(*chain, noise=None, **settings):
        model, positive, negative = studio.apply(everything, studio.mask())
        for control_net, image, strength in chain:
            positive, negative = studio.sketch(positive, negative, image, control_net, strength=strength, **settings)
        latent = studio.sample(model, positive, negative, noise=noise)
        assert latent.isfinite().all()
        return latent

    return sample


@pytest.mark.parametrize(
    ("studio", "kind"),
    [("v2", "controlnet"), ("v2", "t2i_adapter"), ("switch", "controlnet"), ("mult", "t2i_adapter")],
    indirect=["studio"],
)
def test_chained_before_and_after_the_sketch_encoder_is_the_same(studio, run, other, kind):
    sketch = (studio.control_net, studio.line_map(), 0.8)
    added = (other[kind], studio.picture("depth", 96, 64), 0.6)
    before, after = run(added, sketch), run(sketch, added)
    assert studio.difference(before, after) < SAME
    for alone in (run(sketch), run(added), run()):
        assert studio.difference(before, alone) > NOTICED


@pytest.mark.parametrize("kind", ["controlnet", "t2i_adapter"])
def test_strength_zero_leaves_the_other(studio, run, other, kind):
    line_map, depth = studio.line_map(), studio.picture("depth", 96, 64)
    sketch, added = (studio.control_net, line_map, 1.0), (other[kind], depth, 1.0)
    assert studio.difference(run((other[kind], depth, 0.0), sketch), run(sketch)) < SAME
    assert studio.difference(run((studio.control_net, line_map, 0.0), added), run(added)) < SAME


@pytest.mark.parametrize("kind", ["controlnet", "t2i_adapter"])
def test_a_batch_and_a_size_that_is_no_multiple_of_64(studio, run, other, kind):
    noise = studio.noise((104, 72), batch=2)
    sketch, added = (studio.control_net, studio.line_map(), 1.0), (other[kind], studio.picture("depth", 96, 64), 0.6)
    together = run(sketch, added, noise=noise)
    assert studio.difference(together[:1], run(sketch, added, noise=noise[:1])) < SAME


def test_all_three_at_once_each_in_its_window(studio, run, other):
    chain = [(control, studio.line_map(), 0.5) for control in (*other.values(), studio.control_net)]
    windowed = run(*chain, start_percent=0.0, end_percent=0.4)
    assert studio.difference(windowed, run(*chain)) > NOTICED
    outside = run(*chain, start_percent=1.0, end_percent=1.0)
    assert studio.difference(outside, run()) < SAME
