# make demo: the environment, a small rendered dataset in ./demo, and how to look at it.
# make test: the environment and the quick tests; make test-all runs the slow ones too.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.hoiset-installed
PYTHON ?= python3
DEMO ?= demo

# What open3d's wheel links to and does not bring: library:Debian package.
LIBRARIES := libusb-1.0.so.0:libusb-1.0-0 libEGL.so.1:libegl1 libGL.so.1:libgl1 \
             libX11.so.6:libx11-6 libidn2.so.0:libidn2-0 libudev.so.1:libudev1

.PHONY: demo test test-all lint types environment system clean

demo: environment
	@$(BIN)/hoiset build --split demo --out $(DEMO)
	$(BIN)/hoiset verify $(DEMO)
	echo
	$(BIN)/hoiset filter $(DEMO)
	echo
	echo "Look at it:"
	echo "  $(BIN)/hoiset view $(DEMO) --overlay overlay.mp4      joints, boxes and states drawn over a clip"
	echo "  $(BIN)/hoiset filter $(DEMO) --object mug --grasp any"
	echo "  $(BIN)/hoiset info $(DEMO)"
	echo "  $(BIN)/python -c \"import hoiset; print(hoiset.load_dataset('$(DEMO)', 'demo')[0]['hand_joints'].shape)\""
	echo "  $(DEMO)/README.md                              the dataset's card"

test: environment
	@$(BIN)/pytest -m "not slow"

test-all: environment
	@$(BIN)/pytest

lint: environment
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: environment
	@$(BIN)/mypy

environment: system $(STAMP)

# As root the missing libraries are installed; anybody else is told the line that does it.
system:
	@PATH="$$PATH:/usr/sbin:/sbin"
	command -v ldconfig >/dev/null || exit 0
	known=$$(ldconfig -p)
	missing=
	for pair in $(LIBRARIES); do
	  case "$$known" in *"$${pair%%:*} "*) ;; *) missing="$$missing $${pair##*:}" ;; esac
	done
	if [ ! -x $(BIN)/python ] && ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then missing="$$missing python3-venv"; fi
	[ -n "$$missing" ] || exit 0
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	  apt-get update -qq
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing
	else
	  echo "missing system packages; run: sudo apt-get install -y$$missing" >&2
	  exit 1
	fi

# The last step warms the environment of the isolated models, so that no build waits for it.
$(STAMP): pyproject.toml hoiset/builder/reconstruct/backends/mediapipe_worker.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet "uv>=0.8,<1"
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[build,torch,datasets,ray,s3,dev]"
	$(BIN)/hoiset doctor
	touch $(STAMP)

clean:
	@rm -rf $(VENV) $(DEMO) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
