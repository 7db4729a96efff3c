"""List the aten operators for which a torch_npu wheel registers NPU kernels.

    python tools/extract_ops.py torch_npu-2.13.0-*.whl > sim_npu/ops_torch_npu_2.13.0.txt

The wheel carries the list in csrc/aten/npu_native_functions_by_codegen.yaml.
"""

import re
import sys
import zipfile

LIST = "torch_npu/csrc/aten/npu_native_functions_by_codegen.yaml"
SECTIONS = ("supported", "autograd", "symint")


def operators(text: str) -> set[str]:
    """The names under the list's sections, given as `- func: name(...)` or `- name`."""
    section, names = "", set()
    for line in text.splitlines():
        if heading := re.match(r"([a-z_]+):", line):
            section = heading[1]
        elif section in SECTIONS:
            found = re.match(r"[- ] func: ([\w.]+)", line) or re.match(r"- ([\w.]+)$", line)
            if found:
                names.add(found[1])
    return names


if __name__ == "__main__":
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        print("\n".join(sorted(operators(wheel.read(LIST).decode()))))
