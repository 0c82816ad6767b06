"""Batch normalisation folded into the convolution before it.

In use, a batch normalisation is a fixed scale and shift of every channel; multiplied into the convolution it costs
nothing, and the network is left with layers that ComfyUI can move, cast and page.
"""

import torch


def fold_batch_norm(
    weight: torch.Tensor, bias: torch.Tensor, norm: dict[str, torch.Tensor], eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight and bias of the convolution that also does what the normalisation after it does.

    Args:
        weight: [out, in, kh, kw].
        bias: [out].
        norm: `weight`, `bias`, `running_mean`, `running_var`, each [out].
        eps: what the normalisation adds to the variance.

    Returns:
        weight [out, in, kh, kw] and bias [out], float32.

    Source: arXiv 1502.03167, equation 11.
    """
    gain = norm["weight"].float() / torch.sqrt(norm["running_var"].float() + eps)
    return weight.float() * gain[:, None, None, None], (bias.float() - norm["running_mean"]) * gain + norm["bias"]


def fold_all(state_dict: dict[str, torch.Tensor], pairs: dict[str, str], eps: float) -> dict[str, torch.Tensor]:
    """Fold every normalisation of a network.

    Args:
        state_dict: the network's tensors.
        pairs: name of a convolution → name of the normalisation after it.
        eps: what the normalisations add to the variance.

    Returns:
        the tensors without those of the normalisations; float32.
    """
    norms = tuple(f"{name}." for name in pairs.values())
    folded = {key: value.float() for key, value in state_dict.items() if not key.startswith(norms)}
    for conv, norm_name in pairs.items():
        norm = {leaf: state_dict[f"{norm_name}.{leaf}"] for leaf in ("weight", "bias", "running_mean", "running_var")}
        weight, bias = state_dict[f"{conv}.weight"], state_dict[f"{conv}.bias"]
        folded[f"{conv}.weight"], folded[f"{conv}.bias"] = fold_batch_norm(weight, bias, norm, eps)
    return folded
