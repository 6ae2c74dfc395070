"""Rules of the grants service: plain Python, no input or output."""
