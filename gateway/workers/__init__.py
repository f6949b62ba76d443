"""Several processes that share a port: the supervisor, its side of a worker, and how the two speak."""
