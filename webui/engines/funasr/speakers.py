"""CAM++: speaker embeddings."""

from __future__ import annotations

import numpy as np

from webui.devices import load_torch
from webui.engines.base import Embedding, Waveform
from webui.engines.funasr.features import FeatureSettings, extract
from webui.engines.funasr.folder import Folder
from webui.engines.funasr.loading import LoadedModel, build

_SHORTEST = 0.4  # seconds of speech that still tell a voice


class SpeakerEmbedder(LoadedModel):
    """CAM++ on one device."""

    def __init__(self, folder: Folder, device: str = "cpu") -> None:
        super().__init__(build(folder, device))
        self._settings = FeatureSettings(
            mels=int(folder.config.get("model_conf", {}).get("feat_dim", 80)), window="povey"
        )

    def embed(self, waveform: Waveform) -> Embedding | None:
        """The speaker embedding (dimensions,), of unit length; None for what is too short."""
        if waveform.seconds < _SHORTEST:
            return None
        torch = load_torch()
        features = extract(waveform.samples / np.float32(1 << 15), self._settings)  # CAM++ wants them unscaled
        features -= features.mean(axis=0)
        with self._lock, torch.inference_mode():
            found = self.built.model(torch.from_numpy(features)[None].to(self.built.device))[0]
        vector: Embedding = found.float().cpu().numpy()
        return vector / (np.linalg.norm(vector) or 1.0)
