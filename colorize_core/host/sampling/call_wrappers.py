"""What a run must know of its calls, from outermost to innermost: the whole latent, then the parts made of it.

Each is a wrapper of ComfyUI's that leaves the call as it is.
"""

from .sampling_run import RUN
from .unet_call import ROWS, own_references, rows_of


def around_prediction(executor, x, timestep, model_options, *args, **kwargs):
    """Keep the latent x [B, C, h, w] that a step asks about (PREDICT_NOISE)."""
    run = model_options.get("transformer_options", {}).get(RUN)
    if run is not None:
        run.latent = x
    return executor(x, timestep, model_options, *args, **kwargs)


def around_conditionings(executor, model, conds, x_in, timestep, model_options):
    """Keep the latent that the model is asked about where another pack asks about one of its own (CALC_COND_BATCH)."""
    run = model_options.get("transformer_options", {}).get(RUN)
    if run is not None and tuple(x_in.shape) == run.shape:
        run.latent = x_in
    return executor(model, conds, x_in, timestep, model_options)


def around_model(executor, x, t, c_concat, c_crossattn, control, transformer_options, **kwargs):
    """Say what the rows of a call are (APPLY_MODEL): further inside x is scaled, and like no part of the latent."""
    rows = rows_of(x, transformer_options)
    c_crossattn = own_references(c_crossattn, rows, transformer_options)
    return executor(x, t, c_concat, c_crossattn, control, transformer_options | {ROWS: rows}, **kwargs)
