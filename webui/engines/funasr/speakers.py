"""CAM++: speaker embeddings."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from webui.devices import load_torch
from webui.engines.base import Embedding, Waveform
from webui.engines.funasr.features import FeatureSettings, extract
from webui.engines.funasr.folder import Folder
from webui.engines.funasr.loading import build

_SHORTEST = 0.4  # seconds of speech that still tell a voice


class SpeakerEmbedder:
    """CAM++ on one device."""

    def __init__(self, folder: Folder, device: str = "cpu") -> None:
        self._built: Any = build(folder, device)
        self._settings = FeatureSettings(
            mels=int(folder.config.get("model_conf", {}).get("feat_dim", 80)), window="povey"
        )
        self._lock = threading.Lock()

    def embed(self, waveform: Waveform) -> Embedding | None:
        """The speaker embedding (dimensions,), of unit length; None for what is too short."""
        if waveform.seconds < _SHORTEST:
            return None
        torch = load_torch()
        features = extract(waveform.samples / np.float32(1 << 15), self._settings)  # CAM++ wants them unscaled
        features -= features.mean(axis=0)
        with self._lock, torch.inference_mode():
            found = self._built.model(torch.from_numpy(features)[None].to(self._built.device))[0]
        vector: Embedding = found.float().cpu().numpy()
        return vector / (np.linalg.norm(vector) or 1.0)

    def close(self) -> None:
        self._built = None
