"""Callables as ComfyUI's ModelPatcher wants them: shared by clones, asked for side models."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from .attention import attend
from .unet_layout import AttentionPlace

#: Key of the callback that gives each clone hooks of its own.
OWN_HOOKS = "colorize_own_hooks"
#: Where a call of the UNet keeps the self-attentions that Attention Injection works on, in transformer options.
REPLACED = "colorize_replaced"


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

    def owners(self) -> list[Any]:
        """List the patches of ours that it calls methods of."""
        owner = getattr(self.call, "__self__", None)
        return [] if owner is None else [owner]

    def rebound(self, other: Callable[[Any], Any]) -> "Hook":
        """Return a hook that calls the same methods of `other(owner)`."""
        hook = copy.copy(self)
        hook.call = rebound(self.call, other)
        return hook


class AttentionHook(Hook):
    """Our replacement of one attention, together with those that other packs have at the same place.

    ComfyUI knows one replacement a place. IP-Adapter and its kin (InstantID, PuLID) therefore join whatever they find
    there by its `add`; a replacement that was there before ours is kept. The result is ours, plus what an earlier one
    gives beyond plain attention, plus what each later one adds. They join in place and put nothing back into the
    MODEL's options, so that each clone of a MODEL needs a hook of its own: see `own_hooks`.

    Args:
        calls: our patches' functions by their keys. The first that does not return None gives the result.
        earlier: the replacement that was there before.
        added: (callback, its keyword arguments) of those that came later.
    """

    def __init__(self, calls: Mapping[str, Callable], earlier: Callable | None = None, added: Sequence = ()):
        super().__init__("", self.ours)
        self.calls = dict(calls)
        self.earlier = earlier
        self.added = list(added)

    @property
    def alone(self) -> bool:
        """Whether nothing but ours acts at this place."""
        return self.earlier is None and not self.added

    def add(self, callback: Callable, **kwargs) -> None:
        """Let another pack add callback(out, q, k, v, extra_options, **kwargs) between its sigmas, if it has any."""
        self.added.append((callback, kwargs))

    def ours(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        """Attend as the first of our patches does that acts now."""
        for call in self.calls.values():
            out = call(q, k, v, extra_options)
            if out is not None:
                return out
        return attend(q, k, v, extra_options)

    @torch.compiler.disable
    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        """Attend: q [B, T, C], k and v [B, S, C] -> [B, T, C]."""
        out = self.ours(q, k, v, extra_options)
        if self.earlier is not None:
            out = out + (self.earlier(q, k, v, extra_options) - attend(q, k, v, extra_options))
        for callback, kwargs in self.added:
            if within_sigmas(extra_options, kwargs):
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out.to(q.dtype)

    def copy(self) -> "AttentionHook":
        """Return a hook that others can join without joining this one."""
        return AttentionHook(self.calls, self.earlier, self.added)

    def __deepcopy__(self, memo) -> "AttentionHook":
        return AttentionHook(self.calls, copy.deepcopy(self.earlier, memo), self.added)

    def to(self, *args, **kwargs) -> "AttentionHook":
        """Move what another pack has here, as ComfyUI would if it stood alone; this hook stays as it is."""
        move = getattr(self.earlier, "to", None)
        moved = self.earlier if move is None else move(*args, **kwargs)
        return self if moved is self.earlier else AttentionHook(self.calls, moved, self.added)

    def models(self) -> list[comfy.model_patcher.ModelPatcher]:
        """Return the models of the earlier replacement."""
        theirs = getattr(self.earlier, "models", None)
        return list(theirs()) if theirs is not None else []

    def owners(self) -> list[Any]:
        """List the patches of ours that it calls methods of."""
        return [call.__self__ for call in self.calls.values() if hasattr(call, "__self__")]

    def rebound(self, other: Callable[[Any], Any]) -> "AttentionHook":
        """Return a hook that calls the same methods of `other(owner)`."""
        calls = {key: rebound(call, other) for key, call in self.calls.items()}
        return AttentionHook(calls, self.earlier, self.added)

    def without(self, key: str) -> Callable | None:
        """Return what stays when one of our patches is taken out; None where nothing does."""
        calls = {name: call for name, call in self.calls.items() if name != key}
        return AttentionHook(calls, self.earlier, self.added) if calls or self.added else self.earlier


def rebound(call: Callable, other: Callable[[Any], Any]) -> Callable:
    """Return the same method of `other(its owner)`."""
    return getattr(other(call.__self__), call.__name__)  # type: ignore[no-any-return,attr-defined]


def within_sigmas(extra_options: dict, kwargs: dict) -> bool:
    """Whether this step lies in the range of sigmas that another pack gave with its callback."""
    sigmas = extra_options.get("sigmas")
    if sigmas is None or not {"sigma_start", "sigma_end"} <= kwargs.keys():
        return True
    return bool(kwargs["sigma_end"] <= float(sigmas[0]) <= kwargs["sigma_start"])


def replace_attention(
    model: comfy.model_patcher.ModelPatcher, key: str, kind: str, places: Sequence[AttentionPlace], call: Callable
) -> None:
    """Replace attentions of the UNet, keeping what another pack has put there.

    Args:
        model: a clone, from which an earlier installation of ours has been removed.
        kind: "attn1" or "attn2".
        places: all that are replaced, every transformer block of their blocks. Self-attentions are called by their
            block, as perturbed attention and its kin do, which replace what stands there for the time of a call;
            cross-attentions by their place where a block has several of them, as IP-Adapter and its kin do.
    """
    replacements = model.model_options["transformer_options"].get("patches_replace", {}).get(kind, {})
    replace = model.set_model_attn1_replace if kind == "attn1" else model.set_model_attn2_replace
    by_block = kind == "attn1" or not any(place.layer for place in places)
    for place in places:
        # ComfyUI asks for the longer name first.
        name = place.block if by_block and tuple(place) not in replacements else tuple(place)
        there = replacements.get(name, replacements.get(place.block))
        if isinstance(there, AttentionHook):
            hook = AttentionHook(there.calls | {key: call}, there.earlier, there.added)
        else:
            hook = AttentionHook({key: call}, there)
        replace(hook, *name)
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


def acts_at(transformer_options: dict, key: str, kind: str, place: AttentionPlace) -> AttentionHook | None:
    """Return our replacement of an attention, if it is the one that ComfyUI will call."""
    replacements = transformer_options.get("patches_replace", {}).get(kind, {})
    hook = replacements.get(tuple(place), replacements.get(place.block))
    return hook if isinstance(hook, AttentionHook) and key in hook.calls else None


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

    for patches in transformer_options.get("patches", {}).values():
        patches[:] = [patch for patch in patches if not (isinstance(patch, Hook) and patch.key == key)]
    for replacements in transformer_options.get("patches_replace", {}).values():
        for place, patch in list(replacements.items()):
            if isinstance(patch, AttentionHook) and key in patch.calls:
                rest = patch.without(key)
                replacements.pop(place) if rest is None else replacements.update({place: rest})
    for wrappers in transformer_options.get("wrappers", {}).values():
        wrappers.pop(key, None)
