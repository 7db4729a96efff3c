"""The look of Gradio's controls; `static/theme.css` gives the islands the same colours."""

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

LIGHT = {
    "body_background_fill": "#f6f8f8",
    "body_text_color": "*neutral_900",
    "body_text_color_subdued": "*neutral_600",
    "block_background_fill": "white",
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_label_text_color": "*neutral_700",
    "block_title_text_color": "*neutral_700",
    "block_title_text_weight": "500",
    "block_info_text_color": "*neutral_600",
    "input_background_fill": "white",
    "input_border_width": "1px",
    "input_border_color": "*neutral_300",
    "input_border_color_focus": "*primary_600",
    "input_placeholder_color": "*neutral_500",
    "input_shadow_focus": "0 0 0 3px rgb(15 118 110 / 0.16)",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_text_color": "white",
    "button_secondary_background_fill": "white",
    "button_secondary_background_fill_hover": "*neutral_100",
    "button_secondary_border_color": "*neutral_300",
    "checkbox_background_color_selected": "*primary_700",
    "checkbox_border_color_selected": "*primary_700",
    "slider_color": "*primary_700",
    "border_color_primary": "*neutral_200",
    "link_text_color": "*primary_700",
}
DARK = {
    "body_background_fill_dark": "#0f1716",
    "body_text_color_dark": "*neutral_100",
    "body_text_color_subdued_dark": "*neutral_400",
    "block_background_fill_dark": "#17211f",
    "block_border_width_dark": "0px",
    "block_label_text_color_dark": "*neutral_300",
    "block_title_text_color_dark": "*neutral_300",
    "block_info_text_color_dark": "*neutral_400",
    "input_background_fill_dark": "#1d2927",
    "input_border_color_dark": "#3a4947",
    "input_border_color_focus_dark": "*primary_500",
    "input_placeholder_color_dark": "*neutral_400",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_600",
    "button_secondary_background_fill_dark": "#1d2927",
    "button_secondary_background_fill_hover_dark": "#263431",
    "button_secondary_border_color_dark": "#3a4947",
    "border_color_primary_dark": "#2a3836",
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
    return base.set(**LIGHT, **DARK)
