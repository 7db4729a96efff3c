"""A torch_npu as it behaves where CANN is not installed or set_env.sh was not sourced (seen with 2.13.0)."""

raise ImportError("libhccl.so: cannot open shared object file: No such file or directory")
