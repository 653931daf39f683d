# Copyright: (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a host to one time daemon that is installed, configured, enabled, running and synchronised: all of it, or nothing.

First everything is looked at and a plan is made; what is in the way is said before anything is changed. Then the plan is
done with a journal of what was. Whatever fails on the way puts all back.
"""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons import discovery, layouts, texts
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.base import (
    MAY_NOT_BE_ASKED,
    NOT_RUNNING,
    Daemon,
    Status,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.texts import File
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.daemons.wanted import (
    ANOTHER_STEERS,
    Refused,
    Wanted,
    wanted,
)
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.journal import Journal
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.snapshot_packages import Packages
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.system import System, listed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.systemd import STARTS_AT_BOOT, Units, unit_states

Facts = Dict[str, Any]

# Seconds between two questions to a daemon that is not synchronised yet.
_PAUSE = 0.2
HIDDEN = '********'


class Clock(NamedTuple):
    """What the clock wing lends: '' or whose clock it is; writes the hardware clock."""

    owner: Callable[[], str]
    write_rtc: Callable[[], Dict[str, Any]]


class KeepFailed(Exception):
    """It was tried, it failed, and everything was put back; details holds what the module returns beside the message."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class Failure(Exception):
    """A step failed: what was to be done, and what came of it."""

    def __init__(self, doing: str, came: str, next_step: str = '') -> None:
        super().__init__('"{0}" failed: {1}'.format(doing, came.strip().rstrip('.') or 'without a word'))
        self.next_step = next_step


class Plan(NamedTuple):
    """What has to be done. Empty where the host is as it shall be."""

    daemon: Facts
    package: str                        # to install, '' where it is there
    replaced: List[Facts]               # daemons whose packages that one takes the place of
    files: List[Tuple[File, Optional[str], Optional[str]]]      # with their text before and after; None is no file
    unmask: bool
    enable: bool
    start: bool
    competitors: List[Facts]            # that run, or start at boot

    @property
    def changes(self) -> bool:
        return bool(self.package or self.files or self.unmask or self.enable or self.start or self.competitors)

    @property
    def sentences(self) -> List[str]:
        """One for each thing to do, in the order it is done."""
        replaced = ', '.join(each['package'] for each in self.replaced)
        verbs = [verb for verb, wanted in (('unmask', self.unmask), ('enable', self.enable), ('start', self.start)) if wanted]
        return (['install the package {0}{1}'.format(self.package, ', which replaces ' + replaced if replaced else '')]
                if self.package else []) \
            + [self.file_sentence(*change) for change in self.files] \
            + ['stop and disable {0}'.format(other['unit']) for other in self.competitors] \
            + (['{0} {1}'.format(listed(verbs), self.daemon['unit'])] if verbs else [])

    @staticmethod
    def file_sentence(file: File, before: Optional[str], after: Optional[str]) -> str:
        if after is None:
            return 'remove {0}'.format(file.path)
        if file.block:
            verb = 'remove' if not file.text else 'change' if texts.BLOCK_BEGIN in (before or '') else 'add'
            return '{0} the block of this role in {1}'.format(verb, file.path)
        return '{0} {1}'.format('write' if before is None else 'change', file.path)

    def diff(self) -> List[Dict[str, str]]:
        """For --diff: the files, then the states of the units."""
        result = [texts.diff_of(file, before, after) for file, before, after in self.files]
        before = {each['unit']: _state_line(each) for each in [self.daemon] + self.replaced + self.competitors}
        after = {each['unit']: _state_line(dict(each, active=False, enabled=False)) for each in self.competitors}
        after.update({each['unit']: _state_line(dict(each, installed=False)) for each in self.replaced})
        after[self.daemon['unit']] = _state_line(dict(self.daemon, active=True, enabled=True, masked=False, installed=True))
        if before != after:
            result.append({'before_header': 'units', 'after_header': 'units',
                           'before': ''.join(before[unit] for unit in sorted(before)),
                           'after': ''.join(after[unit] for unit in sorted(after))})
        return result


def _vouched_for(measured: Mapping[str, Any]) -> bool:
    """Whether a service that TLS has verified has taken part in the agreement on the clock."""
    return bool(measured['verified']) and any(
        source['kind'] == 'https' and source['accepted'] and source['tls_verified'] for source in measured['sources'])


def _of_step(clock: Mapping[str, Any]) -> Dict[str, Any]:
    return {key: clock[key] for key in ('changed', 'before', 'after', 'rtc', 'stopped', 'msg')}


def _as_facts(system: System, steerer: Any) -> Facts:
    """A unit that sets the clock beside the daemons, in the shape of theirs."""
    state = unit_states(system, [steerer.unit]).get(steerer.unit, {})
    return {'name': steerer.unit, 'unit': steerer.unit, 'package': '', 'installed': True, 'masked': False, 'condition': '',
            'active': state.get('ActiveState') == 'active', 'enabled': state.get('UnitFileState') in STARTS_AT_BOOT}


def _state_line(daemon: Facts) -> str:
    if not daemon['installed']:
        return '{0}: not installed\n'.format(daemon['unit'])
    words = ['running' if daemon['active'] else 'stopped',
             'masked' if daemon['masked'] else 'enabled' if daemon['enabled'] else 'disabled']
    return '{0}: {1}\n'.format(daemon['unit'], ', '.join(words))


# Choosing


def choose(daemons: List[Facts], provider: str, want: Wanted) -> Facts:
    """The daemon that shall keep the time. Raises Refused where none can do what is asked.

    auto: the one that works (runs, starts at boot) and can do it; else one that is there, chrony first; else chrony.
    """
    by_name = {known.name: known for known in layouts.DAEMONS}
    possible = [each for each in daemons if by_name[each['name']].provider and (each['installed'] or each['package'])]
    if provider != 'auto':
        possible = [each for each in possible if by_name[each['name']].provider == provider]
        if not possible:
            raise Refused('provider={0}: this system has no package for it. Use another provider; auto takes what there is.'.format(
                provider))
    able = [each for each in possible if set(want.features) <= set(by_name[each['name']].can)]
    if not able:
        lacking = [layouts.FEATURES[feature] for feature in want.features
                   if not any(feature in by_name[each['name']].can for each in possible)] or ['this combination']
        raise Refused('provider={0} cannot do {1}. chrony can: use provider=chrony, or leave that out.'.format(
            provider, ', '.join(lacking)))

    def rank(each: Facts) -> Tuple[bool, ...]:
        # A unit whose condition is not met is not started, whatever systemctl says.
        works = each['installed'] and not each['masked'] and not each['condition'] and (each['active'] or each['enabled'])
        chrony = each['name'] == 'chrony'
        return (not each['condition'], works, works and each['active'], works and each['enabled'], each['installed'] and chrony,
                each['installed'] and not each['masked'], chrony)

    best = max(able, key=rank)
    if not best['installed'] and not best['package']:
        raise Refused('No time daemon is installed, and this system has no package for {0}.'.format(best['name']))
    return best


# The whole


class Keeper:
    """One run of the module on one host."""

    def __init__(self, options: Mapping[str, Any], system: System, clock: Clock, check_mode: bool = False) -> None:
        self.options = options
        self.system = system
        self.clock = clock
        self.check_mode = check_mode
        self.want = wanted(options)
        for name, most in (('sync_timeout', 3600), ('sync_tolerance', 1000), ('max_skew', 1e9), ('max_step', 1e12)):
            if not 0 <= float(options[name]) <= most:
                raise Refused('{0}: {1:g} is not a number of seconds from 0 to {2:g}.'.format(
                    name, float(options[name]), most))
        self.units = Units(system)
        self.manager = discovery.package_manager(system)
        self.packages = Packages(system, self.manager or 'apt')
        self.measured: List[Mapping[str, Any]] = []     # the sources of this run's own measurement
        self.journal = Journal(system)
        self.before: List[Facts] = []   # the daemons as they were; before a run that was cut off, if there was one
        self.actions: List[str] = []
        self.effects: List[str] = []    # what makes the daemon read what was changed: reload, take, restart
        self.taken: List[str] = []      # sources that a running daemon was told of
        self.stepped = bool(options['stepped'])
        self.tolerant = options['on_unsynchronized'] == 'ignore'
        self.moved = False              # the daemon was made to correct the clock

    def run(self, set_clock: Optional[Callable[[], Dict[str, Any]]] = None) -> Dict[str, Any]:
        """The module's result. Raises Refused, Busy, KeepFailed, and what set_clock does.

        set_clock measures and sets the clock, or foretells it; its result is that of clock_step. It is called when all has been
        looked at and nothing been changed.
        """
        self.journal.read()
        daemons = discovery.find_daemons(self.system)
        steerers = discovery.steerers(self.system)
        found = daemons + [_as_facts(self.system, each) for each in steerers if each.can_stop]
        self.before = self._as_before(found)
        name = choose(self.before[:len(daemons)], self.options['provider'], self.want)['name']
        chosen = next(each for each in found if each['name'] == name)
        control = discovery.make(self.system, chosen)
        try:
            self._refuse(chosen, control, steerers)
            plan = self._plan(found, chosen)
        except Refused as refused:
            if not refused.soft or self.options['on_unsynchronized'] == 'fail':
                raise
            return self._only_the_clock(chosen, refused, set_clock)
        clock = set_clock() if set_clock else None
        if clock:
            self.stepped = self.stepped or clock['changed']
            self.tolerant = self.tolerant or (self.options['on_unsynchronized'] == 'auto' and _vouched_for(clock['before']))
            control.measured = self.measured = clock['before']['sources']
        try:
            result = self._foretell(plan, control) if self.check_mode else self._keep(plan, control)
        except KeepFailed as failed:
            if clock:   # a clock that was set right stays so
                failed.details.update(clock=_of_step(clock), changed=failed.details['changed'] or clock['changed'])
            raise
        if clock:
            result['changed'] = result['changed'] or clock['changed']
            result['clock'] = _of_step(clock)
            if clock['changed']:
                result['rtc'] = clock['rtc']
                result['diff'].insert(0, dict(clock['diff'], before_header='clock', after_header='clock'))
        return result

    def _only_the_clock(self, chosen: Facts, refused: Refused, set_clock: Optional[Callable[[], Dict[str, Any]]]) -> Dict[str, Any]:
        """No daemon can be made to keep the clock, and nothing of it is changed; the clock itself may be set all the same."""
        clock = set_clock() if set_clock else None
        tolerant = self.tolerant or bool(clock and _vouched_for(clock['before']))
        if not tolerant and not (clock and clock['changed']):
            raise refused
        result: Dict[str, Any] = {
            'changed': bool(clock and clock['changed']), 'provider': chosen['name'], 'unit': chosen['unit'], 'synchronized': False,
            'reason': refused.reason, 'message': 'The clock is right now, but nothing keeps it right: {0}'.format(refused),
            'advice': refused.advice, 'residual_offset': None, 'sources': discovery.make(self.system, chosen).source_names(),
            'actions': [], 'backups': {}, 'recovered': '', 'unmasked': False, 'stopped': [], 'rtc': dict(self.rtc), 'diff': []}
        if clock:
            result['clock'] = _of_step(clock)
            if clock['changed']:
                result['rtc'] = clock['rtc']
                result['diff'] = [dict(clock['diff'], before_header='clock', after_header='clock')]
        if tolerant:
            return result
        raise KeepFailed(str(refused), **{key: value for key, value in result.items() if key not in ('message', 'diff')})

    def _keep(self, plan: Plan, control: Daemon) -> Dict[str, Any]:
        if not (plan.changes or self.journal.found or self.stepped):
            status = control.status()
            if self._good(control, status):
                return self._result(plan, control, status)
            if status.reason == MAY_NOT_BE_ASKED:
                # It may work well: it is not restarted for its silence.
                if self.tolerant:
                    return self._result(plan, control, status)
                message = '{0}: {1}, so that nothing shows that it keeps the clock. Nothing was changed. {2}'.format(
                    control.unit, status.msg, status.advice)
                raise KeepFailed(message, actions=[], journal=[], restored=True, problems=[], reason=status.reason,
                                 advice=status.advice, provider=plan.daemon['name'], unit=control.unit, synchronized=False,
                                 changed=False)
        return self._perform(plan, control)

    # looking

    def _as_before(self, found: List[Facts]) -> List[Facts]:
        former = {each['name']: each for each in self.journal.state.get('daemons', [])}
        return [dict(each, **{key: former[each['name']][key] for key in ('active', 'enabled', 'masked')})
                if each['installed'] and former.get(each['name'], {}).get('installed') else each for each in found]

    def _refuse(self, chosen: Facts, control: Daemon, steerers: List[Any]) -> None:
        """Raises Refused for what is in the way of everything, while nothing is changed yet."""
        owner = self.clock.owner()
        if owner:
            raise Refused('{0} A time daemon could not set it here. Nothing was changed.'.format(owner))
        if chosen['condition']:
            raise Refused('systemd does not start {0}: {1} is not met.'.format(chosen['unit'], chosen['condition']),
                          'Use another provider, or see that it is met. Nothing was changed.')
        if not chosen['installed'] and not self.manager:
            raise Refused('The package {0} cannot be installed: {1}.'.format(
                chosen['package'], discovery.why_no_packages(self.system)), 'Nothing was changed.')
        lasting = [each for each in steerers if not each.can_stop]
        if lasting:
            raise Refused('{0} also sets this clock ({1}), and this role does not stop it.'.format(
                lasting[0].name, lasting[0].place), lasting[0].advice, ANOTHER_STEERS)
        control.check_against(self.want)
        complaint = control.complaint() if chosen['installed'] and not self.journal.found else ''
        if complaint:
            raise Refused('{0} does not accept its configuration: {1}. That is not of this role. Correct it, and run again. '
                          'Nothing was changed.'.format(chosen['unit'], complaint.rstrip('.')))

    def _plan(self, found: List[Facts], chosen: Facts) -> Plan:
        """What is to be done, by the host as it is now."""
        package = '' if chosen['installed'] else chosen['package']
        others = [each for each in found if each['name'] != chosen['name'] and each['unit'] != chosen['unit']]
        competitors = [each for each in others if each['active'] or (each['installed'] and each['enabled'])]
        replaced = [each for each in others if each['installed']] if package and self.packages.manager.fetch else []
        files = []
        for file in discovery.make(self.system, chosen).files(self.want):
            before = self.system.text(file.path)
            after = texts.current(file, before)
            if before != after and not (before is None and not after):
                files.append((file, before, after))
        return Plan(chosen, package, replaced, files, chosen['masked'], not chosen['enabled'], not chosen['active'],
                    [each for each in competitors if each not in replaced])

    def _good(self, control: Daemon, status: Status) -> bool:
        most = max(float(self.options['sync_tolerance']), control.slews_below)
        return status.synchronized and abs(status.residual_offset) <= most

    def _foretell(self, plan: Plan, control: Daemon) -> Dict[str, Any]:
        status = control.status() if plan.daemon['active'] else None
        result = self._result(plan, control, status)
        changed = plan.changes or self.journal.found
        actions = ['finish what a run of {0} had begun'.format(self.journal.state['begun'])] if self.journal.found else []
        result.update(changed=changed, actions=['would ' + sentence for sentence in actions + plan.sentences],
                      synchronized=bool(not changed and status and self._good(control, status)))
        if changed:
            result['message'] = 'Check mode: a run {0}.'.format('; '.join(result['actions']))
        return result

    # doing

    def _perform(self, plan: Plan, control: Daemon) -> Dict[str, Any]:
        try:
            self.journal.open(daemons=self.before)
        except OSError as error:
            raise Refused('What there is could not be written down, so nothing was changed: {0}'.format(error)) from error
        finishing = self.journal.found
        self.before = self.journal.state['daemons']
        first = plan
        try:
            plan = self._take_up(plan)
            if plan.package:
                plan, control = self._install(plan)
            self._write(plan, control)
            self._stop(plan)
            fresh = self._start(plan, control)
            status = self._wait(plan, control)
        except Exception as error:      # whatever it is, the host comes first
            raise self._put_back(plan, control, error) from error
        good = self._good(control, status)
        if good and not self.stepped and (fresh or self.moved):
            self.rtc = self.clock.write_rtc()
        backups = {file.path: file.path + '.before-' + texts.OWN_NAME for file, before, _after in plan.files
                   if file.block and before is not None and texts.BLOCK_BEGIN not in before}
        self.journal.close(backups)
        shown = first._replace(files=plan.files, competitors=first.competitors + [
            each for each in plan.competitors if each['name'] not in [one['name'] for one in first.competitors]])
        result = self._result(shown, control, status)
        result.update(changed=first.changes or finishing or self.moved, actions=self.actions, backups=backups)
        if finishing:
            result['recovered'] = ('A run of {0} was cut off half-way on this host. This one has finished what it had begun.'
                                   .format(self.begun))
        return result

    rtc: Mapping[str, Any] = {'device': '', 'written': False, 'reason': 'The daemon has not set the clock.'}
    begun = ''

    def _take_up(self, plan: Plan) -> Plan:
        """Of a run that was cut off, undo what is not asked for any more, and mend what it left broken."""
        self.begun = self.journal.state['begun']
        if not self.journal.found:
            return plan
        self.actions.append('finish what a run of {0} had begun'.format(self.begun))
        if self.journal.state['doing'] == 'package':
            self.packages.mend()
            name = plan.daemon['package']
            if name and not self.packages.states().get(name, '').startswith('ii'):
                plan = plan._replace(package=name)      # its files may be there, but not all of them
        asked = [file.path for file in discovery.make(self.system, plan.daemon).files(self.want)]
        for path in self.journal.state['files']:
            if path not in asked:
                self.journal.put_file_back(path)
        self.effects.append('restart')
        return plan

    def _install(self, plan: Plan) -> Tuple[Plan, Daemon]:
        """The daemon's package; then the host is looked at again, for a package brings units and configuration."""
        if self.journal.state['packages'] is None:
            self.journal.note(packages=self.packages.states())
        self.journal.note(doing='package')
        self.packages.fetch([each['package'] for each in plan.replaced])
        self.actions.append(plan.sentences[0])
        done = self.packages.install(plan.package)
        if done.code:
            raise Failure('Install the package of the daemon', '{0}: {1}'.format(plan.package, done.complaint[:600]),
                          'see that this host reaches its package sources')
        self.journal.note(doing='')
        found = discovery.find_daemons(self.system)
        found += [_as_facts(self.system, each) for each in discovery.steerers(self.system) if each.can_stop]
        chosen = next(each for each in found if each['name'] == plan.daemon['name'])
        if not chosen['installed']:
            raise Failure('Install the package of the daemon', 'the package {0} brought no {1}'.format(
                plan.package, plan.daemon['unit']))
        return self._plan(found, chosen), discovery.make(self.system, chosen, self.measured)

    def _write(self, plan: Plan, control: Daemon) -> None:
        for file, before, after in plan.files:
            self.actions.append(plan.file_sentence(file, before, after))
            try:
                self.journal.keep_file(file.path)
                if after is None:
                    self.system.remove(file.path)
                else:
                    self.system.write(file.path, after, 0o640 if file.secret else 0o644, control.keys_group if file.secret else '')
            except OSError as error:
                raise Failure('Write {0}'.format(file.path), str(error)) from error
            sources = texts.new_sources(before, after) if file.effect == 'restart' else None
            self.taken += sources or []
            self.effects.append(file.effect if sources is None else 'take')
        if plan.start or {'restart', 'take'} & set(self.effects):
            complaint = control.complaint()
            if complaint:
                raise Failure('Let {0} check its configuration'.format(plan.daemon['unit']), complaint)

    def _stop(self, plan: Plan) -> None:
        """The daemons that would fight the chosen one. One that is not there any more is no error."""
        units = [each['unit'] for each in plan.competitors]
        if not units:
            return
        self.actions += ['stop and disable {0}'.format(unit) for unit in units]
        said = self.units.verb('disable', [each['unit'] for each in plan.competitors if not each['masked']], '--now') \
            or self.units.verb('stop', [each['unit'] for each in plan.competitors if each['masked']])
        if said:
            states = unit_states(self.system, units)
            left = [unit for unit in units if states.get(unit, {}).get('ActiveState') == 'active'
                    or states.get(unit, {}).get('UnitFileState') == 'enabled']
            if left:
                raise Failure('Stop and disable {0}'.format(', '.join(left)), said)

    def _start(self, plan: Plan, control: Daemon) -> bool:
        """Unmask, enable, start; or make a running daemon read what is new. Returns whether it measures from scratch now."""
        unit = [plan.daemon['unit']]
        if plan.unmask:
            self._order('unmask', unit)
        if plan.enable:
            self._order('enable', unit)
        if plan.start:
            self.units.verb('reset-failed', unit)
            self._order('start', unit)
            return True
        if 'restart' in self.effects:
            self._order('restart', unit)
            return True
        new_sources = bool(self.effects)
        if new_sources:
            self.actions.append('let {0} know its new sources'.format(unit[0]))
            if not (control.add_sources(self.taken) and ('reload' not in self.effects or control.reload_sources())):
                self.effects.append('restart')
                self._order('restart', unit)
                return True
        status = control.status()
        if self.stepped or not (new_sources or status.synchronized or status.reason == MAY_NOT_BE_ASKED):
            # What was measured on a clock that was set meanwhile would mislead it; what does not answer is asked soon.
            if not control.reset_measurements():
                self._order('restart', unit)
            return True
        return new_sources

    def _order(self, verb: str, units: List[str]) -> None:
        self.actions.append('{0} {1}'.format(verb, units[0]))
        said = self.units.verb(verb, units)
        if said:
            raise Failure('{0} {1}'.format(verb.capitalize(), units[0]), said)

    def _wait(self, plan: Plan, control: Daemon) -> Status:
        """Until the daemon is synchronised and has hardly anything left to correct. Unsynchronised may be tolerated."""
        doing = 'Wait until the daemon has corrected the clock'
        unit = plan.daemon['unit']
        began = self.system.now()
        again = False       # what a daemon is told once
        while True:
            status = control.status()
            waited = self.system.now() - began
            late = waited > float(self.options['sync_timeout'])
            settled = self._good(control, status) or (self.tolerant and not status.synchronized and (
                late or not status.answered and waited > control.patience))
            unread = control.reads_ours() if settled else ''
            if settled and not unread:
                return status
            if status.reason == NOT_RUNNING and waited > 2:
                raise Failure(doing, '{0} does not run any more: {1}'.format(unit, status.msg), status.advice)
            if status.synchronized and abs(status.residual_offset) > float(self.options['max_skew']) and not again:
                self._step(control, status)
                again = True
            elif status.stepped and not again:
                # ntpd asks again only after a minute once it has stepped.
                self._order('restart', [unit])
                self.moved = again = True
            if late:
                raise Failure(doing, 'after {0:g} s {1}'.format(float(self.options['sync_timeout']), unread or (
                    'it is ' + status.msg if status.synchronized else status.msg)), status.advice)
            self.system.sleep(_PAUSE)

    def _step(self, control: Daemon, status: Status) -> None:
        most = float(self.options['max_step'])
        if most and abs(status.residual_offset) > most:
            raise Failure('Correct the clock', 'it is {0:+.3f} s off, more than max_step allows ({1:g} s)'.format(
                status.residual_offset, most), 'raise max_step if such a step is wanted')
        if control.step():
            self.actions.append('step the clock by {0:+.3f} s'.format(status.residual_offset))
            self.moved = True

    # going back

    def _put_back(self, plan: Plan, control: Daemon, error: Exception) -> KeepFailed:
        """Everything as it was, as far as that can be done; the failure to raise."""
        unit = plan.daemon['unit']
        said = self.units.journal(unit)
        problems: List[str] = []
        try:
            problems = self._undo(plan, control)
        except Exception as trouble:    # one trouble more must not hide the first
            problems.append('{0}: {1}'.format(type(trouble).__name__, trouble))
        what = str(error) if isinstance(error, Failure) else '{0}: {1}'.format(type(error).__name__, error)
        next_step = getattr(error, 'next_step', '') or 'see journalctl -b -u {0}'.format(unit)
        next_step = next_step if next_step.endswith('.') else next_step + ', then run again.'
        if problems:
            self.journal.unlock()
            back = 'Not everything could be put back: {0}. The next run tries that again'.format('; '.join(problems))
        else:
            self.journal.close({})
            back = 'Sources and daemons were put back as they were'
        message = ('Could not keep this host\'s clock right with {0}: {1}. Tried: {2}. {3}. Next: {4} '
                   'Journal: {5}').format(
            unit, what, '; '.join(self.actions) or 'nothing yet', back, next_step, ' | '.join(said) or 'empty')
        return KeepFailed(self._hide(message), actions=self.actions, journal=[self._hide(line) for line in said],
                          restored=not problems, problems=[self._hide(each) for each in problems],
                          provider=plan.daemon['name'], unit=unit, synchronized=False, changed=bool(problems))

    def _undo(self, plan: Plan, control: Daemon) -> List[str]:
        before = [each for each in self.before if each['installed']]
        was = next((each for each in before if each['name'] == plan.daemon['name']), None)
        unit = plan.daemon['unit']
        if not (was and was['active']):
            self.units.verb('stop', [unit])
        # The files first: a folder with a file of ours in it would outlast its package.
        problems = self.journal.put_files_back()
        if self.journal.state['packages'] is not None:
            if self.journal.state['doing'] == 'package':
                self.packages.mend()
            problems += self.packages.put_back(self.journal.state['packages'])
        problems += self._states_back(before)
        if was and was['active'] and self.effects:
            forgotten = 'restart' not in self.effects and control.remove_sources(self.taken) \
                and ('reload' not in self.effects or control.reload_sources())
            problems += [] if forgotten else self._try('restart', [unit])
        ran = [each['unit'] for each in before if each['active']]
        if not was or was['masked']:    # else it would stay in the list of what has failed
            self.units.verb('reset-failed', [unit])
        # Better a daemon that was not asked for than none, where the host had one.
        if problems and ran and not any(self.units.active(each) for each in ran) and not self.units.verb('enable', [unit], '--now'):
            problems.append('{0} was left running, so that the host is not without a daemon'.format(unit))
        return problems

    def _states_back(self, before: List[Facts]) -> List[str]:
        """Enabled, masked, running: as they were."""
        units = [each['unit'] for each in before]
        if not units:
            return []
        states = unit_states(self.system, units)
        problems = []
        for each in before:
            now = states.get(each['unit'], {}).get('UnitFileState', '')
            if each['masked']:
                problems += self._try('disable', [each['unit']]) if now == 'enabled' else []
                problems += self._try('mask', [each['unit']]) if not now.startswith('masked') else []
            elif each['enabled'] != (now in STARTS_AT_BOOT):
                problems += self._try('enable' if each['enabled'] else 'disable', [each['unit']])
        if self.journal.put_links_back(units):
            problems += self._try('daemon-reload', [])
        problems += self._try('stop', [each['unit'] for each in before if not each['active']
                                       and states.get(each['unit'], {}).get('ActiveState') == 'active'])
        return problems + self._try('start', [each['unit'] for each in before if each['active']
                                              and states.get(each['unit'], {}).get('ActiveState') != 'active'])

    def _try(self, verb: str, units: List[str]) -> List[str]:
        said = self.units.verb(verb, units) if units or verb == 'daemon-reload' else None
        return ['systemctl {0} {1}: {2}'.format(verb, ' '.join(units), said)] if said else []

    # saying

    def _hide(self, text: str) -> str:
        for secret in sorted(self.want.secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def _result(self, plan: Plan, control: Daemon, status: Optional[Status]) -> Dict[str, Any]:
        unit = plan.daemon['unit']
        good = bool(status and self._good(control, status))
        if good:
            message = 'The clock is kept right by {0}: {1}.'.format(unit, status.msg if status else '')
        elif status:
            message = 'The clock is right now, but nothing keeps it right: {0} is configured and enabled, but {1}. {2}'.format(
                unit, status.msg, status.advice)
        else:
            message = 'Nothing keeps the clock right: {0} does not run.'.format(unit)
        pushers = discovery.time_pushers(self.system, only_pushing=True)
        if pushers:
            message += ' Beside it this clock is set by {0}.'.format(', '.join(pushers))
        return {
            'changed': False, 'provider': plan.daemon['name'], 'unit': unit, 'synchronized': good, 'message': message.rstrip(),
            'reason': '' if good or not status else status.reason, 'advice': '' if good or not status else status.advice,
            'residual_offset': round(status.residual_offset, 6) if status and status.synchronized else None,
            'sources': discovery.make(self.system, plan.daemon).source_names(),
            'actions': [], 'backups': {}, 'recovered': '', 'unmasked': plan.unmask,
            'stopped': [each['unit'] for each in plan.competitors + [one for one in plan.replaced if one['active']]],
            'rtc': dict(self.rtc), 'diff': plan.diff(),
        }
