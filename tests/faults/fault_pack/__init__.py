"""A user's custom nodes in which things go wrong, and a look into the server's memory."""

import gc
import itertools
from collections import Counter

import comfy.model_management
import torch
from aiohttp import web
from server import PromptServer

#: What `KeepCarrier` has not let go.
KEPT = []


def fail() -> None:
    raise RuntimeError("a node of the user's has failed")


def run_out_of_memory() -> None:
    raise comfy.model_management.OOM_EXCEPTION("CUDA out of memory. Tried to allocate 20.00 GiB.")


def allocate_too_much() -> None:
    torch.empty(1 << 48)


FAULTS = {
    "none": lambda: None,
    "error": fail,
    "out of memory": run_out_of_memory,
    "too large": allocate_too_much,
}


class FaultyPatch:
    """A MODEL whose UNet fails at one of its calls."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "fault": (list(FAULTS),), "call": ("INT", {"default": 0})}}

    def patch(self, model, fault, call):
        calls = itertools.count()

        def before_block(h, hsp, transformer_options):
            if next(calls) == call:
                FAULTS[fault]()
            return h, hsp

        model = model.clone()
        model.set_model_output_block_patch(before_block)
        return (model,)


class FaultyNode:
    """Hands a carrier on, or fails."""

    RETURN_TYPES = ("CARRIER",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"carrier": ("CARRIER",), "fault": (list(FAULTS),)}}

    def run(self, carrier, fault):
        FAULTS[fault]()
        return (carrier,)


class KeepCarrier(FaultyNode):
    """Hands a carrier on and never lets it go: a leak, for the test of the test."""

    def run(self, carrier, fault):
        KEPT.append(carrier)
        return (carrier,)


NODE_CLASS_MAPPINGS = {"FaultyPatch": FaultyPatch, "FaultyNode": FaultyNode, "KeepCarrier": KeepCarrier}


@PromptServer.instance.routes.get("/faults/alive")
async def alive(request):
    """Tell how many objects of each class the garbage collector cannot free."""
    gc.collect()
    counts = Counter(type(thing).__name__ for thing in gc.get_objects())
    return web.json_response({name: counts[name] for name in request.query["names"].split(",")})
