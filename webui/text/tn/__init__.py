"""Text normalisation: numbers, dates, units and signs in words, as they are read aloud."""
