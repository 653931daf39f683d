# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops and starts a program without a unit by commands, under the same guard as services.

A unit below /run wraps the two commands, so that everything that starts services again also starts the program. The unit does not
belong to a session, and is gone after a boot.
"""

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.errors import BadOption
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import service_guard
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.service_guard import ServiceGuard
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Lock

UNIT = 'aemops-brand-portal-program.service'
_PATH = '/run/systemd/system/' + UNIT
_PAUSE = 0.2
_FOLDERS = ('/usr/sbin', '/usr/bin', '/sbin', '/bin')
# Its process may still be ending. The script waits for it, so that the program does not run twice.
_START = ('n=$1 pid=$2; shift 2; while [ -d "/proc/$pid" ] && [ "$n" -gt 0 ]; do sleep 1; n=$((n-1)); done; '
          '[ -d "/proc/$pid" ] || exec "$@"')
_WAIT = 'while [ -d "/proc/$1" ]; do sleep 0.2; done'


def guard_of(units: List[str], above: float, timeout: float, program: Optional[Mapping[str, Any]], host: Optional[System] = None,
             lock: Optional[Lock] = None, stop: Optional[StopRequest] = None) -> ServiceGuard:
    """Return the guard of the services, and of the program if there is one. Raises BadOption."""
    return ProgramGuard(units, above, timeout, program, host, lock, stop) if program else \
        ServiceGuard(units, above, timeout, host, lock, stop)


class ProgramGuard(ServiceGuard):
    """Stops `units` and the program while the clock is set.

    program: stop and start, each a list of words, and pid, the process that must end before the clock is set.
    """

    def __init__(self, units: List[str], above: float, timeout: float, program: Mapping[str, Any], host: Optional[System] = None,
                 lock: Optional[Lock] = None, stop: Optional[StopRequest] = None) -> None:
        super().__init__(units, above, timeout, host, lock, stop)
        self._program: Dict[str, Any] = {'pid': program['pid']}
        for name in ('stop', 'start'):
            self._program[name] = self._command(name, [str(word) for word in program[name]])

    def _command(self, name: str, words: List[str]) -> List[str]:
        """Return the command with the full path of its program."""
        first = words[0] if words else ''
        places = [first] if first.startswith('/') else ['{0}/{1}'.format(folder, first) for folder in _FOLDERS] if first else []
        found = next((place for place in places if self._host.exists(place)), '')
        real = self._host.path(found)
        if not found:
            problem = 'this host has no command "{0}" to {1} it'.format(first, name)
        elif not os.path.isfile(real) or not os.access(real, os.X_OK):
            problem = 'root cannot execute the command "{0}" to {1} it: look at "ls -l {0}" and "findmnt -T {0}" (noexec)'.format(
                found, name)
        else:
            return [found] + words[1:]
        raise BadOption('stop_program: {0} (in the role fix_bp_jwt: fix_bp_jwt_aem_{1}_command). Nothing was changed.'.format(
            problem, name))

    @property
    def _alive(self) -> bool:
        return self._host.exists('/proc/{0}'.format(self._program['pid']))

    def _find(self) -> List[service_guard.Unit]:
        units = super()._find()
        if self._program['pid'] and self._alive:
            self.running.append(UNIT)
        return units

    def predict(self, offset: float) -> str:
        return super().predict(offset).replace(UNIT, 'the process {0} ({1})'.format(
            self._program['pid'], ' '.join(self._program['stop'])))

    def _begin(self, wanted: List[str]) -> None:
        if UNIT in wanted:
            self._wrap()
        super()._begin(wanted)

    def _wrap(self) -> None:
        """Create the unit. It is started with a dummy command first, because the program already runs."""
        self._host.make_folder(os.path.dirname(_PATH))
        for text in (self._text(['/bin/true']), self._text(self._started_by)):
            self._host.write(_PATH, text, 0o600)
            self._systemctl('daemon-reload', [])
            done = self._systemctl('start', [UNIT])
            if done.code:
                raise service_guard.StopRefused('The clock was not set: systemd does not take the commands of stop_program: {0}. '
                                                'Nothing was stopped'.format(done.complaint))

    @property
    def _started_by(self) -> List[str]:
        return ['/bin/sh', '-c', _START, 'sh', str(int(self.timeout)), str(self._program['pid']), *self._program['start']]

    def _text(self, start: Sequence[str]) -> str:
        return ('[Unit]\nDescription=A program that was stopped for a step of the clock (aemops.brand_portal)\n'
                '[Service]\nType=oneshot\nRemainAfterExit=yes\n'
                'TimeoutStartSec={0}\nTimeoutStopSec={0}\nExecStart={1}\nExecStop=-{2}\nExecStop=/bin/sh -c {3} sh {4}\n').format(
                    int(self.timeout) * 2 + 60, quoted(start), quoted(self._program['stop']), quoted([_WAIT]), self._program['pid'])

    def _stop(self) -> None:
        super()._stop()
        if UNIT not in self.running:
            return
        limit = self._host.now() + self.timeout
        while self._alive and self._host.now() < limit:
            self._host.sleep(_PAUSE)
        if self._alive:
            raise service_guard.StopRefused('The clock was not set, because the process {0} did not end within {1:g} s after "{2}"'
                                            .format(self._program['pid'], self.timeout, ' '.join(self._program['stop'])))


def quoted(words: Sequence[str]) -> str:
    """Quote words for ExecStart= (systemd.service(5), "Command lines"), so that no variable or specifier is expanded."""
    return ' '.join('"{0}"'.format(str(word).replace('\\', '\\\\').replace('"', '\\"').replace('%', '%%').replace('$', '$$'))
                    for word in words)
