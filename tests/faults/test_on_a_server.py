"""Faults on a server: cancelled and failing prompts, different patches in one queue, models that are unloaded.

All happen on one server, one after the other. Whatever came before, a prompt gives the latent and the picture that it
gives on a server of its own, bit for bit.
"""

import time

import pytest

pytestmark = pytest.mark.thorough

WAYS = ("split", "injected", "plain")
#: Parts of the checkpoint, of which a server holds those of one checkpoint, or none.
PARTS = ("ColorizerV2", "LatentEncoder", "BackgroundPath", "StyleModulation", "SketchEncoder", "UNetModel")


@pytest.fixture(scope="module")
def alone(start_server, prompts, result):
    """{way: (latent, picture)}, each from a server that has done nothing else."""
    results = {}
    for way in WAYS:
        with start_server() as server:
            results[way] = result(server, server.run(getattr(prompts, way)()))
    return results


@pytest.fixture(scope="module")
def server(start_server):
    with start_server() as running:
        yield running


@pytest.fixture
def is_right(alone, result, server):
    """A function that compares a run with the one of a server of its own."""

    def compare(way, run):
        (latent, picture), (latent_alone, picture_alone) = result(server, run), alone[way]
        return bool((latent == latent_alone).all()) and bool((picture == picture_alone).all())

    return compare


def alive(server, *names):
    """Return {class: number of objects} of what is really there."""
    found = server.get(f"/faults/alive?names={','.join(names)}")
    return {name: count for name, count in found.items() if count}


def comes_true(condition):
    """Ask until something is so, for a minute at most: the page hears of an end before the server has cleared up."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def test_every_way_gives_another_picture(alone):
    assert all((alone[a][1] != alone[b][1]).any() for a, b in (WAYS[:2], WAYS[1:], WAYS[::2]))


@pytest.mark.parametrize("order", ["split injected", "injected split", "split plain injected plain split"])
def test_prompts_queued_at_once_with_different_patches(server, prompts, is_right, order):
    ways = order.split()
    runs = server.run_all([getattr(prompts, way)() for way in ways])
    assert all(is_right(way, run) for way, run in zip(ways, runs, strict=True))


FAULTY = {
    "a node between the encoders": ("background", "carrier", "FaultyNode", {}),
    "a patch, in the middle of a step": ("sampler", "model", "FaultyPatch", {"call": 16}),
}
FAULTS = {"error": "has failed", "out of memory": "out of memory", "too large": "allocate"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", FAULTY)
def test_a_prompt_that_fails_half_way(server, comfyui_server, prompts, is_right, run_objects, place, fault):
    before, name, node, inputs = FAULTY[place]
    failing = prompts.insert(prompts.split(), before, name, node, fault=fault, **inputs)
    failed, injected, split = server.run_all([failing, prompts.injected(), prompts.split()])
    assert isinstance(failed, comfyui_server.ServerError) and FAULTS[fault] in str(failed)
    assert comes_true(lambda: alive(server, *run_objects) == {})
    assert is_right("injected", injected) and is_right("split", split)


@pytest.mark.parametrize("node", ["loader", "tokens", "background", "style", "lines", "sampler"])
def test_a_prompt_that_is_cancelled(server, comfyui_server, prompts, is_right, run_objects, node):
    """Cancel is pressed when the node first tells its progress, as the page does it."""
    unload(server)
    pressed = []

    def on_step(reporting, done, total):
        if reporting == node and not pressed:
            pressed.append((done, total))
            server.post("/interrupt")

    long = prompts.change(prompts.split(), "sampler", steps=200)
    with pytest.raises(comfyui_server.ServerError, match="interrupted"):
        server.run(long, on_step=on_step)
    assert pressed
    assert comes_true(lambda: alive(server, *run_objects) == {})
    assert is_right("split", server.run(prompts.split()))


def unload(server, keep_results=False):
    """Ask the server to free its memory, and wait until it has done so."""
    server.post("/free", {"unload_models": True, "free_memory": not keep_results})
    assert keep_results or comes_true(lambda: alive(server, *PARTS) == {})


def test_models_unloaded_between_runs(server, prompts, is_right):
    first = server.run(prompts.split())
    unload(server, keep_results=True)
    second = server.run(prompts.change(prompts.split(), "sampler", seed=2))
    unload(server, keep_results=True)
    third = server.run(prompts.split())
    assert "sampler" in third.executed and "loader" not in third.executed + second.executed
    assert is_right("split", first) and is_right("split", third)


def test_weights_leave_memory_when_asked_to(server, prompts, is_right, run_objects, tiny_checkpoint):
    import psutil

    server.run(prompts.split())
    assert set(alive(server, *PARTS)) == set(PARTS)
    process = psutil.Process(server.process_id)
    before = process.memory_info().rss
    unload(server)
    assert comes_true(lambda: alive(server, *run_objects, "Carrier", "SketchControl", "ColorizePatch") == {})
    size = tiny_checkpoint.stat().st_size

    def released():
        return before - process.memory_info().rss

    is_released = comes_true(lambda: released() > 0.9 * size)
    print(f"released {released() / 1e6:.0f} MB of {before / 1e6:.0f} MB; the file has {size / 1e6:.0f} MB")
    assert is_released
    assert is_right("split", server.run(prompts.split()))
