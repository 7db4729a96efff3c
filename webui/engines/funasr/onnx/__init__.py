"""ONNX exports of FunASR's models: the CPU's dynamic graphs, and the fixed lengths that an Ascend 310 wants."""
