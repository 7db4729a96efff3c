"""Audio: decoding of uploads in a child process, VAD, resampling, encoding, the AI label."""
