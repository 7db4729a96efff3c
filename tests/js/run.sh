#!/usr/bin/env bash
# The checks of the page's JavaScript, for development only: the product has no build step. Style, types against what the
# server says of its API, and the tests of what computes. Takes the interpreter that has the product's requirements.
set -u
cd "$(dirname "$0")"
python=$1
root=$PWD/../..
failed=0

check() {
    echo "== js: $*"
    "$@" || failed=1
}

ready_packages() {
    local wanted
    wanted=$(sha256sum package-lock.json | cut -d' ' -f1)
    [ "$(cat node_modules/.wanted 2> /dev/null)" = "$wanted" ] && return
    npm ci --silent || exit 1
    echo "$wanted" > node_modules/.wanted
}

describe_api() {
    mkdir -p generated
    (cd "$root" && "$python" -m tests.js.describe_api) > generated/openapi.json &&
        node_modules/.bin/openapi-typescript generated/openapi.json --output generated/api.d.ts > /dev/null
}

ready_packages
bin=$PWD/node_modules/.bin
(cd "$root" && "$bin/prettier" --check --print-width 120 --log-level warn tests/js/*.js webui/pages/static/*.js) || failed=1
(cd "$root" && "$bin/eslint" --config tests/js/eslint.config.js tests/js webui/pages/static) || failed=1
check describe_api
check "$bin/tsc" -p tsconfig.json
check node --test --import ./browser.js ./*.test.js
exit $failed
