"""The signer: a small process of its own that alone holds the log's key, and signs nothing but growth.

It knows no database and no broker, and imports nothing heavy: that it can't be talked into signing another past
must be seen by reading a few hundred lines.
"""
