"""Putting weights into modules the way ComfyUI does: its dtypes, its offloading, its patchers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pickle import UnpicklingError

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import torch
from torch import Tensor, nn

from ..errors import ColorizeError
from ..weights import check_complete, named_tensors

#: (state_dict, operations, device, dtype) -> a module with uninitialised weights.
Build = Callable[..., nn.Module]


def read_file(path: str) -> dict[str, Tensor]:
    """Read a checkpoint without running anything in it: .safetensors, or a pickle through PyTorch's safe loader."""
    try:
        return named_tensors(comfy.utils.load_torch_file(path, safe_load=True))
    except UnpicklingError as error:
        raise ColorizeError(
            f"{path} is no file of tensors alone, and nothing else is read, because a pickle can run any program. It "
            "is no checkpoint, or it holds Python objects beside its tensors: use a .safetensors version of it."
        ) from error
    except Exception as error:
        reason = first_line(error)
        raise ColorizeError(
            f"{path} cannot be read ({reason}). The file is truncated or no checkpoint at all: "
            "compare its size with the published one and download it again."
        ) from error


def stop_when_cancelled(*_: object) -> None:
    """End the prompt if the user has cancelled it; a hook for layers, whatever it is called with."""
    comfy.model_management.throw_exception_if_processing_interrupted()


@contextmanager
def cancellable(module: nn.Module) -> Iterator[None]:
    """Let the user cancel between two layers while a module's weights come from the disk, which may take minutes."""
    layers = [layer for layer in module.modules() if hasattr(layer, "register_load_state_dict_pre_hook")]
    handles = [layer.register_load_state_dict_pre_hook(stop_when_cancelled) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_line(error: Exception) -> str:
    """Return what an error says, for brackets in a message."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


@contextmanager
def reading_sizes(part: str, file_name: str) -> Iterator[None]:
    """Turn whatever goes wrong while sizes are read off weights into a sentence about the part.

    Nothing in it takes memory for weights: what would hold them is built without (on the device "meta") until its
    shapes are known to be those of the file.
    """
    try:
        yield
    except ColorizeError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise ColorizeError(
            f"{file_name}: the sizes of {part} cannot be read off its weights "
            f"({type(error).__name__}: {first_line(error)}). "
            "The file is truncated, edited or of another version: download the checkpoint again."
        ) from error


def dtypes_for(state_dict: Mapping[str, Tensor]) -> tuple[torch.dtype, torch.dtype]:
    """Choose storage and compute dtype of diffusion weights by ComfyUI's rules and command line."""
    storage = comfy.model_management.unet_dtype(
        model_params=comfy.utils.calculate_parameters(state_dict),
        weight_dtype=comfy.utils.weight_dtype(state_dict),
    )
    device = comfy.model_management.get_torch_device()
    return storage, comfy.model_management.unet_manual_cast(storage, device) or storage


def patcher_for(model: nn.Module) -> comfy.model_patcher.ModelPatcher:
    """Wrap a module as ComfyUI wraps its own diffusion models, so that it is loaded and freed with them."""
    patcher_class = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher_class(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def takes_weights_as_they_are(patcher: comfy.model_patcher.ModelPatcher) -> bool:
    """Whether this patcher pages weights itself, so that they must be assigned rather than copied."""
    is_dynamic = getattr(patcher, "is_dynamic", None)
    return bool(is_dynamic and is_dynamic())


def load_module(
    build: Build, state_dict: dict[str, Tensor], part: str, file_name: str
) -> comfy.model_patcher.ModelPatcher:
    """Build a module of ours, fill it with its weights and hand it to ComfyUI's memory management.

    Args:
        build: makes the module from (state_dict, operations, device, dtype).
        state_dict: all of the module's weights. part, file_name: for messages.

    Returns:
        A patcher; its `model` has `compute_dtype`, the dtype that its inputs should have.

    Raises:
        ColorizeError: weights are missing, left over or of another shape.
    """
    storage, compute = dtypes_for(state_dict)
    offload = comfy.model_management.unet_offload_device()
    with reading_sizes(part, file_name):
        expected = build(state_dict, comfy.ops.manual_cast, torch.device("meta"), storage).state_dict()
    check_complete(part, file_name, expected, state_dict)
    module = build(state_dict, comfy.ops.manual_cast, offload, storage).train(False)
    module.compute_dtype = compute  # type: ignore[assignment]  # An attribute, for torch.nn.Module takes any.
    patcher = patcher_for(module)
    with cancellable(module):
        module.load_state_dict(state_dict, assign=takes_weights_as_they_are(patcher))
    return patcher
