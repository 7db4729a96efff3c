"""Inverse text normalisation: numbers that are spoken in words, in the digits of Chinese records."""

from webui.text.itn.convert import apply, regroup, with_spans

LANGUAGES = ("zh",)  # that the rules know

__all__ = ["LANGUAGES", "apply", "regroup", "with_spans"]
