"""The look of Gradio's controls: the colours of `static/theme.css`, and the shades of its palettes."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

FONTS = (
    "PingFang SC",
    "HarmonyOS Sans SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "system-ui",
    "sans-serif",
)
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Consolas", "Noto Sans Mono CJK SC", "monospace")

BOTH = {
    "body_background_fill": "var(--sf-ground)",
    "body_text_color": "var(--sf-text)",
    "body_text_color_subdued": "var(--sf-quiet)",
    "block_background_fill": "var(--sf-card)",
    "block_border_width": "0px",
    "block_info_text_color": "var(--sf-quiet)",
    "input_border_color": "var(--sf-line-strong)",
    "button_primary_background_fill": "*primary_700",
    "button_secondary_border_color": "var(--sf-line-strong)",
    "border_color_primary": "var(--sf-line)",
}
LIGHT = {
    "block_shadow": "none",
    "block_label_text_color": "*neutral_700",
    "block_title_text_color": "*neutral_700",
    "block_title_text_weight": "500",
    "input_background_fill": "var(--sf-card)",
    "input_border_width": "1px",
    "input_border_color_focus": "*primary_600",
    "input_placeholder_color": "*neutral_500",
    "input_shadow_focus": "var(--sf-focus)",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_text_color": "white",
    "button_secondary_background_fill": "var(--sf-card)",
    "button_secondary_background_fill_hover": "var(--sf-hover)",
    "checkbox_background_color_selected": "*primary_700",
    "checkbox_border_color_selected": "*primary_700",
    "slider_color": "*primary_700",
    "link_text_color": "*primary_700",
}
DARK = {
    "block_label_text_color_dark": "*neutral_300",
    "block_title_text_color_dark": "*neutral_300",
    "input_background_fill_dark": "var(--sf-hover)",
    "input_border_color_focus_dark": "*primary_500",
    "input_placeholder_color_dark": "*neutral_400",
    "button_primary_background_fill_hover_dark": "*primary_600",
    "button_secondary_background_fill_dark": "var(--sf-hover)",
    "button_secondary_background_fill_hover_dark": "var(--sf-line)",
}


def build() -> gr.themes.Base:
    """Teal on quiet greys, in the reader's own system fonts: none is downloaded."""
    base = gr.themes.Base(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.slate,
        spacing_size=sizes.spacing_md,
        radius_size=sizes.radius_lg,
        text_size=sizes.text_md,
        font=[fonts.Font(name) for name in FONTS],
        font_mono=[fonts.Font(name) for name in MONO_FONTS],
    )
    dark = {f"{name}_dark": value for name, value in BOTH.items()}
    return base.set(**BOTH, **dark, **LIGHT, **DARK)
