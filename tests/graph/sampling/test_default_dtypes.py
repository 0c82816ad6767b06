"""The pipeline at ComfyUI's own choice of dtypes, and at those its flags ask for.

The marked tests need a host of other arguments, hence a process of their own: tests/graph/test_host.py starts one for
the default dtypes, `test_flags_that_choose_dtypes` below one for each set of flags.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from golden_cases import TOLERANCE, relative_error, values_of_call
from module_files import load_file

HERE = Path(__file__).resolve()

#: For their cases and their wiring.
pipeline, xl = (load_file(HERE.with_name(f"test_golden_{name}.py"), f"golden_{name}") for name in ("pipeline", "xl"))
# Fixtures of the golden tests; the second needs the first.
loaded, graph, graphs = pipeline.loaded, pipeline.graph, xl.graphs


@pytest.mark.default_dtypes
@pytest.mark.parametrize("name", pipeline.CASES)
def test_case(graph, golden, name):
    _, model, positive, negative = graph(pipeline.CASES[name])
    dtype = str(model.model.get_dtype()).removeprefix("torch.")
    group = golden.group(f"case/{name}")
    for row, (_, ours, v) in enumerate(values_of_call(model, positive, negative, group)):
        error = relative_error(ours, v)
        print(f"case/{name} row {row}, UNet in {dtype}: relative error {error:.1e}")
        assert error <= TOLERANCE[dtype]


@pytest.mark.default_dtypes
@pytest.mark.parametrize("model", xl.MODELS)
def test_xl_case(graphs, golden_xl, model):
    _, patched, positive, negative = graphs[model].wire(graphs[model].params(model, "background"))
    dtype = str(patched.model.get_dtype()).removeprefix("torch.")
    group = golden_xl.group(f"case/{model}/background")
    for row, (_, ours, v) in enumerate(values_of_call(patched, positive, negative, group)):
        error = relative_error(ours, v)
        print(f"xl {model} row {row}, UNet in {dtype}: relative error {error:.1e}")
        assert error <= TOLERANCE[dtype]


@pytest.mark.default_dtypes
def test_a_picture_with_everything_on_is_finite(host, studio):
    carrier = studio.carrier("background_image", style=True)
    model, positive, negative = studio.apply(carrier, studio.mask(), merge=0.2, end_percent=0.8)
    latent = studio.sample(model, *studio.sketch(positive, negative))
    (image,) = studio.pack.run("VAEDecode", vae=studio.vae, samples={"samples": latent})
    assert latent.isfinite().all() and image.isfinite().all()


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [
        ("--fp8_e4m3fn-unet", "float8_e4m3fn"),
        ("--bf16-unet --bf16-vae --bf16-text-enc", "bfloat16"),
        ("--fp16-unet --force-fp16", "float16"),
    ],
)
def test_flags_that_choose_dtypes(comfyui_path, flags, dtype):
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE),
        "-m",
        "default_dtypes",
        "-k",
        "scaled or everything_on or (xl_case and v2)",
    ]
    command += [f"--host-args=--cpu {flags}", "-q", "-s", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"case/scaled row 1, UNet in {dtype}" in done.stdout
    print(done.stdout)
