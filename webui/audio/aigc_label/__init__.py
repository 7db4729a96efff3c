"""The label of generated speech: audible in the sound, readable in the file's metadata (GB 45438-2025)."""
