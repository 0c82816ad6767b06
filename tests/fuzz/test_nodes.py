"""Every node on drawn inputs: a right result or one clear sentence, never another exception, a crash, a hang or NaN.

Inputs are drawn by the nodes' own schemas, so a new node or input is covered at once.
"""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent.parent
#: Share of the examples for nodes that take long; others get all.
SHARES = {
    "ColorizeCheckpointLoader": 0.5,
    "ColorizeSegmenterLoader": 0.5,
    "ColorizeLineExtractorLoader": 0.5,
    "ColorizeSampleSequence": 0.5,
    "ColorizePreviewRegions": 0.5,
}


def listed_nodes() -> list[str]:
    """Read the list of nodes off nodes/__init__.py, before a host is there."""
    for statement in ast.parse((ROOT / "nodes" / "__init__.py").read_text()).body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.List):
            return [element.id for element in statement.value.elts if isinstance(element, ast.Name)]
    raise AssertionError("nodes/__init__.py lists no nodes")


NODES = listed_nodes()


@pytest.fixture(scope="module", autouse=True)
def files(workshop, foreign, pack):
    """Files to choose from; taken away again."""
    studio, module = workshop.studio, workshop.pack.module
    carriers = {"good.carrier.safetensors": studio.carrier("background_image", style=True)}
    (carriers["other.carrier.safetensors"],) = pack.run(
        "ColorizeEncodeStyle",
        carrier=studio.carrier(),
        colorizer=foreign.colorizer,
        vae=studio.vae,
        clip_vision=studio.clip_vision,
        image=studio.picture(),
        width=64,
        height=64,
    )
    with workshop.files(carriers, module("colorize_core.carrier.carrier_file").write_carrier):
        yield


def test_every_node_of_the_pack_is_tried(pack):
    assert {node.GET_SCHEMA().node_id for node in pack.module("nodes").NODES} == set(NODES)


@pytest.mark.parametrize("node_id", NODES)
def test_any_input(pack, fuzzer, examples, node_id):
    if node_id not in {node.GET_SCHEMA().node_id for node in pack.module("nodes").offered_nodes()}:
        pytest.skip("this version of ComfyUI has no types for it")
    fuzzer.fuzz(node_id, examples(SHARES.get(node_id, 1.0)))
    print(f"{node_id}: {fuzzer.right} runs, {fuzzer.refusals.total()} refusals:", *fuzzer.refusals, sep="\n")
    assert fuzzer.right, "not one example was right: the drawn inputs do not reach the node"


def test_nothing_has_changed_the_models(workshop, model_digests):
    assert {name: workshop.digest(name) for name in model_digests} == model_digests
