#!/bin/sh
# Pins every requirement with its hashes and without naming a host. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
flags="--quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-header --no-annotate"
# shellcheck disable=SC2086  # the flags are words
$uv pip compile $flags requirements/bootstrap.in -o requirements/bootstrap.txt
# shellcheck disable=SC2086
$uv pip compile $flags pyproject.toml -o requirements/run.txt
# shellcheck disable=SC2086
$uv pip compile $flags pyproject.toml --extra reads -o requirements/reads.txt
# shellcheck disable=SC2086
$uv pip compile $flags pyproject.toml --extra dev --extra otel --extra reads -o requirements/dev.txt
# shellcheck disable=SC2086
$uv pip compile $flags requirements/peers.in -o requirements/peers.txt
