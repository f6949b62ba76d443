"""A whole gateway over real sockets, against the simulator, browsers and other servers."""
