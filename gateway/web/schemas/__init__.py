"""Descriptions of what the public listener answers: OpenAPI, and VALT's own JSON."""
