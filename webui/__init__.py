"""Shengfang (声坊): transcription and voice cloning for organisations that keep their recordings in-house.

The whole application lives in this package; `models/` beside it holds weights only and `data/`
everything written at run time. Imports run one way (checked by import-linter):
app → server, pages → service → jobs → engines, store → audio, text, devices → settings, errors.
"""

__version__ = "0.1.0"
