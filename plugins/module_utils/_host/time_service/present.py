# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configures one time daemon: inspects the host, plans, sets the clock, applies the plan, and waits.

The inspection and the plan come first, so that obstacles are reported before anything is changed.
"""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock.clock import Anchor
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host import acts, guest_sync
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, next_steps, texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import MAY_NOT_BE_ASKED, Daemon, Status
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.config import Overlay
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import ANOTHER_STEERS, Refused, wanted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.packages import Packages
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import known_states, starts_at_boot
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service import lasting, result
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.apply import Apply, Failure, predicted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.boot import plan_boot
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.companions import (
    refuse_restarting,
    refuse_stopping,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.plan import Facts, Plan, choose, make_plan
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.run import FOLDER, Run
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.wait import Limits, Waited, wait
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import Entry, Lock

_BOUNDS = (('sync_timeout', 3600), ('sync_tolerance', 1000), ('max_skew', 1e9), ('max_step', 1e12))


class HostClock(NamedTuple):
    """Access to the clock. owner: returns which machine owns it, or ''. write_rtc: writes the hardware clock."""

    owner: Callable[[], str]
    write_rtc: Callable[[], Dict[str, Any]]


class Found(NamedTuple):
    """The facts of the host before any change."""

    daemons: List[Facts]        # and other units that set the clock and can be stopped
    steerers: List[Any]
    chosen: Facts
    daemon: Daemon


class Present(Run):
    """Configures one time daemon that keeps the clock."""

    failed = "Could not keep this host's clock right with {unit}"

    def __init__(self, options: Mapping[str, Any], host: System, clock: HostClock, check_mode: bool = False,
                 stop: Optional[StopRequest] = None, lock: Optional[Lock] = None) -> None:
        super().__init__(host, check_mode, stop, lock)
        self.options = options
        self.clock = clock
        self.want = wanted(options)
        self.secrets = self.want.secrets
        for name, most in _BOUNDS:
            if not 0 <= float(options[name]) <= most:
                raise Refused(f'{name}: {float(options[name]):g} is not a number of seconds from 0 to {most:g}.')
        self.manager = discovery.package_manager(host)
        self.packages = Packages(host, self.manager or 'apt')
        self.setter: Optional[Any] = None   # measures and sets the clock, or predicts it: a step_clock.ClockStep
        self.measured: Sequence[Mapping[str, Any]] = ()     # the sources of this run's own measurement
        self.right: Optional[Anchor] = None     # of the clock when it was verified to be right
        self.measured_right = False     # whether the clock was measured, and is right
        self.tolerant = options['on_unsynchronized'] == 'ignore'

    def _do(self) -> Dict[str, Any]:
        found = self._found()
        self.details.update(provider=found.chosen['name'], unit=found.chosen['unit'])
        try:
            self._refuse(found)
            plan = self._plan(found)
            self._look_at_obstacles(plan)
            refuse_stopping(self.host, [each['unit'] for each in plan.competitors + plan.replaced if each['active']])
            if not plan.start and found.daemon.needs_restart(plan.effects):
                refuse_restarting(self.host, plan.daemon['unit'])
        except Refused as refused:
            if not refused.soft or self.options['on_unsynchronized'] == 'fail':
                raise
            return self._only_the_clock(found, refused)
        step = self._set_clock(found.daemon)
        if self.check_mode:
            return self._predict(plan, found.daemon, step)
        status = found.daemon.status() if not plan.needed else None
        if status and not self._clock_is_set:
            if self._limits.good(found.daemon, status):
                return self._succeed(plan, found.daemon, status)
            if status.reason == MAY_NOT_BE_ASKED:
                # It may work well, so it is not restarted only because it does not answer.
                if self.tolerant:
                    return self._succeed(plan, found.daemon, status)
                self.details.update(reason=status.reason)
                raise Refused(f'{found.daemon.unit}: {status.msg}, so that nothing shows that it keeps the clock.', status.advice)
        return self._change(plan, found, self._clock_is_set)

    @property
    def _limits(self) -> Limits:
        return Limits.of(self.options, self.tolerant)

    # looking

    def _found(self) -> Found:
        daemons, steerers = self.look()
        chosen = choose(daemons, self.options['provider'], self.want)
        return Found(daemons + self._stoppable(steerers), steerers, chosen, discovery.make(self.host, chosen, self.measured))

    def _stoppable(self, steerers: List[Any]) -> List[Facts]:
        """Return units other than daemons that set the clock and can be stopped, in the form of daemons."""
        units = [each.unit for each in steerers if each.can_stop]
        states = known_states(self.host, units) if units else {}
        return [{'name': unit, 'unit': unit, 'package': '', 'installed': True, 'masked': False, 'condition': '',
                 'active': states[unit].get('ActiveState') == 'active',
                 'enabled': starts_at_boot(self.host, unit, states[unit])} for unit in units]

    def _refuse(self, found: Found) -> None:
        """Raise Refused for anything that prevents the run, before any change."""
        chosen, owner = found.chosen, self.clock.owner()
        if owner:
            raise Refused(f'{owner} A time daemon could not set it here.')
        if chosen.get('not_loaded'):
            raise Refused(f"systemd cannot load {chosen['unit']} ({chosen['not_loaded']}).",
                          f"See systemctl status {chosen['unit']}, correct its file or drop-in, then run again.")
        if chosen.get('masked_until_boot'):     # systemctl unmask without --runtime leaves it masked
            raise Refused(f"{chosen['unit']} is masked until the next boot.",
                          f"Run systemctl unmask --runtime {chosen['unit']}, then run again.")
        if chosen['condition']:
            raise Refused(f"systemd does not start {chosen['unit']}: {chosen['condition']} is not met.",
                          next_steps.MEET_CONDITION)
        if not chosen['installed']:
            if not self.manager:
                raise Refused(f"The package {chosen['package']} cannot be installed: {discovery.why_no_packages(self.host)}.")
            if not self.check_mode:
                self.packages.installed()
        lasting_ones = [each for each in found.steerers if not each.can_stop]
        if lasting_ones:
            raise Refused(f'{lasting_ones[0].name} also sets this clock ({lasting_ones[0].place}), and this role does not stop it.',
                          lasting_ones[0].advice, ANOTHER_STEERS)
        found.daemon.check_against(self.want)
        complaint = found.daemon.complaint() if chosen['installed'] and not self.interrupted else ''
        if complaint:
            raise Refused(f"{chosen['unit']} does not accept its configuration: {complaint.rstrip('.')}.",
                          'This role did not write that. Correct it, then run again.')

    def _plan(self, found: Found) -> Plan:
        known = lasting.stored(self.host.text(lasting.FILE))
        back = {} if self.want.only else self._commented_out(known)
        daemon = discovery.make(Overlay(self.host, back), found.chosen) if back else found.daemon
        files = [(file, self.host.text(file.path)) for file in texts.restoring(daemon.files(self.want), list(back))]
        boot = plan_boot(self.host, found.chosen, self.options)
        return make_plan(found.daemons, found.chosen, files, bool(self.packages.manager.fetch),
                         [(file, self.host.text(file.path)) for file in boot.files], boot.wait if boot.enable else '',
                         known, guest_sync.is_on(self.host))

    def _commented_out(self, known: lasting.Lasting) -> Dict[str, Optional[str]]:
        """Return the files in which earlier runs have commented out lines (option only), with these lines restored."""
        found = {path: self.host.text(path) or '' for path in known.silenced}
        return {path: texts.restored(text) for path, text in found.items() if texts.SILENCED in text}

    def _look_at_obstacles(self, plan: Plan) -> None:
        """Raise Refused for a file that cannot be written."""
        for path in [change.file.path for change in plan.changes + plan.boot] \
                + [change.backup for change in plan.changes + plan.boot if change.backup] + [f'{FOLDER}/undo.json']:
            obstacle = self.host.obstacle(path)
            if obstacle:
                raise Refused(f'{path} cannot be written: {obstacle}.', f'See that {path} can be written, then run again.')

    def _set_clock(self, daemon: Daemon) -> Dict[str, Any]:
        """Measure the clock and set it, or predict that, after all checks and before any other change."""
        if not self.setter:
            return {}
        try:
            step = self.setter.run()
        finally:
            self.entries += self.setter.entries
        self.tolerant = self.tolerant or (self.options['on_unsynchronized'] == 'auto' and _verified_by_service(step['before']))
        daemon.measured = self.measured = step['before']['sources']
        if step['after'].get('verdict') == 'in_sync' and step['after']['verified']:
            self.right = Anchor()
        self.measured_right = not step.get('actions') if self.check_mode else True
        self.details.update(result.of_step(step))
        if step['changed']:
            self.details.update(diff=[dict(step['diff'], before_header='clock', after_header='clock')])
        return step

    def _led_away(self, status: Status) -> float:
        """Return by how many seconds the daemon has set the clock, or is about to, away from what was verified; 0.0 if not."""
        remaining = 0.0 if status.stepped else status.residual_offset
        by = max(self.right.stepped_by(), remaining, key=abs) if self.right else 0.0
        return by if abs(by) > self._limits.max_skew else 0.0

    def _only_the_clock(self, found: Found, refused: Refused) -> Dict[str, Any]:
        """Set only the clock, because no daemon can be configured to keep it. Changes nothing else."""
        step = self._set_clock(found.daemon)
        if not self.tolerant:
            self.details.update(reason=refused.reason)
            raise refused
        said = 'The clock is right now, but no time daemon was configured to keep it right' if self.measured_right \
            else 'No time daemon was configured to keep the clock right'
        self.details.update(synchronized=False, reason=refused.reason, advice=refused.advice,
                            sources=found.daemon.source_names(), msg=f'{said}: {refused.message}')
        done = self._finish()
        if self.check_mode:
            sentences = self._undo_first() + list(step.get('actions') or [])
            done.update(changed=done['changed'] or bool(sentences), actions=sentences,
                        msg=f"{_would(sentences)} {done['msg']}".strip())
        return done

    # check mode

    def _predict(self, plan: Plan, daemon: Daemon, step: Mapping[str, Any]) -> Dict[str, Any]:
        status = daemon.status() if plan.daemon['active'] else None
        first = self._undo_first() + list(step.get('actions') or [])
        due = plan.needed or bool(first)
        good = bool(not due and status and self._limits.good(daemon, status))
        self.details.update(self._state(plan, daemon, status, good))
        if status and not good and not plan.package and (due or status.reason != MAY_NOT_BE_ASKED):
            plan = plan._replace(then=predicted(plan, daemon, status, bool(step.get('actions')), self._limits.max_skew))
        sentences = first + [f'would {sentence}' for sentence in plan.sentences]
        if due:
            self.details.update(msg=_would(sentences), reason='', advice='')
        elif sentences:
            self.details.update(msg=f"{self.details['msg']} {_would(sentences)}")
        if self.interrupted:
            self.details['msg'] += ' It plans again after the undo, and may do more.'
        self.details.update(
            changed=bool(sentences) or bool(step.get('changed')), actions=sentences, diff=self.details['diff'] + plan.diff(),
            unmasked=plan.unmask, disabled=_disabled(plan))
        return self.details

    def _undo_first(self) -> List[str]:
        return [f'would undo the changes of the interrupted run of {self.log.begun}'] if self.interrupted else []

    # doing

    def _change(self, plan: Plan, found: Found, clock_was_set: bool) -> Dict[str, Any]:
        daemon, first = found.daemon, plan
        self.log.how['active'] = [each['unit'] for each in found.daemons if each['active']]
        apply = Apply(self.log, self.packages, self._look_again)
        try:
            plan, daemon, fresh = apply.run(plan, daemon, clock_was_set)
            waited = wait(self.log, daemon, self._limits, apply.restart, self._led_away)
            if not waited.status.synchronized:
                # The daemon stays, because it may synchronize later. Until then, nothing else would keep the clock.
                apply.guest_sync_back()
            self._keep_backups(plan)
            self._remember(self.log.entries)
            self.stop.check()
        except Exception as error:      # after any error, restore the host first
            self._roll_back(plan.daemon['unit'], error)
        self._write_rtc(waited, fresh, clock_was_set, daemon)
        return self._succeed(plan, daemon, waited.status, first)

    def _look_again(self, name: str) -> Tuple[Plan, Daemon]:
        daemons, steerers = self.look()
        chosen = next(each for each in daemons if each['name'] == name)
        if not chosen['installed']:
            raise Failure('Install the package of the daemon', f"the package {chosen['package']} brought no {chosen['unit']}")
        daemon = discovery.make(self.host, chosen, self.measured)
        plan = self._plan(Found(daemons + self._stoppable(steerers), [], chosen, daemon))
        self._look_at_obstacles(plan)
        return plan, daemon

    def _keep_backups(self, plan: Plan) -> None:
        """Write backups of a vendor's file that got its first block, and of our text that others have edited."""
        for change in plan.changes + plan.boot:
            if change.backup:
                acts.write_file(self.log, change.backup, change.before, '', expected=self.host.text(change.backup),
                                secret=change.file.secret, like=change.file.path, of=change.file.path)

    def _remember(self, entries: Sequence[Entry]) -> None:
        """Record the permanent changes for state=absent, see lasting."""
        text = lasting.merged(self.host.text(lasting.FILE), entries)
        if text:
            # Not readable by others, because it has the hashes of files with keys.
            acts.write_file(self.log, lasting.FILE, text, '', 0o600, expected=self.host.text(lasting.FILE))

    def _write_rtc(self, waited: Waited, fresh: bool, clock_was_set: bool, daemon: Daemon) -> None:
        """Write the hardware clock, unless a step did it, if the daemon has just corrected the clock."""
        if not clock_was_set and (fresh or waited.moved) and self._limits.good(daemon, waited.status):
            self.details['rtc'] = self.clock.write_rtc()

    def _succeed(self, plan: Plan, daemon: Daemon, status: Status, first: Optional[Plan] = None) -> Dict[str, Any]:
        self.details.update(self._state(plan, daemon, status, self._limits.good(daemon, status)))
        if first:
            replaced = [each for each in first.replaced if each['active']]
            shown = first._replace(changes=plan.changes, competitors=first.competitors + [
                each for each in plan.competitors if each['name'] not in [one['name'] for one in first.competitors]])
            self.details['diff'] = self.details['diff'] + shown.diff()
            return self._finish(disabled=[each['unit'] for each in replaced])
        return self._finish()

    def _state(self, plan: Plan, daemon: Daemon, status: Optional[Status], good: bool) -> Dict[str, Any]:
        return result.of_plan(plan, status, good, discovery.time_pushers(self.host, only_pushing=True), daemon.source_names(),
                              self.measured_right)


def _would(sentences: Sequence[str]) -> str:
    return f"Check mode: a run {'; '.join(sentences)}." if sentences else ''


def _disabled(plan: Plan) -> List[str]:
    return [each['unit'] for each in plan.competitors] + [guest_sync.TARGET] * plan.guest_sync \
        + [each['unit'] for each in plan.replaced if each['active']]


def _verified_by_service(measured: Mapping[str, Any]) -> bool:
    """Return whether a TLS-verified service is part of the agreement on the clock."""
    return bool(measured['verified']) and any(
        source['kind'] == 'https' and source['accepted'] and source['tls_verified'] for source in measured['sources'])
