"""Text: hotwords, ITN, normalisation, pronunciation markup, sentences, subtitle and document writers."""
