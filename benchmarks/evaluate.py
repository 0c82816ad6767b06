"""Measure coloured pictures of your own: against the right ones, and against their references.

    python benchmarks/evaluate.py --results DIR --truth DIR [--references DIR] [--masks DIR] [--labels DIR]
        [--inception FILE] [--lpips FILE] [--clip-vision FILE] [--csv FILE] [--json FILE]

Pictures belong together by name. What lacks its folder, weights or package is skipped by name, and the table says what
to give; nothing is ever downloaded. benchmarks/README.md says what each figure means.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from evaluation.folders import ColorizeError, Group, group, pictures_in, read_list, shuffle
from evaluation.networks import Networks, load_networks
from evaluation.paired import LEAST_SIDE, measure_pair
from evaluation.pictures import check_sizes
from evaluation.report import PAIRED, Report, Row
from evaluation.sets import SUBSETS, Inception, features_of, fid, kid, subset_size, warning
from tqdm import tqdm

FOLDERS = ("results", "truth", "references", "masks", "labels")
#: --shuffled without a seed: names or the list tell who went with whom.
LISTED = -1


def find_groups(options: argparse.Namespace, report: Report) -> tuple[list[Group], list[Path]]:
    """Return what belongs together, and all pictures of the truth."""
    folders: dict[str, dict[str, Path]] = {}
    for name in FOLDERS:
        folder = getattr(options, name)
        folders[name] = pictures_in(folder, f"--{name}") if folder else {}
        if folder:
            report.settings[name] = f"{folder}, {len(folders[name])} pictures"
    partners = read_list(options.pairs) if options.pairs else None
    if options.shuffled not in (None, LISTED):
        ring = shuffle(folders["references"], options.shuffled)
        partners = {name: {"reference": ring.get(name, name)} for name in folders["results"]}
    groups, notes = group(*(folders[name] for name in FOLDERS), partners=partners)
    report.notes += notes
    if options.shuffled is None:
        report.notes += check_sizes(groups)
    return groups, list(folders["truth"].values())


def evaluate(options: argparse.Namespace) -> Report:
    """Measure all that can be measured."""
    report = Report({"PyTorch": f"{torch.__version__}, {options.device}"})
    groups, truth = find_groups(options, report)
    if options.short_side:
        report.settings["compared at"] = f"a short side of {options.short_side} pixels"
    networks = load_networks(options, report)
    for found in tqdm(groups, desc="pictures", unit=""):
        report.pictures.append((found, measure_group(found, options, networks)))
    report.add_means()
    report.notes += too_small(report)
    if networks.inception is not None:
        add_sets(report, [found.result for found in groups], truth, networks.inception)
    return report


def measure_group(found: Group, options: argparse.Namespace, networks: Networks) -> dict[str, float]:
    """Return the measures of one result, by column."""
    values: dict[str, float] = {}
    if options.shuffled is None and found.truth is not None:
        values |= measure_pair(found, options.short_side, networks.structure, networks.lpips)
    if networks.clip is not None and found.reference is not None:
        values["clip"] = networks.clip(found.result, found.reference)
    return values


def too_small(report: Report) -> list[str]:
    """Return a sentence for every measure that left pictures out."""
    notes = []
    for column, least in LEAST_SIDE.items():
        small = sum(bool(np.isnan(values.get(column, 0))) for _, values in report.pictures)
        if small:
            notes.append(
                f"{PAIRED[column][0]} leaves out {small} pictures with a side under {least} pixels, which it is not "
                "defined for; --short-side 256 compares enlarged ones."
            )
    return notes


def add_sets(report: Report, results: list[Path], truth: list[Path], inception: Inception) -> None:
    """Add FID and KID of the results against all pictures of the truth."""
    if min(len(results), len(truth)) < 2:
        report.skipped |= dict.fromkeys(("FID", "KID"), "they need at least two pictures in each folder.")
        return
    of_truth = features_of(tqdm(truth, desc="features of the truth", unit=""), inception)
    of_results = features_of(tqdm(results, desc="features of the results", unit=""), inception)
    counts = f"{len(results)} against {len(truth)}"
    mean, spread = kid(of_truth, of_results)
    report.rows += [
        Row("FID", "lower", fid(of_truth, of_results), counts, digits=".2f"),
        Row("KID", "lower", mean, counts, spread=spread, digits=".5f"),
    ]
    size = subset_size(len(truth), len(results))
    report.notes.append(f"KID is the mean over {SUBSETS} subsets of {size} pictures, ± their standard deviation.")
    report.notes += warning(len(truth), len(results))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--results", type=Path, required=True, metavar="DIR", help="the coloured pictures")
    add("--truth", type=Path, metavar="DIR", help="the right pictures, by the same names")
    add("--references", type=Path, metavar="DIR", help="what each was coloured by, by the same names or a list")
    add("--masks", type=Path, metavar="DIR", help="white on the character, by the truth's names")
    add("--labels", type=Path, metavar="DIR", help="pictures in which each colour is a region, by the truth's names")
    add("--pairs", type=Path, metavar="FILE", help="CSV with columns name, truth, reference: who belongs to whom")
    add(
        "--shuffled",
        type=int,
        nargs="?",
        const=LISTED,
        metavar="SEED",
        help="references are shuffled: no result is held against the truth by itself. With SEED, --references are the "
        "pictures that make_references.py --shuffle SEED was given",
    )
    add("--short-side", type=int, metavar="PX", help="bring truth and result to this short side before comparing")
    add("--inception", type=Path, metavar="FILE", help="weights for FID and KID, of torch-fidelity")
    add("--lpips", type=Path, metavar="FILE", help="AlexNet, VGG16 or SqueezeNet 1.1 of torchvision")
    add("--clip-vision", type=Path, metavar="FILE", help="a CLIP vision model for ComfyUI (COMFYUI_PATH)")
    add("--device", default="cpu", help="PyTorch's name of the device for the networks: cpu (default), cuda, mps")
    add("--csv", type=Path, metavar="FILE", help="write a row a picture")
    add("--json", type=Path, metavar="FILE", help="write the table for programs")
    options = parser.parse_args(arguments)
    if not options.truth and not options.references:
        parser.error("nothing to hold the results against: give --truth, --references or both.")
    if options.short_side is not None and options.short_side < 1:
        parser.error("--short-side is a number of pixels, at least 1.")
    if options.shuffled not in (None, LISTED) and (options.shuffled < 0 or options.pairs or not options.references):
        parser.error("--shuffled SEED works out who went with whom: give a seed from 0, --references and no --pairs.")
    for file in (options.csv, options.json):
        if file and not file.absolute().parent.is_dir():
            parser.error(f"{file} lies in a folder that is not there: make it first.")
    return options


def main() -> None:
    options = parse()
    try:
        report = evaluate(options)
    except ColorizeError as error:
        sys.exit(f"evaluate: {error}")
    except KeyboardInterrupt:
        print("\nevaluate: stopped; nothing was written.", file=sys.stderr)
        sys.exit(130)
    print(report.markdown())
    if options.csv:
        report.write_csv(options.csv)
    if options.json:
        report.write_json(options.json)


if __name__ == "__main__":
    main()
