"""The log at the size of many years: ten million events, then every search, proof and verification over them."""
