#!/usr/bin/env bash
# Everything that must hold before a change is handed on: style, types, the import layers, the tests.
# Uses .venv-test (made here when missing; or the interpreter in SHENGFANG_TEST_PYTHON) and Debian's Chromium.
# Each processor runs a file of tests at a time, in alphabetical order: the long ones, in folders, come first. Arguments
# go to pytest: `-n 0` runs all in one process. The last line is pytest's closing line.
set -u
cd "$(dirname "$0")/.."

ready_python() {
    if [ -n "${SHENGFANG_TEST_PYTHON:-}" ]; then
        python=$SHENGFANG_TEST_PYTHON
        return
    fi
    python=$PWD/.venv-test/bin/python
    local wanted
    wanted=$(cat requirements*.txt | sha256sum | cut -d' ' -f1)
    [ "$(cat .venv-test/requirements.sha256 2>/dev/null)" = "$wanted" ] && return
    local base # in a shell of its own: the script sets -eu and has functions of the same names
    base=$(bash -c 'source ./start_app.sh && find_python && echo "$PYTHON"') || exit 1
    [ -x "$python" ] || "$base" -m venv .venv-test
    local torch=${SHENGFANG_TORCH_INDEX:-} option=--extra-index-url
    [ -d "$torch" ] && option=--find-links
    local wheels=${SHENGFANG_WHEELHOUSE:-} # of `start_app.sh --pack DIR --with-tests`
    "$python" -m pip install --quiet ${wheels:+--no-index --find-links "$wheels"} ${torch:+"$option" "$torch"} \
        -r requirements.txt -r requirements-dev.txt || exit 1
    echo "$wanted" > .venv-test/requirements.sha256
}

ready_browser() {
    command -v chromium > /dev/null || command -v chromium-browser > /dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        (apt-get update -qq && apt-get install -y -qq chromium) > /dev/null 2>&1
    fi
    command -v chromium > /dev/null || echo "chromium is missing: the browser tests will be skipped"
}

check() {
    echo "== $*"
    "$@" || failed=1
}

check_javascript() {
    if command -v node > /dev/null && command -v npm > /dev/null; then
        check bash tests/js/run.sh "$python"
    else
        echo "node or npm is missing: the checks of the JavaScript are skipped"
    fi
}

failed=0
ready_python
[ "${1:-}" = --quick ] || ready_browser
bin=$(dirname "$python")
# A second thread only waits for the first in models as small as the tests', and takes a processor for that.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTHONDONTWRITEBYTECODE=1
check "$bin/ruff" check .
check "$bin/ruff" format --check .
check "$bin/mypy"
check "$bin/lint-imports"
check_javascript
[ "${1:-}" = --quick ] && exit $failed
echo "== pytest"
"$python" -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@" || failed=1
exit $failed
