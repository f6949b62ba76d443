"""HTTP: the URL map, its handlers, and how errors look."""
