"""The engines: what recognises and what speaks. They know neither Gradio nor the database."""
