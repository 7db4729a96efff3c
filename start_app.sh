#!/usr/bin/env bash
# 声坊 / Shengfang: the one command. Makes a private .venv with the requirements for this machine, then runs app.py.
#
#   ./start_app.sh [options of app.py]      serve on 0.0.0.0:7860; any other command of app.py works too
#   ./start_app.sh --check                  what works and what is missing (app.py doctor)
#   ./start_app.sh --pack DIR               collect everything an offline machine of this kind needs
#   ./start_app.sh --wheelhouse DIR …       install from such a folder, without a network
#
# SHENGFANG_TORCH_INDEX   index or folder of torch wheels (a CPU build, another CUDA version)
# SHENGFANG_REQUIREMENTS  requirements file, where the choice made here is wrong
# SHENGFANG_NUMA_NODE     NUMA node to bind to on Kunpeng (default 0; off = do not bind)
set -eu
FROM=$PWD # relative paths of the command line count from here
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
HERE=$PWD

RESTART=75

say() { # zh en
    case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
        zh*) echo "$1" >&2 ;;
        *) echo "$2" >&2 ;;
    esac
}

die() {
    say "$@"
    exit 1
}

find_python() { # sets PYTHON
    local name
    for name in ${SHENGFANG_PYTHON:-} python3.11 python3.13 python3.12 python3.10 python3; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null; then
            PYTHON=$(command -v "$name")
            return
        fi
    done
    die "没有找到 Python 3.10 至 3.13（含 venv）。Debian/Ubuntu：apt install python3 python3-venv；openEuler/麒麟：dnf install python3.11" \
        "No Python 3.10 to 3.13 with venv was found. Debian/Ubuntu: apt install python3 python3-venv; openEuler/Kylin: dnf install python3.11"
}

cann_environment() { # prints the path of CANN's set_env.sh, where there is one
    local folder
    for folder in "${ASCEND_TOOLKIT_HOME:-}" /usr/local/Ascend/ascend-toolkit "$HOME/Ascend/ascend-toolkit" \
        /usr/local/Ascend/cann "$HOME/Ascend/cann"; do
        if [ -n "$folder" ] && [ -f "$folder/set_env.sh" ]; then
            echo "$folder/set_env.sh"
            return
        fi
    done
}

source_cann() {
    local file
    file=$(cann_environment)
    [ -n "$file" ] || return 0
    set +eu # the vendor's script reads variables that may not be set
    # shellcheck disable=SC1090
    source "$file"
    set -eu
    say "已加载昇腾 CANN 环境：$file" "Ascend CANN environment: $file"
}

choose_requirements() { # sets REQUIREMENTS
    if [ -n "${SHENGFANG_REQUIREMENTS:-}" ]; then
        REQUIREMENTS=$SHENGFANG_REQUIREMENTS
    elif compgen -G "/dev/davinci[0-9]*" > /dev/null || [ -n "$(cann_environment)" ]; then
        REQUIREMENTS=requirements-npu.txt
    elif command -v nvidia-smi > /dev/null && nvidia-smi -L > /dev/null 2>&1; then
        REQUIREMENTS=requirements-cuda.txt
    else
        REQUIREMENTS=requirements.txt
    fi
}

make_venv() {
    if ! .venv/bin/python -c 'import pip' 2> /dev/null; then # none, or made for a Python that is gone
        rm -rf .venv
        "$PYTHON" -m venv .venv
    fi
}

fingerprint() {
    cat requirements-common.txt "$REQUIREMENTS" | sha256sum | cut -d' ' -f1
    echo "$REQUIREMENTS ${SHENGFANG_TORCH_INDEX:-}"
}

pip_sources() { # sets SOURCES: where pip looks
    SOURCES=()
    if [ -n "${WHEELHOUSE:-}" ]; then
        SOURCES=(--no-index --find-links "$WHEELHOUSE")
    elif [ -d "${SHENGFANG_TORCH_INDEX:-}" ]; then
        SOURCES=(--find-links "$SHENGFANG_TORCH_INDEX")
    elif [ -n "${SHENGFANG_TORCH_INDEX:-}" ]; then
        SOURCES=(--extra-index-url "$SHENGFANG_TORCH_INDEX")
    elif [ "$(uname -m)" = x86_64 ] && [ "$REQUIREMENTS" != requirements-cuda.txt ]; then
        say "提示：x86_64 上默认的 torch 含 CUDA，有数 GB；把 SHENGFANG_TORCH_INDEX 设为 CPU 版 torch 的索引或文件夹可以避免。" \
            "Note: the default torch on x86_64 brings CUDA, several GB; SHENGFANG_TORCH_INDEX (index or folder of CPU wheels) avoids it."
    fi
}

install() { # only what changed; a second start touches no network
    [ "$(cat .venv/installed 2> /dev/null)" = "$(fingerprint)" ] && return
    say "正在安装依赖（$REQUIREMENTS）……" "Installing $REQUIREMENTS …"
    pip_sources
    .venv/bin/python -m pip install --disable-pip-version-check ${SOURCES[@]+"${SOURCES[@]}"} -r "$REQUIREMENTS" ||
        die "安装失败。离线机器：在同样系统、能联网的机器上运行 ./start_app.sh --pack 文件夹，复制过来后用 --wheelhouse 文件夹 启动。" \
            "The installation failed. Offline machine: run ./start_app.sh --pack DIR on a connected machine of the same kind, copy DIR here and start with --wheelhouse DIR."
    fingerprint > .venv/installed
}

pack() { # DIR: every wheel; the packages that come only as source are built here
    local folder=${1:?--pack DIR}
    mkdir -p "$folder"
    pip_sources
    .venv/bin/python -m pip wheel --disable-pip-version-check ${SOURCES[@]+"${SOURCES[@]}"} \
        --wheel-dir "$folder" -r "$REQUIREMENTS"
    say "完成。把整个项目和 $folder 复制到离线机器，运行 ./start_app.sh --wheelhouse $folder" \
        "Done. Copy the project and $folder to the offline machine and run ./start_app.sh --wheelhouse $folder"
}

bind_to_node() { # sets BIND: on Kunpeng memory of another socket is slow
    BIND=()
    local node=${SHENGFANG_NUMA_NODE:-0}
    if [ "$node" != off ] && command -v numactl > /dev/null && grep -qi -e kunpeng -e 0x48 /proc/cpuinfo &&
        numactl --cpunodebind="$node" --localalloc true 2> /dev/null; then
        BIND=(numactl --cpunodebind="$node" --localalloc)
        say "鲲鹏：已绑定到 NUMA 节点 $node（SHENGFANG_NUMA_NODE=off 可关闭）" \
            "Kunpeng: bound to NUMA node $node (SHENGFANG_NUMA_NODE=off switches it off)"
    fi
}

from_caller() { # PATH: as the caller means it
    case $1 in
        "" | /*) echo "$1" ;;
        *) echo "$FROM/$1" ;;
    esac
}

go_back() { # to the caller's folder, unless this user may not enter it (sudo -u from /root)
    cd "$FROM" 2> /dev/null || true
}

set_environment() {
    export GRADIO_ANALYTICS_ENABLED=False HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 ORT_DISABLE_TELEMETRY=1 ASCEND_SLOG_PRINT_TO_STDOUT=0
    export PYTHONUNBUFFERED=1
    grep -qs '^ *host *=' "${CONFIG:-config.toml}" || export SHENGFANG_HOST=${SHENGFANG_HOST:-0.0.0.0}
}

serve() { # signals reach app.py; RESTART is its wish to be started again (a device that hangs)
    local status
    while :; do
        ${BIND[@]+"${BIND[@]}"} "$HERE/.venv/bin/python" "$HERE/app.py" "$@" &
        CHILD=$!
        trap 'kill -TERM "$CHILD" 2> /dev/null || true' TERM
        trap : INT # a terminal's Ctrl+C goes to app.py by itself
        status=0
        wait "$CHILD" || status=$?
        while kill -0 "$CHILD" 2> /dev/null; do # wait returns early when a trap ran
            status=0
            wait "$CHILD" || status=$?
        done
        [ "$status" = "$RESTART" ] || return "$status"
        say "程序要求重新启动。" "Starting again, as the program asked."
    done
}

check() { # changes nothing
    [ "$(cat .venv/installed 2> /dev/null)" = "$(fingerprint)" ] ||
        die "依赖还没有安装好。将使用 $PYTHON 和 $REQUIREMENTS；请运行 ./start_app.sh" \
            "Not installed yet. $PYTHON and $REQUIREMENTS will be used: run ./start_app.sh"
    set_environment
    go_back
    exec "$HERE/.venv/bin/python" "$HERE/app.py" doctor "$@"
}

run() {
    go_back
    case "${1:-}" in
        "" | serve | -*) serve "$@" ;;
        *) exec ${BIND[@]+"${BIND[@]}"} "$HERE/.venv/bin/python" "$HERE/app.py" "$@" ;;
    esac
}

main() {
    local mode=run folder="" arguments=()
    WHEELHOUSE=$(from_caller "${SHENGFANG_WHEELHOUSE:-}") CONFIG=""
    while [ $# -gt 0 ]; do
        case $1 in
            --check) mode=check ;;
            --pack) mode=pack folder=$(from_caller "${2:-}") && shift $(($# > 1)) ;;
            --wheelhouse) WHEELHOUSE=$(from_caller "${2:-}") && shift $(($# > 1)) ;;
            --config) CONFIG=$(from_caller "${2:-}") && arguments+=("$1") ;;
            --config=*) CONFIG=$(from_caller "${1#*=}") && arguments+=("$1") ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
    find_python
    choose_requirements
    source_cann
    case $mode in
        pack) make_venv && pack "$folder" ;;
        check) check ${arguments[@]+"${arguments[@]}"} ;;
        run)
            make_venv
            install
            set_environment
            bind_to_node
            run ${arguments[@]+"${arguments[@]}"}
            ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
