"""What runs on the operator's machine before and around the containers.

Needs python3 >= 3.9 with its standard library, and nothing of Tamga's own environment.
"""
