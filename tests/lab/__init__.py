"""A lab machine with a wrong clock: `from lab import Lab` with `tests/` on the path. See README.md."""

from .fingerprint import changes
from .host import LabError
from .lab import Lab
from .machine import Machine

__all__ = ['Lab', 'LabError', 'Machine', 'changes']
