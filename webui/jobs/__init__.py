"""The job pipeline: scheduling, preparing (decode + VAD), the device workers, recovery."""
