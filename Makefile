# `make` alone prints this list. Targets make .venv first if it is missing, moved, or older than setup.py or constraints.txt.
#
#   make quickstart [CODE=path/to/project] [OUTPUT=outputs/quickstart] [SCALE=full|smoke] [SEED=0]
#                                  the whole paper once, small, in minutes on a CPU
#   make install                   the pinned set into .venv (2.7 GB), nothing else
#   make corpus                    real projects in many languages, for source_code/configs/corpus.yaml
#   make pages                     documentation about programming and other things, for tests/benchmarks/web_rounds.py
#   make test | test-fast          lint and the tests; without the slow ones
#   make lint | format             ruff, mypy
#   make benchmark                 speeds beside those of other tools
#   make check-transformers [ONLY=newest]
#                                  parity, generation and equal tokens on every admitted transformers
#   make check-released            the released repository against this code; needs a network
#   make check-engines             MLX and vLLM compute the model from an exported folder
#   make clean                     remove .venv and caches
#
# Without a GPU, on a machine whose index offers CUDA builds first:
#   make quickstart TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
VENV ?= .venv
OUTPUT ?= outputs/quickstart
SCALE ?= full
SEED ?= 0
CODE ?=
MODEL ?= inclusionAI/Ling-Coder-lite
WEIGHTS ?=
TORCH_INDEX_URL ?=
# Two tests more at once than there are cores (some wait), eight at most; PYTEST_ARGS=-x runs them one after another.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 6 ? n + 2 : 8)))
PYTEST_ARGS ?= -n $(JOBS) --no-loadscope-reorder
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help FORCE quickstart corpus pages test test-fast lint format benchmark check-released check-engines check-transformers clean install

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# An environment works where it was made: the stamp says where, and one that came along with a moved folder is made anew.
MADE_AT := $(if $(wildcard $(STAMP)),$(file < $(STAMP)))
MOVED := $(if $(MADE_AT),$(filter-out $(realpath $(VENV)),$(MADE_AT)))
$(STAMP): setup.py constraints.txt $(if $(MOVED),FORCE)
	@echo "Installing the pinned set into $(VENV): about 0.8 GB to download with a CPU build of torch, 2.7 GB on disk; some minutes, in silence."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(if $(MOVED),echo "$(VENV) was made as $(MADE_AT) and does not work here: it is made anew.")
	$(if $(MOVED),,$(BIN)/python -c "" 2>/dev/null ||) $(PYTHON) -m venv --clear $(VENV)
ifneq ($(TORCH_INDEX_URL),)
	$(BIN)/python -m pip install --quiet --index-url $(TORCH_INDEX_URL) "$$(grep '^torch==' constraints.txt)"
else
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
endif
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	@realpath $(VENV) > $(STAMP)
	@echo "Installed. For commands of your own: source $(VENV)/bin/activate, then ling-coder --help"

install: $(STAMP)

quickstart: $(STAMP)
	@bash .ci/system_packages.sh
	$(BIN)/python -m recipes.quickstart --output $(OUTPUT) --scale $(SCALE) --seed $(SEED) $(if $(CODE),--code $(CODE))

corpus:
	bash tests/corpus/fetch.sh outputs/corpus

pages:
	bash tests/corpus/fetch_pages.sh outputs/pages

test: lint
	@bash .ci/system_packages.sh
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-fast: lint
	@bash .ci/system_packages.sh
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not slow"

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

benchmark: $(STAMP)
	@set -e; for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script; done

# For a machine with a network: the released repository's configuration, tensor names and shapes, tokenizer, prompts.
check-released: $(STAMP)
	$(BIN)/python -m modeling_ling check-released --model $(MODEL) $(if $(WEIGHTS),--weights)

# MLX and vLLM (CPU builds, 5 GB) in environments of their own: do they compute our model from an exported folder?
# vLLM's wheel asks for torchvision, torchaudio and torchcodec builds that torch's CPU build cannot load.
ENGINES := outputs/engines
check-engines: $(STAMP) $(ENGINES)/.installed
	$(BIN)/python tests/engines/check_engines.py --mlx $(ENGINES)/mlx/bin/python --vllm $(ENGINES)/vllm/bin/python

$(ENGINES)/.installed: tests/engines/requirements-mlx.txt tests/engines/requirements-vllm.txt
	$(PYTHON) -m venv $(ENGINES)/mlx && $(PYTHON) -m venv $(ENGINES)/vllm
	$(ENGINES)/mlx/bin/python -m pip install --quiet --requirement tests/engines/requirements-mlx.txt
	$(ENGINES)/vllm/bin/python -m pip install --quiet --requirement tests/engines/requirements-vllm.txt
	$(ENGINES)/vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# Every minor version of transformers that setup.py admits: parity, generation, and the same tokens on each.
check-transformers: $(STAMP)
	$(BIN)/python tests/versions/check_transformers.py $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	@echo "outputs/ is kept; remove it by hand if you mean to."
