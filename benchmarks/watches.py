"""Looking at each operation that PyTorch carries out: what memory is alive, and where the host waits for the device."""

import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Count the bytes of tensors on a device that came while it watches and are still alive.

    What a kernel takes for itself in between is not seen; nor is what was there before.

    Attributes:
        now, peak: bytes.
    """

    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in self._tensors((args, kwargs)):
            self._know(tensor.untyped_storage(), 0)
        result = func(*args, **(kwargs or {}))
        for tensor in self._tensors(result):
            storage = tensor.untyped_storage()
            self._know(storage, storage.nbytes())
        return result

    def _tensors(self, tree: Any) -> list[Tensor]:
        return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.device.type == self.device.type]

    def _know(self, storage: torch.UntypedStorage, size: int) -> None:
        name = storage._cdata
        if name in self._known:
            return
        self._known.add(name)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, name, size)

    def _forget(self, name: int, size: int) -> None:
        self._known.discard(name)
        self.now -= size


#: Operations whose result the host has to know before it can go on.
_ASKING = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::is_nonzero",
    "aten::equal",
    "aten::allclose",
    "aten::nonzero",
    "aten::nonzero_numpy",
    "aten::masked_select",
    "aten::unique_dim",
    "aten::_unique2",
    "aten::unique_consecutive",
    "aten::repeat_interleave.Tensor",
    "aten::bincount",
}
_INDEXING = {"aten::index", "aten::index_put", "aten::index_put_"}
#: Functions that make a tensor of Python's numbers, and those that do so with an index.
_OF_NUMBERS = {"tensor", "as_tensor", "new_tensor"}
_INDEXED = {"__getitem__", "__setitem__"}


class _Lists(TorchFunctionMode):
    """Hand every tensor that is made of Python's numbers to `note(what, inputs)`.

    Seen where the function is called: whether an operation follows that makes the tensor depends on PyTorch's version
    and on the device.
    """

    def __init__(self, note: Callable[[str, list[Tensor]], None]) -> None:
        super().__init__()
        self.note = note

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in _OF_NUMBERS:
            data = args[-1] if args else (kwargs or {}).get("data")
            # A single number in main memory is no more than an argument of a kernel.
            if isinstance(data, list | tuple | int | float) and (result.ndim > 0 or result.device.type != "cpu"):
                self.note("a tensor made of numbers", [result])
        elif name in _INDEXED:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(part, list) for part in index):
                self.note("a list as an index", [args[0]])
        return result


class DeviceWaits(TorchDispatchMode):
    """Collect the operations for which the host would wait for a GPU, whatever device they run on here.

    Those that ask for values (`.item()`, `nonzero` and its kin, boolean indices), copies between main memory and the
    device, and tensors made of Python lists on the device.

    Attributes:
        seen: how many operations there were. found: a line for each that waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.found: list[str] = []
        self._lists = _Lists(lambda what, inputs: self.note(what, inputs))

    def __enter__(self) -> "DeviceWaits":
        self._lists.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._lists.__exit__(*exception)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        schema = func._schema
        name, inputs = schema.name, self._tensors((args, kwargs))
        names = {name, f"{name}.{schema.overload_name}"}
        self.seen += 1
        if names & _ASKING or (name in _INDEXING and any(t.dtype in (torch.bool, torch.uint8) for t in inputs[1:])):
            self.note(str(func), inputs)
        result = func(*args, **(kwargs or {}))
        outputs = self._tensors(result)
        devices = {t.device.type for t in (*inputs, *outputs) if t.ndim or t.device.type != "cpu"}
        if len(devices) > 1:
            self.note(f"{func} between devices", inputs)
        return result

    def note(self, what: str, inputs: list[Tensor]) -> None:
        """Keep what was found."""
        self.found.append(f"{what} {[tuple(t.shape) for t in inputs]}")

    @staticmethod
    def _tensors(tree: Any) -> list[Tensor]:
        return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


#: Operations that give memory alone.
_MEMORY_ALONE = {
    "aten::empty",
    "aten::empty_like",
    "aten::empty_strided",
    "aten::new_empty",
    "aten::new_empty_strided",
}


class Operators(TorchDispatchMode):
    """Count the operations that compute something: on a device each launches a kernel, or a few.

    Those whose result is memory of what they were given, unchanged (views, dropout outside training), do not count.

    Attributes:
        found: how often, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.found.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = self._storages((args, kwargs))
        result = func(*args, **(kwargs or {}))
        schema = func._schema
        if schema.is_mutable or (schema.name not in _MEMORY_ALONE and not self._storages(result) <= given):
            self.found[schema.name] += 1
        return result

    @staticmethod
    def _storages(tree: Any) -> set[int]:
        return {leaf.untyped_storage()._cdata for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}
