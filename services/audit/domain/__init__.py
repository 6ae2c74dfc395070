"""What the record of everything is made of: the Merkle tree, the leaf, the signed checkpoint, what gets refused."""
