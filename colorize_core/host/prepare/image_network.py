"""Networks that look at pictures before the sampling starts, one frame at a time, in ComfyUI's memory management."""

from collections.abc import Callable
from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import nn

from ...errors import ColorizeError
from ...weights import check_complete, check_weights
from ..loading import (
    cancellable,
    patcher_for,
    read_file,
    reading_sizes,
    stop_when_cancelled,
    takes_weights_as_they_are,
)
from .frames import map_frames

#: (the network, one frame [1, H, W, C] on the network's device, float32) -> [1, …].
OneFrame = Callable[[Callable[[torch.Tensor], torch.Tensor], torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Family:
    """A kind of network that published files hold.

    Attributes:
        name: for messages.
        build: (operations, device, dtype) -> the network.
        convert: the published tensors -> those of the network; KeyError where one is missing.
        anchor: a tensor that every such file has; what stands before its name is the file's prefix.
        folder: where the files belong, under models/.
        files: the published files' names, for messages.
        floats_per_pixel: what a forward pass holds at its peak, for ComfyUI's memory estimate.
    """

    name: str
    build: Callable[..., nn.Module]
    convert: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
    anchor: str
    folder: str
    files: str
    floats_per_pixel: int


@dataclass(frozen=True)
class ImageNetwork:
    """A loaded network and the dtype that it computes in."""

    family: Family
    patcher: comfy.model_patcher.ModelPatcher
    dtype: torch.dtype

    def run_frames(self, frames: torch.Tensor, pixels: int, one_frame: OneFrame) -> torch.Tensor:
        """Run the network over the frames of a batch, with a progress bar, until the user cancels.

        Args:
            frames: [B, H, W, C].
            pixels: size of the network's input, for the memory estimate.
            one_frame: makes a frame's result, [1, …].

        Returns:
            [B, …], float32 on ComfyUI's intermediate device.
        """
        memory = pixels * self.family.floats_per_pixel * self.dtype.itemsize
        comfy.model_management.load_models_gpu([self.patcher], memory_required=memory)
        results_device = comfy.model_management.intermediate_device()

        def run(frame: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return one_frame(self._apply, frame.to(self.patcher.load_device)).float().to(results_device)

        return map_frames(run, frames)

    def _apply(self, x: torch.Tensor) -> torch.Tensor:
        """Run the network alone, in its own dtype; float32 in and out."""
        return self.patcher.model(x.to(self.dtype)).float()


def load_image_network(path: str, file_name: str, family: Family) -> ImageNetwork:
    """Load a network from a published file, recognised by its tensors' names.

    Args:
        path: .safetensors, or a pickle through the safe loader.
        file_name: the name that the user chose, for messages.
        family: what the file must be.

    Raises:
        ColorizeError: the file is something else, or incomplete.
    """
    state_dict = without_prefix(read_file(path), file_name, family)
    check_weights({k: v for k, v in state_dict.items() if not k.endswith("num_batches_tracked")}, file_name)
    with reading_sizes(family.name, file_name):
        try:
            weights = family.convert(state_dict)
        except KeyError as error:
            raise ColorizeError(
                f"{file_name} is {family.name}, but lacks the tensor {error}. The file is truncated: download it again."
            ) from error
    device = comfy.model_management.get_torch_device()
    dtype = torch.float16 if comfy.model_management.should_use_fp16(device) else torch.float32
    offload = comfy.model_management.unet_offload_device()
    network = family.build(operations=comfy.ops.manual_cast, device=offload, dtype=dtype).train(False)
    check_complete(family.name, file_name, network.state_dict(), weights)
    for layer in network.modules():
        # A frame takes seconds on a CPU, so a cancelled run does not wait for its end.
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(stop_when_cancelled)
    patcher = patcher_for(network)
    weights = {key: value.to(dtype) for key, value in weights.items()}
    with cancellable(network):
        network.load_state_dict(weights, assign=takes_weights_as_they_are(patcher))
    return ImageNetwork(family, patcher, dtype)


def without_prefix(state_dict: dict[str, torch.Tensor], file_name: str, family: Family) -> dict[str, torch.Tensor]:
    """Return the network's tensors without what wrappers put before their names (`module.`, `net.`).

    Raises:
        ColorizeError: the file holds no network of this family.
    """
    prefixes = [key.removesuffix(family.anchor) for key in state_dict if key.endswith(family.anchor)]
    if not prefixes:
        first = ", ".join(list(state_dict)[:3]) or "none"
        raise ColorizeError(
            f"{file_name} is not {family.name}: among its {len(state_dict)} tensors ({first} …) there is no "
            f"{family.anchor}. Put {family.files} into models/{family.folder} and choose it here."
        )
    prefix = min(prefixes, key=len)
    return {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}
