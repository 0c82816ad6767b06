"""The sketch encoder as a CONTROL_NET among ComfyUI's own: strength, window, chains, batches, memory."""

import gc
import weakref

import pytest

SAME = 2e-5
SLOTS = (0, 3, 6, 9, 11)


@pytest.fixture(scope="module")
def plan(studio):
    """Plain reference attention: (model, positive, negative)."""
    return studio.apply(studio.carrier())


@pytest.fixture(scope="module")
def stock_control_nets(host, studio):
    """ComfyUI's own kinds of control, with made-up weights: a ControlNet of the UNet's size and a T2I adapter."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.ops
    import comfy.t2i_adapter.adapter

    torch = host.torch
    config = studio.model.model.model_config.unet_config.copy()
    del config["out_channels"]
    config |= {"hint_channels": 3, "operations": comfy.ops.manual_cast}
    network = comfy.cldm.cldm.ControlNet(**config)
    adapter = comfy.t2i_adapter.adapter.Adapter(
        channels=[64, 128, 256, 256], nums_rb=1, cin=192, ksize=1, sk=True, use_conv=False, xl=False
    )
    generator = torch.Generator().manual_seed(3)
    for module in (network, adapter):
        for weight in module.parameters():
            weight.data = torch.randn(weight.shape, generator=generator) / max(weight[0].numel(), 8) ** 0.5
        module.eval().requires_grad_(False)
    return {
        "ControlNet": comfy.controlnet.ControlNet(network, load_device=torch.device("cpu")),
        "T2I adapter": comfy.controlnet.T2IAdapter(adapter, 3, 8, "nearest-exact"),
    }


@pytest.fixture
def encodings(studio):
    """A list that grows by the shape of every line map that goes through the sketch encoder."""
    shapes = []
    handle = studio.control_net.encoder.model.register_forward_hook(
        lambda module, inputs, output: shapes.append(tuple(inputs[0].shape))
    )
    yield shapes
    handle.remove()


@pytest.fixture
def controls(studio, plan):
    """A function that samples with conditionings and returns what control each call of the UNet got."""
    import comfy.patcher_extension

    def run(positive, negative, noise=None, steps=1, **settings):
        model, seen = plan[0].clone(), []

        def record(executor, x, timesteps, context, y, control, *args, **kwargs):
            seen.append({k: list(v) for k, v in control.items()} if control else None)
            return executor(x, timesteps, context, y, control, *args, **kwargs)

        model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "record", record)
        studio.sample(model, positive, negative, noise, steps=steps, **settings)
        return seen

    return run


def hints_of(control):
    """The hints in the order of the input blocks that they are added after."""
    assert not control["middle"] and not control["output"]
    slots = control["input"][::-1]
    assert [i for i, hint in enumerate(slots) if hint is not None] == list(SLOTS)
    return [slots[i] for i in SLOTS]


def assert_same(host, ours, others):
    for a, b in zip(ours, others, strict=True):
        a, b = host.torch.broadcast_tensors(a, b)
        assert float((a - b).norm() / b.norm()) < SAME


def test_strength_scales_the_hints(host, studio, plan, controls):
    whole, half = (hints_of(controls(*studio.sketch(*plan[1:], strength=s))[0]) for s in (1.0, 0.5))
    assert_same(host, half, [0.5 * hint for hint in whole])


def test_strength_acts_alike_in_every_step(host, studio, plan, controls):
    calls = controls(*studio.sketch(*plan[1:], strength=0.5), steps=4)
    assert len(calls) == 4
    for call in calls[1:]:
        assert_same(host, hints_of(call), hints_of(calls[0]))


def test_strength_zero_is_no_sketch(studio, plan):
    with_none = studio.sample(*plan)
    assert studio.difference(studio.sample(plan[0], *studio.sketch(*plan[1:], strength=0.0)), with_none) == 0
    assert studio.difference(studio.sample(plan[0], *studio.sketch(*plan[1:])), with_none) > 1e-2


@pytest.mark.parametrize("window", [(0.0, 0.5), (0.5, 1.0), (0.3, 0.6), (0.0, 0.0), (1.0, 1.0)])
def test_the_window_is_that_of_a_stock_control(studio, plan, controls, stock_control_nets, window):
    settings = {"start_percent": window[0], "end_percent": window[1]}
    ours, stock = (
        [call is not None for call in controls(*studio.sketch(*plan[1:], control_net=net, **settings), steps=6)]
        for net in (studio.control_net, stock_control_nets["T2I adapter"])
    )
    assert ours == stock


def test_the_old_apply_control_net_node_gives_the_same(host, studio, pack, plan, controls):
    model, positive, negative = plan
    (old,) = pack.run(
        "ControlNetApply",
        conditioning=positive,
        control_net=studio.control_net,
        image=studio.line_map(),
        strength=0.7,
    )
    new = studio.sketch(positive, negative, strength=0.7)
    assert_same(host, hints_of(controls(old, negative)[0]), hints_of(controls(*new)[0]))
    assert studio.difference(studio.sample(model, old, negative), studio.sample(model, *new)) < SAME


@pytest.mark.parametrize("other", ["ControlNet", "T2I adapter"])
def test_a_chain_in_either_order_is_the_sum(host, studio, plan, controls, stock_control_nets, other):
    stock = {"control_net": stock_control_nets[other], "image": studio.picture("canny", 96, 64), "strength": 0.6}
    ours = {"strength": 0.8}
    alone = [controls(*studio.sketch(*plan[1:], **settings))[0] for settings in (stock, ours)]
    for chain in ((stock, ours), (ours, stock)):
        conditionings = plan[1:]
        for settings in chain:
            conditionings = studio.sketch(*conditionings, **settings)
        together = controls(*conditionings)[0]
        for kind in ("input", "middle", "output"):
            parts = [control[kind] for control in alone]
            assert len(together[kind]) == max(map(len, parts))
            for i, total in enumerate(together[kind]):
                hints = [part[i] for part in parts if i < len(part) and part[i] is not None]
                assert (total is None) == (not hints)
                if hints:
                    assert_same(host, [total], [sum(hints)])


@pytest.mark.parametrize("other", ["ControlNet", "T2I adapter"])
def test_a_chain_in_either_order_gives_one_picture(studio, plan, stock_control_nets, other):
    stock = {"control_net": stock_control_nets[other], "image": studio.picture("canny", 96, 64), "strength": 0.6}
    first = studio.sketch(*studio.sketch(*plan[1:]), **stock)
    last = studio.sketch(*studio.sketch(*plan[1:], **stock))
    picture = studio.sample(plan[0], *first)
    assert studio.difference(picture, studio.sample(plan[0], *last)) < SAME
    assert studio.difference(picture, studio.sample(plan[0], *studio.sketch(*plan[1:]))) > 1e-3


def test_two_sketches_add_up(host, studio, plan, controls):
    images = [studio.line_map("one"), studio.line_map("two")]
    alone = [hints_of(controls(*studio.sketch(*plan[1:], image))[0]) for image in images]
    together = hints_of(controls(*studio.sketch(*studio.sketch(*plan[1:], images[0]), images[1]))[0])
    assert_same(host, together, [a + b for a, b in zip(*alone, strict=True)])


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_the_line_map_is_encoded_once_a_run(studio, plan, encodings, cfg):
    conditionings = studio.sketch(*plan[1:])
    studio.sample(plan[0], *conditionings, steps=5, cfg=cfg)
    assert encodings == [(1, 3, 96, 64)]
    studio.sample(plan[0], *conditionings, steps=5, cfg=cfg)
    assert len(encodings) == 2


def test_the_line_map_is_encoded_once_when_rows_run_one_at_a_time(studio, plan, encodings):
    base = plan[0].model
    usual, base.memory_usage_factor = base.memory_usage_factor, base.memory_usage_factor * 1e7
    try:
        studio.sample(plan[0], *studio.sketch(*plan[1:]), steps=3)
    finally:
        base.memory_usage_factor = usual
    assert len(encodings) == 1


def test_a_line_map_for_a_batch_is_encoded_once_and_serves_every_picture(host, studio, plan, encodings):
    noise = studio.noise(batch=3)
    together = studio.sample(plan[0], *studio.sketch(*plan[1:]), noise)
    assert encodings == [(1, 3, 96, 64)]
    for i in range(3):
        alone = studio.sample(plan[0], *studio.sketch(*plan[1:]), noise[i : i + 1])
        assert studio.difference(together[i : i + 1], alone) < SAME


def test_each_picture_of_a_batch_has_its_own_line_map(host, studio, plan):
    images, noise = studio.line_map(batch=2), studio.noise(batch=2)
    together = studio.sample(plan[0], *studio.sketch(*plan[1:], images), noise)
    for i in range(2):
        alone = studio.sample(plan[0], *studio.sketch(*plan[1:], images[i : i + 1]), noise[i : i + 1])
        assert studio.difference(together[i : i + 1], alone) < SAME


@pytest.mark.parametrize("size", [(96, 64), (200, 136), (31, 77), (1, 1), (768, 512)])
def test_a_line_map_of_any_size_fits_any_output(studio, plan, controls, size):
    for output in ((96, 64), (200, 136)):
        conditionings = studio.sketch(*plan[1:], studio.line_map(size=size))
        hints = hints_of(controls(*conditionings, studio.noise(output))[0])
        assert tuple(hints[0].shape[-2:]) == (output[0] // 8, output[1] // 8)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_grey_line_maps_and_line_maps_with_alpha_are_taken(host, studio, plan, controls, channels):
    rgb = studio.line_map()
    image = rgb[..., :1] if channels == 1 else host.torch.cat([rgb[..., : channels - 1], rgb[..., :1] * 0], dim=-1)
    ours, expected = (hints_of(controls(*studio.sketch(*plan[1:], i))[0]) for i in (image, rgb))
    assert_same(host, ours, expected)


def test_values_beyond_0_and_1_count_as_0_and_1(host, studio, plan, controls):
    image = studio.line_map()
    ours, expected = (hints_of(controls(*studio.sketch(*plan[1:], i))[0]) for i in (image * 3 - 1, image))
    assert_same(host, ours, expected)


def test_the_hints_are_freed_when_the_run_ends(studio, plan):
    hints = []
    handle = studio.control_net.encoder.model.register_forward_hook(
        lambda module, inputs, output: hints.extend(weakref.ref(hint) for hint in output)
    )
    conditionings = studio.sketch(*plan[1:])
    try:
        studio.sample(plan[0], *conditionings)
    finally:
        handle.remove()
    gc.collect()
    assert len(hints) == 5 and all(hint() is None for hint in hints)


def test_a_run_after_one_that_was_broken_off_starts_anew(host, studio, plan, encodings):
    conditionings = studio.sketch(*plan[1:])
    expected = studio.sample(plan[0], *conditionings)

    def stop(step, *args):
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        studio.sample(plan[0], *conditionings, callback=stop)
    assert host.torch.equal(studio.sample(plan[0], *conditionings), expected)
    assert len(encodings) == 3


def test_applying_leaves_the_control_net_as_it_was(studio, plan):
    before = dict(vars(studio.control_net))
    studio.sample(plan[0], *studio.sketch(*plan[1:], strength=0.3))
    assert vars(studio.control_net) == before


def test_the_encoder_is_loaded_with_the_run_and_can_be_unloaded(studio, plan):
    import comfy.model_management

    conditionings = studio.sketch(*plan[1:])
    before = studio.sample(plan[0], *conditionings)
    assert studio.control_net.encoder in [entry.model for entry in comfy.model_management.current_loaded_models]
    comfy.model_management.unload_all_models()
    assert studio.difference(studio.sample(plan[0], *conditionings), before) < SAME


def test_the_sketch_works_on_a_model_without_a_patch(studio, plan):
    latent = studio.sample(studio.model, *studio.sketch(*plan[1:]))
    assert studio.difference(latent, studio.sample(plan[0], *studio.sketch(*plan[1:]))) < SAME


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda torch: torch.zeros(1, 8, 8, 5), r"\(1, 5, 8, 8\); expected .* with 1 to 4 channels"),
        (lambda torch: torch.zeros(1, 8, 8), r"\(1, 8, 8\); expected .* Wire an IMAGE"),
        (lambda torch: torch.zeros(0, 8, 8, 3), "is empty: 0 pictures"),
        (lambda torch: torch.zeros(1, 0, 8, 3), "is empty: 1 pictures of 8×0"),
        (lambda torch: torch.full((1, 8, 8, 3), float("nan")), "NaN"),
        (lambda torch: torch.full((1, 8, 8, 3), float("inf")), "infinite"),
    ],
    ids=["five channels", "a mask", "empty batch", "no height", "nan", "inf"],
)
def test_what_is_no_line_map_is_refused_by_apply_control_net(host, studio, pack, plan, make, message):
    with pytest.raises(pack.Error, match=message):
        studio.sketch(*plan[1:], make(host.torch))
