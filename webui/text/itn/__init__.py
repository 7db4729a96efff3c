"""Inverse text normalisation: numbers that are spoken in words, in the digits of Chinese records."""

from webui.text.itn.convert import apply, regroup, with_spans

__all__ = ["apply", "regroup", "with_spans"]
