"""Callables as ComfyUI's ModelPatcher wants them: shared by clones, asked for side models."""

import copy
from collections.abc import Callable, Sequence

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from .attention import attend

#: Key of the callback that gives each clone hooks of its own.
OWN_HOOKS = "colorize_own_hooks"


class Hook:
    """A patch function together with the side models that it needs on the device.

    Older versions of ComfyUI deep-copy a MODEL's patches when it is cloned, newer ones share them; what has `to` is
    moved. A hook holds no state of a run, so clones share it and it is never moved. torch.compile leaves the patch
    functions alone and compiles the UNet around them: regions have another length in every picture.

    Args:
        key: which of our patches it belongs to.
        call: the patch function.
        models: what ComfyUI loads together with the patched model.
    """

    def __init__(self, key: str, call: Callable, models: Sequence[comfy.model_patcher.ModelPatcher] = ()):
        self.key = key
        self.call = call
        self.side_models = list(models)

    @torch.compiler.disable(recursive=False)
    def __call__(self, *args, **kwargs):
        """Call the patch function."""
        return self.call(*args, **kwargs)

    def __deepcopy__(self, memo) -> "Hook":
        return self

    def to(self, *args, **kwargs) -> "Hook":
        """Stay as it is, on whatever device."""
        return self

    def models(self) -> list[comfy.model_patcher.ModelPatcher]:
        """Return the models that ComfyUI loads together with the patched one."""
        return self.side_models


class AttentionHook(Hook):
    """Our replacement of one attention, together with those that other packs have at the same place.

    ComfyUI knows one replacement a place. IP-Adapter and its kin (InstantID, PuLID) therefore join whatever they find
    there by its `add`; a replacement that was there before ours is kept. The result is ours, plus what an earlier one
    gives beyond plain attention, plus what each later one adds. They join in place and put nothing back into the
    MODEL's options, so that each clone of a MODEL needs a hook of its own: see `own_hooks`.

    Args:
        earlier: the replacement that was there before.
        added: (callback, its keyword arguments) of those that came later.
    """

    def __init__(self, key: str, call: Callable, earlier: Callable | None = None, added: Sequence = ()):
        super().__init__(key, call)
        self.earlier = earlier
        self.added = list(added)

    @property
    def alone(self) -> bool:
        """Whether nothing but ours acts at this place."""
        return self.earlier is None and not self.added

    def add(self, callback: Callable, **kwargs) -> None:
        """Let another pack add callback(out, q, k, v, extra_options, **kwargs) between its sigmas, if it has any."""
        self.added.append((callback, kwargs))

    @torch.compiler.disable
    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        """Attend: q [B, T, C], k and v [B, S, C] -> [B, T, C]."""
        out = self.call(q, k, v, extra_options)
        if self.earlier is not None:
            out = out + (self.earlier(q, k, v, extra_options) - attend(q, k, v, extra_options))
        for callback, kwargs in self.added:
            if within_sigmas(extra_options, kwargs):
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out.to(q.dtype)

    def copy(self) -> "AttentionHook":
        """Return a hook that others can join without joining this one."""
        return AttentionHook(self.key, self.call, self.earlier, self.added)

    def __deepcopy__(self, memo) -> "AttentionHook":
        return AttentionHook(self.key, self.call, copy.deepcopy(self.earlier, memo), self.added)

    def to(self, *args, **kwargs) -> "AttentionHook":
        """Move what another pack has here, as ComfyUI would if it stood alone; this hook stays as it is."""
        move = getattr(self.earlier, "to", None)
        moved = self.earlier if move is None else move(*args, **kwargs)
        return self if moved is self.earlier else AttentionHook(self.key, self.call, moved, self.added)

    def models(self) -> list[comfy.model_patcher.ModelPatcher]:
        """Return the models of ours and of the earlier replacement."""
        theirs = getattr(self.earlier, "models", None)
        return [*self.side_models, *(theirs() if theirs is not None else ())]

    def others(self) -> Callable | None:
        """Return what stays when ours is taken out."""
        return AttentionHook("", attend, self.earlier, self.added) if self.added else self.earlier


def within_sigmas(extra_options: dict, kwargs: dict) -> bool:
    """Whether this step lies in the range of sigmas that another pack gave with its callback."""
    sigmas = extra_options.get("sigmas")
    if sigmas is None or not {"sigma_start", "sigma_end"} <= kwargs.keys():
        return True
    return bool(kwargs["sigma_end"] <= float(sigmas[0]) <= kwargs["sigma_start"])


def replace_attention(
    model: comfy.model_patcher.ModelPatcher, key: str, kind: str, block: tuple[str, int], call: Callable
) -> None:
    """Replace the attention of a UNet block, keeping what another pack has put there.

    Args:
        model: a clone, from which an earlier installation of ours has been removed.
        kind: "attn1" or "attn2".
    """
    replacements = model.model_options["transformer_options"].get("patches_replace", {}).get(kind, {})
    place = (*block, 0) if (*block, 0) in replacements else block  # ComfyUI asks for the longer name first
    hook = AttentionHook(key, call, replacements.get(place))
    (model.set_model_attn1_replace if kind == "attn1" else model.set_model_attn2_replace)(hook, *place)
    at_clone = comfy.patcher_extension.CallbacksMP.ON_CLONE
    model.remove_callbacks_with_key(at_clone, OWN_HOOKS)
    model.add_callback_with_key(at_clone, OWN_HOOKS, own_hooks)


def own_hooks(original: comfy.model_patcher.ModelPatcher, clone: comfy.model_patcher.ModelPatcher) -> None:
    """Give a clone of a MODEL attention hooks of its own, in options of its own."""
    options = clone.model_options["transformer_options"]
    replaced = {
        kind: {place: hook.copy() if isinstance(hook, AttentionHook) else hook for place, hook in places.items()}
        for kind, places in options.get("patches_replace", {}).items()
    }
    clone.model_options = clone.model_options | {"transformer_options": options | {"patches_replace": replaced}}


def acts_at(transformer_options: dict, key: str, kind: str, block: tuple[str, int]) -> AttentionHook | None:
    """Return our replacement of a block's attention, if it is the one that ComfyUI will call."""
    replacements = transformer_options.get("patches_replace", {}).get(kind, {})
    hook = replacements.get((*block, 0), replacements.get(block))
    return hook if isinstance(hook, AttentionHook) and hook.key == key else None


def ours_last(transformer_options: dict, key: str, kind: str) -> dict:
    """Return options in which other packs' patches of the attentions' inputs run before ours.

    Args:
        kind: "attn1_patch" or "attn2_patch".
    """
    patches = transformer_options.get("patches", {})
    ordered = sorted(patches.get(kind, ()), key=lambda patch: isinstance(patch, Hook) and patch.key == key)
    return transformer_options | {"patches": patches | {kind: ordered}}


def remove_hooks(transformer_options: dict, key: str) -> None:
    """Take an earlier installation of one of our patches out of a clone's options; all other patches stay."""

    def ours(patch) -> bool:
        return isinstance(patch, Hook) and patch.key == key

    for patches in transformer_options.get("patches", {}).values():
        patches[:] = [patch for patch in patches if not ours(patch)]
    for replacements in transformer_options.get("patches_replace", {}).values():
        for place, patch in list(replacements.items()):
            if ours(patch):
                others = patch.others() if isinstance(patch, AttentionHook) else None
                replacements.pop(place) if others is None else replacements.update({place: others})
    for wrappers in transformer_options.get("wrappers", {}).values():
        wrappers.pop(key, None)
