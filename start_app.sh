#!/usr/bin/env bash
# 声坊 / Shengfang: the one command. Makes a private .venv with the requirements for this machine, then runs app.py.
#
#   ./start_app.sh [options of app.py]      serve on 0.0.0.0:7860; any other command of app.py works too
#   ./start_app.sh --check                  what works and what is missing (app.py doctor)
#   ./start_app.sh --pack DIR               collect everything an offline machine of this kind needs (--with-tests: and
#                                           what the program's tests need)
#   ./start_app.sh --wheelhouse DIR …       install from such a folder, without a network
#
# SHENGFANG_PYTHON        the Python to use
# SHENGFANG_TORCH_INDEX   index or folder of torch wheels (a CPU build, another CUDA version)
# SHENGFANG_REQUIREMENTS  requirements file, where the choice made here is wrong
# SHENGFANG_NUMA_NODE     NUMA node to bind to on Kunpeng (default 0; off = do not bind)
if [ -z "${BASH_VERSION:-}" ]; then # sh start_app.sh
    command -v bash > /dev/null || { echo "start_app.sh 需要 bash / needs bash" >&2 && exit 1; }
    exec bash "$0" "$@"
fi
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

usage() {
    say "./start_app.sh 自己的选项（其余的交给 app.py）：
  --check              什么能用，什么不能（app.py doctor），不安装任何东西
  --pack 文件夹        收集同样系统的离线机器所需要的一切，不启动
  --with-tests         与 --pack 一起：也收集运行测试所需要的
  --wheelhouse 文件夹  从这样的文件夹安装，不联网
  --help               这些选项；依赖装好后也显示 app.py 的选项
变量：SHENGFANG_PYTHON SHENGFANG_TORCH_INDEX SHENGFANG_REQUIREMENTS SHENGFANG_WHEELHOUSE SHENGFANG_NUMA_NODE（见 docs/install.md）" \
        "Options of ./start_app.sh itself (all others go to app.py):
  --check            what works and what does not (app.py doctor); installs nothing
  --pack DIR         collect everything an offline machine of this kind needs, and start nothing
  --with-tests       with --pack: collect what the tests need, too
  --wheelhouse DIR   install from such a folder, without a network
  --help             these options, and those of app.py once it is installed
Variables: SHENGFANG_PYTHON SHENGFANG_TORCH_INDEX SHENGFANG_REQUIREMENTS SHENGFANG_WHEELHOUSE SHENGFANG_NUMA_NODE (docs/install.md)"
}

fits() { # PYTHON: whether it can be used
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null
}

find_python() { # sets PYTHON
    local name
    if [ -n "${SHENGFANG_PYTHON:-}" ]; then
        fits "$SHENGFANG_PYTHON" ||
            die "SHENGFANG_PYTHON=$SHENGFANG_PYTHON 不是能用的 Python 3.10 至 3.13（含 venv）。" \
                "SHENGFANG_PYTHON=$SHENGFANG_PYTHON is no usable Python 3.10 to 3.13 with venv."
        PYTHON=$(command -v "$SHENGFANG_PYTHON")
        return
    fi
    for name in python3.11 python3.13 python3.12 python3.10 python3; do
        if fits "$name"; then
            PYTHON=$(command -v "$name")
            return
        fi
    done
    die "没有找到 Python 3.10 至 3.13（含 venv）。Debian/Ubuntu：apt install python3 python3-venv；openEuler/麒麟：dnf install python3.11" \
        "No Python 3.10 to 3.13 with venv was found. Debian/Ubuntu: apt install python3 python3-venv; openEuler/Kylin: dnf install python3.11"
}

cann_environment() { # prints the path of CANN's set_env.sh, where there is one
    local folder
    for folder in "${ASCEND_TOOLKIT_HOME:-}" /usr/local/Ascend/ascend-toolkit "${HOME:-}/Ascend/ascend-toolkit" \
        /usr/local/Ascend/cann "${HOME:-}/Ascend/cann"; do
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

check_wheels() { # the wheelhouse's, by its numpy: for this Python and this kind of machine?
    local wheel wanted
    wheel=$(compgen -G "$WHEELHOUSE/numpy-*.whl" | head -n 1) || true
    [ -n "$wheel" ] ||
        die "$WHEELHOUSE 里没有安装包；它应该是 --pack 收集的文件夹。" "$WHEELHOUSE holds no wheels: it should be a folder made by --pack."
    wanted=$(.venv/bin/python -c 'import sys; print("cp{}{}".format(*sys.version_info))')
    case $wheel in
        *-"$wanted"-*"$(uname -m)".whl) ;;
        *) die "$WHEELHOUSE 里的安装包（${wheel##*/}）不适合这里的 $wanted、$(uname -m)；请在同样系统、同样 Python 版本的机器上打包，或用 SHENGFANG_PYTHON 指定打包时的 Python 版本（先删除 .venv）。" \
            "The wheels in $WHEELHOUSE (${wheel##*/}) are not for $wanted on $(uname -m) as here: pack on a machine of the same kind and Python, or name that Python with SHENGFANG_PYTHON (and remove .venv first)." ;;
    esac
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
    elif [ "$REQUIREMENTS $(uname -m)" = "requirements-npu.txt x86_64" ]; then
        say "提示：x86_64 上的昇腾需要 CPU 版 torch，默认的不能用：请把 SHENGFANG_TORCH_INDEX 设为 CPU 版 torch 的索引或文件夹。目标是鲲鹏时，请在 aarch64 的机器上打包。" \
            "Note: Ascend on x86_64 needs a CPU build of torch, the default one does not do: set SHENGFANG_TORCH_INDEX to an index or folder of CPU wheels. For a Kunpeng target, pack on an aarch64 machine."
    elif [ "$REQUIREMENTS" = requirements.txt ]; then
        say "提示：默认的 torch 含 CUDA，有数 GB；把 SHENGFANG_TORCH_INDEX 设为 CPU 版 torch 的索引或文件夹可以避免。" \
            "Note: the default torch brings CUDA, several GB; SHENGFANG_TORCH_INDEX (index or folder of CPU wheels) avoids it."
    fi
}

install() { # only what changed; a second start touches no network
    [ "$(cat .venv/installed 2> /dev/null)" = "$(fingerprint)" ] && return
    [ -z "${WHEELHOUSE:-}" ] || check_wheels
    say "正在安装依赖（$REQUIREMENTS）……" "Installing $REQUIREMENTS …"
    pip_sources
    .venv/bin/python -m pip install --disable-pip-version-check ${SOURCES[@]+"${SOURCES[@]}"} -r "$REQUIREMENTS" ||
        die "安装失败。离线机器：在同样系统、能联网的机器上运行 ./start_app.sh --pack 文件夹，复制过来后用 --wheelhouse 文件夹 启动。" \
            "The installation failed. Offline machine: run ./start_app.sh --pack DIR on a connected machine of the same kind, copy DIR here and start with --wheelhouse DIR."
    fingerprint > .venv/installed
}

pack() { # DIR [FILE]: every wheel, those of a further requirements file too; what comes only as source is built here
    local folder=$1
    mkdir -p "$folder"
    pip_sources
    .venv/bin/python -m pip wheel --disable-pip-version-check ${SOURCES[@]+"${SOURCES[@]}"} \
        --wheel-dir "$folder" -r "$REQUIREMENTS" ${2:+-r "$2"} ||
        die "收集失败，见上面 pip 的说明。" "Packing failed: pip says why above."
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

help() { # changes nothing
    usage 2>&1
    [ "$(cat .venv/installed 2> /dev/null)" = "$(fingerprint)" ] || return 0
    echo
    exec .venv/bin/python "$HERE/app.py" --help
}

folder_given() { # OPTION FOLDER: an option that begins where the folder should be means that none was given
    case ${2:-} in
        "" | -*) die "$1 后面要写一个文件夹。" "$1 needs a folder after it." ;;
    esac
}

main() {
    local mode=run folder="" tests="" arguments=()
    WHEELHOUSE=$(from_caller "${SHENGFANG_WHEELHOUSE:-}") CONFIG=""
    while [ $# -gt 0 ]; do
        case $1 in
            --check) mode=check ;;
            --help) [ ${#arguments[@]} -gt 0 ] && arguments+=("$1") || mode=help ;;
            --pack) folder_given "$1" "${2:-}" && mode=pack folder=$(from_caller "$2") && shift ;;
            --with-tests) tests=requirements-dev.txt ;;
            --wheelhouse) folder_given "$1" "${2:-}" && WHEELHOUSE=$(from_caller "$2") && shift ;;
            --config) CONFIG=$(from_caller "${2:-}") && arguments+=("$1") ;;
            --config=*) CONFIG=$(from_caller "${1#*=}") && arguments+=("$1") ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
    [ -z "$tests" ] || [ "$mode" = pack ] || die "--with-tests 只与 --pack 一起用。" "--with-tests goes with --pack only."
    find_python
    choose_requirements
    source_cann
    case $mode in
        help) help ;;
        pack) make_venv && pack "$folder" "$tests" ;;
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
