"""Fuzzing: the tiny checkpoint, others that do not fit it, and a driver that feeds nodes by their own schemas.

`make test-all TESTS='tests/fuzz --fuzz 2000'` draws more examples; the draws of an ordinary run are always the same.
"""

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from module_files import fixtures_of, load_file

TESTS = Path(__file__).resolve().parent.parent
#: Bytes that a fuzz test may take beyond what the process has; beyond this lies a runaway allocation.
MEMORY = 6 << 30
#: Seconds after which an example counts as hung.
HANG = 300


_graph = fixtures_of("graph")
_values, _outcomes, _workshop = (
    load_file(TESTS / "fuzz" / f"{name}.py", f"fuzz_{name}") for name in ("values", "outcomes", "workshop")
)
studio, tiny_tensors, foreign, narrow = _graph.studio, _graph.tiny_tensors, _graph.foreign, _graph.narrow
load_xl, studios_xl = _graph.load_xl, _graph.studios_xl
wide_vae, dino_tower = _graph.wide_vae, _graph.dino_tower


@pytest.fixture(scope="session")
def examples(pytestconfig: pytest.Config) -> Callable[..., Any]:
    """Return `examples(share)`, hypothesis settings for a share of the examples that the run draws of a cheap node."""

    def make(share: float = 1.0) -> settings:
        return settings(
            max_examples=max(20, round(pytestconfig.getoption("--fuzz") * share)),
            phases=[Phase.generate, *([Phase.shrink] if share >= 1 else [])],  # what takes long is not tried again
            print_blob=False,
        )

    return make


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Let a runaway allocation fail in this test, and not in the machine."""
    resource = pytest.importorskip("resource", reason="memory is bounded on Unix alone")
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    if pages is not None:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def not_hanging() -> Iterator[None]:
    """Break an example off that does not end."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"an example has not ended after {HANG} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def workshop(
    studio: Any, studios_xl: Any, tiny_tensors: dict[str, Any], foreign: Any, narrow: Any, wide_vae: Any,
    dino_tower: Any, base_directory: Path, golden_keys: Callable[[str], Any], golden_weights: Callable[..., Any],
) -> Any:  # fmt: skip
    """Makes what the drawn descriptions stand for."""
    others = {"other": foreign, "narrow": narrow, "xl": studios_xl("base")}
    towers = {"wide": wide_vae, "dino": dino_tower}
    networks = {"isnet": "isnet", "sketch keras": "sketch-keras", "tagger": "xl-tagger-tiny"}
    weights = {name: lambda keys=keys: golden_weights(golden_keys(keys)) for name, keys in networks.items()}
    return _workshop.Workshop(studio, tiny_tensors, others, towers, weights, base_directory)


class Fuzzer:
    """Draws inputs for a node by its schema, runs it and checks the outcome.

    Example:
        >>> fuzzer.fuzz("ColorizeBleach", examples())
    """

    def __init__(self, pack: Any, workshop: Any) -> None:
        self.pack, self.workshop = pack, workshop
        self.values, self.outcomes = _values, _outcomes
        self.right = 0
        self.refusals: Counter[str] = Counter()

    def fuzz(self, node_id: str, example_settings: settings) -> None:
        """Try a node with drawn inputs."""
        self.right, self.refusals = 0, Counter()
        declared = self.pack.node(node_id).INPUT_TYPES()

        @example_settings
        @given(drawn=_values.node_inputs(node_id, declared))
        def try_inputs(drawn: dict[str, Any]) -> None:
            self.try_inputs(node_id, drawn)

        try_inputs()

    def try_inputs(self, node_id: str, drawn: dict[str, Any]) -> None:
        """Run a node on drawn inputs and check the outcome."""
        node = self.pack.node(node_id)

        def check(outputs: tuple[Any, ...], inputs: dict[str, Any]) -> None:
            _outcomes.check_outputs(node_id, list(node.RETURN_TYPES), outputs)
            _outcomes.check_sizes(node_id, inputs, outputs)

        inputs = {name: self.workshop.made(value) for name, value in drawn.items()}
        self.try_work(lambda: self.pack.run(node_id, **inputs), inputs, node_id, check)

    def try_work(self, work: Callable[[], Any], inputs: dict[str, Any], name: str, check: Callable) -> None:
        """Do a piece of work twice: both times the same right result, or refused as it may be; inputs unchanged.

        Args:
            inputs: what goes in, by the names that a message may use. name: of the work, for failures.
            check: (result, inputs), raises where the result is not right.
        """
        kept = _outcomes.snapshot(inputs)
        results = []
        for _ in range(2):
            try:
                with not_hanging():
                    results.append(work())
            except self.pack.Error as error:
                assert not results, f"{name} took the inputs the first time and refused them the second: {error}"
                _outcomes.check_message(str(error), name, inputs)
                self.refusals[str(error)] += 1
                break
        _outcomes.check_unchanged(kept, name)
        if results:
            self.right += 1
            check(results[0], inputs)
            _outcomes.check_same(*results, name)


@pytest.fixture(scope="session")
def model_digests(workshop: Any) -> dict[str, str]:
    """Hashes of the models' weights, patches and options before anything was tried on them."""
    return {name: workshop.digest(name) for name in ("tiny", "other")}


@pytest.fixture
def fuzzer(pack: Any, workshop: Any, model_digests: dict[str, str]) -> Fuzzer:
    """The driver."""
    return Fuzzer(pack, workshop)
