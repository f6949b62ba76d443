"""How the gateway grows: what shared state costs, and a discrete-event model of many viewers (``make scale``)."""
