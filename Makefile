# make test, make lint, make demo: each sets up what it needs first.
# COMFYUI_PATH=/path/to/ComfyUI  use that ComfyUI; PYTHON=/its/python names the interpreter it runs with (a .venv or
# venv in its folder is found by itself).

ifdef COMFYUI_PATH
export COMFYUI_PATH
PYTHON ?= $(firstword $(wildcard $(COMFYUI_PATH)/.venv/bin/python $(COMFYUI_PATH)/venv/bin/python) python3)
RUN := .host/venv/bin/python
else
PYTHON ?= python3
RUN := .venv/bin/python
endif

.PHONY: help setup test test-all lint format workflows thumbnails locales contract demo demo-shot
.PHONY: evaluate-flats evaluate-shots evaluate-tracks evaluate-pictures compare benchmark clean

help:
	@echo "make setup      virtual environment and a ComfyUI to test on (done by the others when needed)"
	@echo "make test       what each part does; TESTS='tests/core -k mask' picks some, JOBS=4 runs them on four cores"
	@echo "make test-all   these, and then all further cases; TESTS='tests --slow' adds those of minutes and gigabytes"
	@echo "make lint       ruff, mypy, bandit, nodesafe, and ComfyUI's names"
	@echo "make format     let ruff format and fix"
	@echo "make workflows  write workflows/*.json anew from scripts/build_workflows.py"
	@echo "make thumbnails  draw workflows/*.jpg anew from demo/contact-sheet.png, samples/ and assets/shot.webp"
	@echo "make locales    write locales/en from the nodes, and say what the other languages lack"
	@echo "make contract   write tests/graph/contract.json, what saved work relies on, from the nodes"
	@echo "make demo       colour a drawing through a ComfyUI server; the picture goes to demo/output/"
	@echo "make demo-shot  colour and finish a shot; assets/shot.webp, and its frames in demo/output/shot"
	@echo "make evaluate-flats  how right flats are on drawings with known colours; SCENES='--scenes 32 --no-model'"
	@echo "make evaluate-shots  how steady colours are over moving shots; SHOTS='--shots 4 --frames 4' takes minutes"
	@echo "make evaluate-tracks how steady flats are on moving shots with known colours; SHOTS='--shots 4 --kinds each'"
	@echo "make evaluate-pictures  measure pictures of your own; EVALUATE='--results DIR --truth DIR', see benchmarks/README.md"
	@echo "make compare    the same drawings through the pack and through others; COMPARE='--out DIR', see benchmarks/README.md"
	@echo "make benchmark  operations, seconds and memory of a step; BENCHMARK=--short takes minutes, --write fills the README"
	@echo "                BENCHMARK=--device measures on your GPU, in six minutes"
	@echo "make clean      remove everything that was set up or made"

setup:
	@$(PYTHON) scripts/setup_host.py

# Each worker has a ComfyUI of its own and takes whole files; a core each is best, and 3 GB of memory.
TESTS ?= tests
JOBS ?= 2
PYTEST := $(RUN) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
test: setup
	$(PYTEST) --run first $(TESTS)

test-all: test
	$(PYTEST) --run rest $(TESTS)

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) scripts/check_types.py
	$(RUN) scripts/check_security.py
	$(RUN) scripts/check_host_symbols.py

format: setup
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

workflows: setup
	$(RUN) scripts/build_workflows.py

thumbnails: setup
	$(RUN) scripts/draw_thumbnails.py

locales: setup
	$(RUN) scripts/build_locales.py

contract: setup
	$(RUN) -m pytest tests/graph/test_contract.py --write-contract

demo: setup
	$(RUN) demo/run_demo.py

demo-shot: setup
	$(RUN) demo/run_shot.py

evaluate-flats: setup
	$(RUN) demo/evaluate_flats.py $(SCENES)

evaluate-shots: setup
	$(RUN) demo/evaluate_shots.py $(SHOTS)

evaluate-tracks: setup
	$(RUN) demo/evaluate_tracks.py $(SHOTS)

evaluate-pictures: setup
	$(RUN) benchmarks/evaluate.py $(EVALUATE)

compare: setup
	$(RUN) benchmarks/compare.py $(COMPARE)

benchmark: setup
	$(RUN) benchmarks/run.py $(BENCHMARK)

clean:
	rm -rf .venv .host demo/output tests/artefacts .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -o -name .pytest_cache | xargs rm -rf
