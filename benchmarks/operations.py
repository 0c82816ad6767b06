"""Floating point operations of a step, counted on tensors without memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from network import Case, Network, Step
from tables import Table
from torch.utils.flop_counter import FlopCounterMode
from watches import Operators


def teraflops(work: Callable[[], Any]) -> float:
    """Count what `work` computes."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 1e12


def later_step(step: Step) -> float:
    """Count a step of a run after the first, which has worked out the run's constants."""
    step()
    return teraflops(step)


def operations(network: Network, sizes: Sequence[int], backgrounds: Sequence[float]) -> Table:
    """Compare the patched UNet with the plain one."""
    table = Table(
        "operations",
        "Operations of a step",
        "Counted by PyTorch at the published size, two rows (conditional and reference-free), one character, against "
        "the plain UNet. *First step*: with all of it, the run's constants included. The published implementation "
        "needs 1.285 × at 768² with all of it.",
        {
            "size": "{}²",
            "background": "{:.0%}",
            "plain, TFLOP": "{:.3f}",
            "split": "{:.3f} ×",
            "+ injection": "{:.3f} ×",
            "+ style": "{:.3f} ×",
            "first step": "{:.3f} ×",
        },
    )
    for size in sizes:
        plain = teraflops(network.plain(Case(size)))
        for background in backgrounds:
            case = Case(size, background)
            split, injection = case.but(injection=False, style=False), case.but(style=False)
            counts = [later_step(network.patched(part)) for part in (split, injection)]
            everything = network.patched(case)
            first, later = teraflops(everything), teraflops(everything)
            table.add(size, background, plain, *(count / plain for count in (*counts, later, first)))
    return table


def growth(network: Network, sizes_and_batches: Sequence[tuple[int, int]], characters: Sequence[int]) -> Table:
    """Tell how the operations grow."""
    table = Table(
        "growth",
        "Operations with size, batch and characters",
        "Everything on, half of the picture background, against the plain UNet on the same batch. Each character has a "
        "reference and a mask of its own (Add Character Region).",
        {"size": "{}²", "batch": "{}", "plain, TFLOP": "{:.3f}"}
        | {f"{count} character{'s' * (count > 1)}": "{:.3f} ×" for count in characters},
    )
    for size, batch in sizes_and_batches:
        case = Case(size, batch=batch)
        plain = teraflops(network.plain(case))
        counts = [later_step(network.patched(case.but(characters=count))) / plain for count in characters]
        table.add(size, batch, plain, *counts)
    return table


def xl_operations(networks: Mapping[str, Network], cases: Sequence[Case], short: bool) -> Table:
    """Compare the patched UNet of XL with the plain one; a short comparison leaves the last columns out."""
    table = Table(
        "xl operations",
        "XL: operations of a step",
        "Counted as above, one character, against the plain UNet of SDXL with one reference's context in both rows. "
        "Stored states of a background act in the v2-style model; its LoRA is added to the weights before the run and "
        "costs no step anything. *First step*: with the stored states' keys and values, which the run keeps. Attention "
        "Injection runs the UNet on the reference as well and attends to twice the tokens; the stored states rest "
        "meanwhile.",
        {
            "model": "{}",
            "size": "{}²",
            "background": "{:.0%}",
            "plain, TFLOP": "{:.3f}",
            "a step": "{:.3f} ×",
            "first step": "{:.3f} ×",
            "4 characters": "{:.3f} ×",
            "+ attention injection": "{:.3f} ×",
        },
    )
    for model, network in networks.items():
        for case in cases:
            plain, step = teraflops(network.plain(case)), network.patched(case)
            first, later = teraflops(step), teraflops(step)
            others = [case.but(characters=4), case.but(attention_injection=True)]
            more = [None if short else later_step(network.patched(other)) / plain for other in others]
            table.add(model, case.size, case.background, plain, later / plain, first / plain, *more)
    return table


def launches(
    steps: Mapping[str, tuple[Network, Case]],
    name: str = "launches",
    title: str = "Operators of a step",
) -> Table:
    """Count the operators of a later step, each of which a device launches as a kernel or a few."""
    table = Table(
        name,
        title,
        "Operators that compute something, in a step after the first: what a GPU is handed one by one, whatever their "
        "size. Views and memory alone do not count.",
        {"step": "{}", "plain": "{}", "split": "{}", "all on": "{}", "split, ratio": "{:.2f} ×", "ratio": "{:.2f} ×"},
    )
    for what, (network, case) in steps.items():
        counts = []
        for step in (
            network.plain(case),
            network.patched(case.but(injection=False, style=False)),
            network.patched(case),
        ):
            step()
            with Operators() as operators:
                step()
            counts.append(operators.count)
        table.add(what, *counts, counts[1] / counts[0], counts[2] / counts[0])
    return table
