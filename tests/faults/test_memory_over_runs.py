"""A server's memory over many runs, each with another seed and another reference, so that all caches turn over.

What the process holds (RSS) is read when a prompt has ended. glibc is told to hand freed pieces of more than 64 KB back
at once, see GIVE_MEMORY_BACK in conftest.py: left to itself it keeps up to 32 MB of every thread's for later, more
than a lost carrier a run would show in fifty.
"""

import itertools

import pytest

pytestmark = pytest.mark.thorough

#: The most that memory may grow from the end of the warm-up on, as a fraction: over fifty runs, and over a few.
FLAT, FLAT_OVER_A_FEW = 0.03, 0.01
FEW, WARM_UP = 12, 4
#: Side of the output that references are encoded for: a carrier of 3 MB, and caches of a run twice as large. One kept
#: in each of a few runs is 2 % of what a server holds.
CARRIER_SIZE = 384


@pytest.fixture
def memory(start_server, prompts):
    """A function that queues runs one after the other and returns what the server holds after each, in bytes."""
    import psutil

    def sizes(runs, change=lambda prompt: prompt):
        held = []
        with start_server() as server:
            process = psutil.Process(server.process_id)
            for seed, reference in zip(range(runs), itertools.cycle(["reference", "other_reference"])):
                prompt = prompts.split(seed, reference)
                for node in ("background", "style"):
                    prompt = prompts.change(prompt, node, width=CARRIER_SIZE, height=CARRIER_SIZE)
                run = server.run(change(prompt))
                assert {"tokens", "background", "style", "sampler"} <= set(run.executed)
                server.get("/faults/alive?names=Carrier")  # collects circles of references
                held.append(process.memory_info().rss)
        print("MB held after each run:", *(round(size / 1e6, 1) for size in held))
        return held

    return sizes


def growth(held, warm_up):
    """How much the largest size after the warm-up is above the one at its end, as a fraction."""
    return max(held[warm_up - 1 :]) / held[warm_up - 1] - 1


def test_memory_is_flat_over_a_few_runs(memory):
    assert growth(memory(FEW), WARM_UP) <= FLAT_OVER_A_FEW


@pytest.mark.slow
def test_memory_is_flat_over_fifty_runs(memory):
    assert growth(memory(50), 10) <= FLAT


def test_a_carrier_kept_each_run_is_noticed(memory, prompts):
    """The same with a node that never lets a carrier go: what the few runs keep is more than may pass."""

    def leaking(prompt):
        return prompts.insert(prompt, "apply", "carrier", "KeepCarrier", fault="none")

    assert growth(memory(FEW, leaking), WARM_UP) > FLAT_OVER_A_FEW
