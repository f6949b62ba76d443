"""How fast the gateway is, beside nginx, Caddy, Traefik and Envoy. Run by ``make bench``, never by the tests."""
