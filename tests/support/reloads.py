"""Reloads as by SIGHUP, in the process of the tests."""

from gateway.cli.configuration import read
from gateway.cli.serve import Reloads
from gateway.settings.until_restart import InForce
from tests.support.gateway_fixture import GatewayStack


def reloads_of(stack: GatewayStack) -> Reloads:
    """Returns the reloads of *stack*'s configuration file, each of which does what a SIGHUP does."""
    in_force = InForce.at_start(stack.gateway.settings, {})
    return Reloads(stack.gateway, lambda present: read(stack.config, running=True, in_force=present), in_force)
