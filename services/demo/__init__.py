"""`tamga demo`: the founding story, acted over HTTP by the people in it, measured and verified."""
