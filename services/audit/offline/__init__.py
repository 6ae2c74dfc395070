"""What travels in a proof bundle so that whoever gets it can check it without us: it imports nothing of ours."""
