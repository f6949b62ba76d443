"""Measures the gateway beside nginx, HAProxy, Caddy, Traefik, Envoy and bare aiohttp. Run by ``make bench`` only."""
