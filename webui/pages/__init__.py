"""The pages: Gradio for layout and controls, small JavaScript islands for what lives."""
