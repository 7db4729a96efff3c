"""Encoders as ONNX files of fixed lengths, for devices that torch does not reach: the Ascend 310 class, by ATC.

Importing this package imports no torch.
"""
