"""The table of all targets that need no socket."""

from tests.fuzz import file_targets, http_targets, identity_targets, valt_targets
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *http_targets.TARGETS,
    *identity_targets.TARGETS,
    *valt_targets.TARGETS,
    *file_targets.TARGETS,
)
