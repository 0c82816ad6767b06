"""What the comparisons with the golden data share: pictures, single calls of the UNet, sampling, a table of errors."""

#: Relative error of what encoders give and of v that is allowed where all is computed in float32.
EXACT = 2e-5
#: Relative error of v that is allowed when the UNet's weights are of a type, whatever ComfyUI does with all else.
#: Rounding these made-up weights to float8_e4m3fn and computing in float32 costs 0.39 by itself.
TOLERANCE = {"float32": 1e-2, "float16": 1e-2, "bfloat16": 8e-2, "float8_e4m3fn": 0.45}


def as_image(x):
    """[B, 3, H, W] in [-1, 1] -> IMAGE, in memory as Load Image gives it: the channels of a pixel together."""
    return ((x + 1) / 2).movedim(1, -1).contiguous()


def relative_error(ours, golden) -> float:
    return float((ours.float().cpu() - golden).norm() / golden.norm())


class Table:
    """Collects errors and prints them when the module is done."""

    def __init__(self):
        self.rows = []

    def check(self, name, ours, golden, tolerance):
        assert tuple(ours.shape) == tuple(golden.shape), name
        error = relative_error(ours, golden)
        self.rows.append((name, error, tolerance))
        assert error <= tolerance, f"{name}: relative error {error:.2e}, allowed {tolerance:.0e}"


def unet_call(model, positive, negative, x, timestep, cfg=4.0):
    """Run ComfyUI's sampling for a single call of the UNet and return v, rows conditional and reference-free."""
    import comfy.patcher_extension
    import comfy.samplers
    import torch

    model = model.clone()
    recorded = {}

    def record(executor, *args, **kwargs):
        out = executor(*args, **kwargs)
        for row, kind in zip(out, args[5]["cond_or_uncond"], strict=True):
            recorded[kind] = row
        return out

    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "recorder", record)
    sampling = model.get_model_object("model_sampling")
    sigma = sampling.sigma(timestep)

    def call_once(denoise, noise, sigmas, extra_args=None, **kwargs):
        scaled = x * (sigma**2 + 1) ** 0.5
        return denoise(scaled.to(noise.device), sigma.view(1).to(noise.device), **extra_args)

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    with torch.inference_mode():
        sampler = comfy.samplers.KSAMPLER(call_once)
        guider.sample(x, torch.zeros_like(x), sampler, torch.stack([sigma, sigma * 0]), disable_pbar=True)
    return torch.stack([recorded[0], recorded[1]])


def values_of_call(model, positive, negative, group):
    """Call the UNet for each row of a case, and return (kind, our v, the golden v) of each."""
    for row, kind in enumerate(("conditional", "reference-free")):
        x, t, v = (group[key][row : row + 1] for key in ("in/x", "in/t", "out/v"))
        yield kind, unet_call(model, positive, negative, x, t[0])[row : row + 1], v


class GivenNoise:
    """A NOISE input that holds the golden data's own noise."""

    seed = 0

    def __init__(self, noise):
        self.noise = noise

    def generate_noise(self, latent):
        return self.noise


def sample_with_guider(host, pack, guider, group, sampler=None):
    if sampler is None:
        (sampler,) = pack.run("KSamplerSelect", sampler_name="euler")
    noise = group["in/noise"]
    latent = {"samples": host.torch.zeros_like(noise)}
    output, _ = pack.run(
        "SamplerCustomAdvanced",
        noise=GivenNoise(noise),
        guider=guider,
        sampler=sampler,
        sigmas=group["in/sigmas"],
        latent_image=latent,
    )
    return output["samples"]


def check_injection(pack, table, name, group, wired, loaded, tolerance):
    """Compare a call with Attention Injection; the noise of the reference is the golden data's.

    Args:
        group: in/{reference,latent,noise,x,t}, out/v and the two fidelities of the case.
        wired: (model, positive, negative) without the injection. loaded: (control_net, vae). tolerance: of v.
    """
    (model, positive, negative), (control_net, vae) = wired, loaded
    reference = as_image(group["in/reference"])
    (model,) = pack.run(
        "ColorizeAttentionInjection",
        model=model,
        control_net=control_net,
        vae=vae,
        image=reference,
        width=reference.shape[2],
        height=reference.shape[1],
        fidelity=float(group["param/style_cfg"]),
        sketch_fidelity=float(group["param/control_cfg"]),
    )
    patch = model.model_options["transformer_options"]["patches"]["attn1_patch"][0].call.__self__
    table.check(f"{name}/latent", patch.latent, group["in/latent"], 2e-5)
    patch.noise = group["in/noise"]
    for kind, ours, v in values_of_call(model, positive, negative, group):
        table.check(f"{name}/v {kind}", ours, v, tolerance)
