"""Attention patches of other packs and ours, in either order; the other pack is adapter_pack."""

import importlib.util
from pathlib import Path

import pytest

SAME, NOTICED = 2e-5, 1e-3


def _adapter_pack():
    path = Path(__file__).parent / "adapter_pack" / "__init__.py"
    spec = importlib.util.spec_from_file_location("adapter_pack", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


other_pack = _adapter_pack()
BLOCKS, adapt = other_pack.BLOCKS, other_pack.adapt


# --- replacements ---


def test_on_plain_attention_theirs_is_all_there_is(studio):
    """With equal tokens in both regions ours is plain attention; the adapter then gives what it gives alone."""
    carrier = studio.carrier()
    _, positive, negative = studio.apply(carrier)
    alone = studio.sample(adapt()(studio.model), positive, negative)
    for before, after in ((adapt(), None), (None, adapt())):
        model, positive, negative = studio.apply(carrier, studio.mask(), before(studio.model) if before else None)
        mixed = studio.sample(after(model) if after else model, positive, negative)
        assert studio.difference(mixed, alone) < SAME


def test_either_order_adds_theirs_to_ours(studio, colour, plain):
    first, last = colour(before=adapt()), colour(after=adapt())
    assert studio.difference(first, last) < SAME
    assert studio.difference(first, plain) > NOTICED
    _, positive, negative = colour.patched()
    assert studio.difference(first, studio.sample(adapt()(studio.model), positive, negative)) > NOTICED


def test_theirs_at_no_weight_leaves_ours(studio, colour, plain):
    for where in ("before", "after"):
        assert studio.difference(colour(**{where: adapt(weight=0.0)}), plain) < SAME


def test_two_of_them_around_ours(studio, colour):
    around = colour(before=adapt(seed=1), after=adapt(seed=2))
    both = colour(after=lambda model: adapt(seed=2)(adapt(seed=1)(model)))
    assert studio.difference(around, both) < SAME
    assert studio.difference(around, colour(before=adapt(seed=1))) > NOTICED


def test_joining_ours_leaves_other_branches_of_the_graph_alone(studio, colour, plain):
    model, positive, negative = colour.patched()
    adapt()(model)
    assert studio.difference(studio.sample(model, positive, negative), plain) == 0


def test_moving_a_branch_to_a_device_leaves_the_others_where_they_are(studio):
    """ComfyUI puts what `to` returns in place of a patch; newer versions share the patch among clones."""

    class Movable(other_pack.Joined):
        def to(self, *args, **kwargs):
            return Movable(other_pack.to_own_tokens, seed=2)

    model = studio.model.clone()
    theirs = Movable(other_pack.to_own_tokens, seed=1)
    model.set_model_attn2_replace(theirs, "output", 4)
    model, *_ = studio.apply(studio.carrier(), studio.mask(), model)
    hook = model.model_options["transformer_options"]["patches_replace"]["attn2"]["output", 4]
    earlier = hook.earlier
    assert hook.to("cpu").earlier is not earlier
    assert hook.earlier is earlier


def test_applying_again_keeps_theirs_once(studio, colour, everything):
    def again(model):
        return studio.apply(everything, studio.mask(), model)[0]

    once = colour(before=adapt())
    assert studio.difference(colour(before=adapt(), after=again), once) < SAME
    assert studio.difference(colour(after=lambda model: again(adapt()(model))), once) < SAME


@pytest.mark.parametrize("place", ["before", "after"])
def test_applying_again_without_a_mask_leaves_theirs_alone(studio, place):
    carrier = studio.carrier()
    _, positive, negative = studio.apply(carrier)
    alone = studio.sample(adapt()(studio.model), positive, negative)
    model = adapt()(studio.model) if place == "before" else studio.model
    model, *_ = studio.apply(carrier, studio.mask(), model)
    model = adapt()(model) if place == "after" else model
    unmasked = studio.apply(carrier, None, model)
    assert studio.difference(studio.sample(*unmasked), alone) < SAME


def test_their_range_of_sigmas_is_kept(studio, colour, plain):
    never = {"sigma_start": -1.0, "sigma_end": -2.0}
    for where in ("before", "after"):
        assert studio.difference(colour(**{where: adapt(**never)}), plain) < SAME


def test_a_replacement_named_by_transformer_is_kept_too(studio, colour):
    named = adapt(blocks=[(*block, 0) for block in BLOCKS])
    assert studio.difference(colour(before=named), colour(before=adapt())) < SAME


def test_with_a_batch_every_row_reaches_theirs(studio, colour):
    noise = studio.noise(batch=2)
    together = colour(after=adapt(), noise=noise)
    for i in range(2):
        assert studio.difference(together[i : i + 1], colour(after=adapt(), noise=noise[i : i + 1])) < SAME


def test_one_that_overwrites_ours_has_the_block_to_itself(studio, colour, plain):
    """ComfyUI's own set_model_attn2_replace asks nobody: ours yields there, and stays everywhere else."""
    theirs = other_pack.Joined(other_pack.to_own_tokens, weight=0.0, seed=1, sigma_start=1e9, sigma_end=0.0)

    def overwrite(model):
        model = model.clone()
        model.set_model_attn2_replace(theirs, "output", 4)
        return model

    mixed = colour(after=overwrite)
    assert studio.difference(mixed, plain) > NOTICED
    assert studio.difference(mixed, colour(after=lambda m: overwrite(overwrite(m)))) == 0


# --- patches of the inputs ---


def scaled(factor):
    """A function that puts an attn2_patch on a MODEL, which scales what is attended to."""

    def patch(n, context, value, extra_options):
        return n, context * factor, value * factor

    return with_patch(patch)


def appended(torch, tokens):
    """A function that puts an attn2_patch on a MODEL, which appends tokens of its own."""

    def patch(n, context, value, extra_options):
        generator = torch.Generator().manual_seed(4)
        own = torch.randn(1, tokens, context.shape[-1], generator=generator).to(context).expand(len(context), -1, -1)
        return n, torch.cat([context, own], dim=1), torch.cat([value, own], dim=1)

    return with_patch(patch)


def with_patch(patch):
    def install(model):
        model = model.clone()
        model.set_model_attn2_patch(patch)
        return model

    return install


def test_a_patch_of_the_inputs_works_in_either_order(studio, colour, plain):
    first, last = colour(before=scaled(1.3)), colour(after=scaled(1.3))
    assert studio.difference(first, last) < SAME
    assert studio.difference(first, plain) > NOTICED
    assert studio.difference(colour(after=scaled(1.0)), plain) < SAME


@pytest.mark.parametrize("tokens", [1, 4, 32])
def test_tokens_that_a_patch_appends_are_for_every_region(host, studio, colour, plain, tokens):
    patch = appended(host.torch, tokens)
    first, last = colour(before=patch), colour(after=patch)
    assert studio.difference(first, last) < SAME
    assert studio.difference(first, plain) > NOTICED


@pytest.mark.parametrize("kind", ["left", "all", "none"])
def test_appended_tokens_leave_the_split(host, studio, kind):
    """With equal tokens in both regions, each region sees its own and the appended: as without a split."""
    carrier, patch = studio.carrier(), appended(host.torch, 4)
    alone = studio.sample(*studio.apply(carrier, None, patch(studio.model)))
    assert (
        studio.difference(studio.sample(*studio.apply(carrier, studio.mask(kind), patch(studio.model))), alone) < SAME
    )


def test_a_text_prompt_beside_the_references_is_shared_by_all_regions(host, studio, pack, colour, plain):
    """Conditioning (Concat) makes a context that is not the regions' own any more: the split is off, all see all."""
    model, positive, negative = studio.apply(colour.carrier, studio.mask())
    text = [[host.torch.randn(1, 7, 1024, generator=host.torch.Generator().manual_seed(8)), {}]]
    (positive,) = pack.run("ConditioningConcat", conditioning_to=positive, conditioning_from=text)
    latent = studio.sample(model, *studio.sketch(positive, negative))
    assert latent.isfinite().all() and studio.difference(latent, plain) > NOTICED
