"""What banks download to verify our messages."""
