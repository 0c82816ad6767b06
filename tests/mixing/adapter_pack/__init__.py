"""A node pack that patches cross-attention as IP-Adapter and its kin do.

`Joined` behaves as their replacements: it computes plain attention, adds what its callbacks give, and lets others of
its kind join by `add`; `adapt` installs it as they do, by `add` on whatever stands there.
"""

BLOCKS = [*(("input", i) for i in (1, 2, 4, 5, 7, 8)), *(("output", i) for i in range(3, 12)), ("middle", 0)]
NO_LIMIT = 1e9


class Joined:
    """Plain attention and what the callbacks add, each within its range of sigmas."""

    def __init__(self, callback, **kwargs):
        self.parts = [(callback, kwargs)]

    def add(self, callback, **kwargs):
        self.parts.append((callback, kwargs))

    def __call__(self, q, k, v, extra_options):
        from comfy.ldm.modules.attention import optimized_attention

        out = optimized_attention(q, k, v, extra_options["n_heads"])
        sigma = float(extra_options["sigmas"][0])
        for callback, kwargs in self.parts:
            if kwargs["sigma_end"] <= sigma <= kwargs["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out.to(q.dtype)


def to_own_tokens(out, q, k, v, extra_options, weight, seed, **_):
    """Attend to four tokens of a picture, the reference-free rows to none of it."""
    import torch
    from comfy.ldm.modules.attention import optimized_attention

    assert len(q) == len(out) and len(q) % len(extra_options["cond_or_uncond"]) == 0, "all rows are there"
    images = len(q) // len(extra_options["cond_or_uncond"])
    tokens = torch.randn(1, 4, q.shape[-1], generator=torch.Generator().manual_seed(seed)).to(q)
    on = torch.tensor([float(kind == 0) for kind in extra_options["cond_or_uncond"] for _ in range(images)]).to(q)
    tokens = tokens * on.view(-1, 1, 1)
    return weight * optimized_attention(q, tokens, tokens, extra_options["n_heads"])


def adapt(weight=1.0, seed=1, sigma_start=NO_LIMIT, sigma_end=0.0, blocks=BLOCKS):
    """A function that puts an adapter on a MODEL."""
    kwargs = {"weight": weight, "seed": seed, "sigma_start": sigma_start, "sigma_end": sigma_end}

    def install(model):
        model = model.clone()
        for block in blocks:
            options = model.model_options["transformer_options"].copy()
            options["patches_replace"] = options.get("patches_replace", {}).copy()
            options["patches_replace"]["attn2"] = options["patches_replace"].get("attn2", {}).copy()
            if block not in options["patches_replace"]["attn2"]:
                options["patches_replace"]["attn2"][block] = Joined(to_own_tokens, **kwargs)
                model.model_options["transformer_options"] = options
            else:
                options["patches_replace"]["attn2"][block].add(to_own_tokens, **kwargs)
        return model

    return install


class ApplyAdapter:
    """`adapt` on the graph, between two percentages of the sampling."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "apply"
    CATEGORY = "adapter"

    @classmethod
    def INPUT_TYPES(cls):
        percent = {"min": 0.0, "max": 1.0, "step": 0.01}
        return {
            "required": {
                "model": ("MODEL",),
                "weight": ("FLOAT", {"default": 1.0, "min": -1.0, "max": 5.0, "step": 0.05}),
                "picture": ("INT", {"default": 1, "min": 0, "max": 1000}),
                "start_at": ("FLOAT", {"default": 0.0, **percent}),
                "end_at": ("FLOAT", {"default": 1.0, **percent}),
            }
        }

    def apply(self, model, weight, picture, start_at, end_at):
        sampling = model.get_model_object("model_sampling")
        start, end = sampling.percent_to_sigma(start_at), sampling.percent_to_sigma(end_at)
        return (adapt(weight, picture, start, end)(model),)


NODE_CLASS_MAPPINGS = {"TestAdapterApply": ApplyAdapter}
NODE_DISPLAY_NAME_MAPPINGS = {"TestAdapterApply": "Apply Adapter (test)"}
