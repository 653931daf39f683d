# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stories with a second actor: between any two calls of a run another administrator acts, something fails, or the run is ended.

Beside the host there is a shadow of it: the same host, on which the others do the same and no run takes place. After a run that
failed, host and shadow differ in nothing that the result does not name. AEMOPS_STORIES is the number of stories (make stories).
"""

import copy
import os
import shutil
import tempfile

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done
from ansible_collections.aemops.brand_portal.plugins.module_utils._common.stop_request import StopRequest
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.statedir import LOG, STATE, interrupted
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.absent import Absent
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.present import HostClock, Present
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.result import TimeServiceFailed
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.time_service.run import FOLDER
from ansible_collections.aemops.brand_portal.plugins.module_utils._host.undo_log import LAST_RUN
from ansible_collections.aemops.brand_portal.tests.unit.plugins.module_utils._host.hosts import CHRONY_DEBIAN, NTPSEC, FakeHost

STORIES = int(os.environ.get('AEMOPS_STORIES') or 25)

OPTIONS = {'provider': 'auto', 'servers': [], 'pools': [], 'nts_servers': [], 'keys': [], 'cloud': 'none', 'max_distance': 0.0,
           'max_skew': 5.0, 'max_step': 0.0, 'sync_tolerance': 0.02, 'sync_timeout': 3, 'on_unsynchronized': 'fail'}
# Seconds. Waiting is short, so that a rollback makes as many calls as the run before it.
SYNCHRONIZED = 1.0
SOURCES = '/etc/chrony/sources.d/aemops-brand-portal.sources'
OURS = (SOURCES, '/etc/ntpsec/ntp.d/aemops-brand-portal.conf', '/etc/systemd/timesyncd.conf.d/aemops-brand-portal.conf',
        '/etc/chrony/conf.d/aemops-brand-portal.conf')
EDITED = ('/etc/chrony/chrony.conf', '/etc/ntpsec/ntp.conf', SOURCES)
# Empty ones come and go, and that is no act: state=absent clears them away, and so does purging a package; dpkg leaves them where
# others remove the package while our file is below them.
FOLDERS = tuple(os.path.dirname(path) for path in OURS) + ('/etc/chrony', '/etc/ntpsec')
UNITS = ('chrony.service', 'ntpsec.service', 'systemd-timesyncd.service', 'openntpd.service')
# Packages of time daemons: what a run may install, and what that may replace.
DAEMONS = ('chrony', 'ntpsec', 'systemd-timesyncd', 'openntpd')


def acts(command):
    """Whether this command changes units or packages."""
    if command[0] == 'systemctl':
        return command[1] not in ('show', 'daemon-reload', 'reset-failed')
    return command[0] == 'apt-get' and not {'--simulate', '--download-only', 'update'} & set(command)


class PowerCut(BaseException):
    """Nothing of the program runs any more."""


class Host(FakeHost):
    """A host that tells each call that a run makes, before it is done."""

    def __init__(self, root, *rest):
        self.before_call, self._inside, self.chapter = None, False, 0
        super().__init__(root, *rest)
        self.available = dict(self.available, ntpsec={'/etc/ntpsec/ntp.conf': NTPSEC}, **{'systemd-timesyncd': {}})
        self.depends = {'site-monitor': 'chrony'}

    def _called(self, name, do, *arguments, **more):
        if self._inside or self.before_call is None:
            return do(*arguments, **more)
        self._inside = True
        try:
            answer = self.before_call(name, arguments)
            return do(*arguments, **more) if answer is None else answer
        finally:
            self._inside = False

    def execute(self, command, timeout=100.0, environment=None):
        return self._called('execute', super().execute, command, timeout, environment)

    def write(self, *arguments, **more):
        return self._called('write', super().write, *arguments, **more)

    def remove(self, path):
        return self._called('remove', super().remove, path)

    def copy(self, path, kept):
        return self._called('copy', super().copy, path, kept)

    def shadow(self, root):
        made = copy.copy(self)
        made.before_call, made.root = None, root
        for name, value in vars(self).items():
            if isinstance(value, (dict, list, set)):
                setattr(made, name, copy.deepcopy(value))
        made.run = lambda command: made.execute(command).out
        shutil.copytree(self.root, root, symlinks=True)
        return made

    def state(self):
        """{path, package or unit: its state}, but for what this collection keeps about itself."""
        found = {path: text for path, text in self.tree().items() if not path.startswith(STATE)}
        found.update({'package ' + name: name in self.packages for name in self.packages})
        found.update({unit: list(known) for unit, known in self.units.items()})
        return found


def install(name):
    def act(host):
        come, go = host._transaction([name] + (['chrony'] if name == 'site-monitor' else []), [])
        if name not in host.packages:
            host._change(come, go, False)
    return act


def uninstall(name):
    def act(host):
        host._change([], host._transaction([], [name])[1], True)
    return act


def edit(path):
    def act(host):
        # Edits of two chapters differ: a file that we have rewritten, with a later edit, is not the file with the earlier one.
        if host.text(path) is not None:
            host.put(path, f'{host.text(path)}# theirs {host.chapter}\n')
    return act


def create(host):
    host.put('/etc/chrony/conf.d/theirs.conf', '# theirs\n')


def upgrade(host):
    host.versions['chrony'] = '2.0'


def verb(word, unit):
    def act(host):
        if unit in host.units:
            host._systemctl([word, unit])
    return act


THEIRS = {'install ' + name: install(name) for name in ('nginx', 'site-monitor', 'openntpd', 'ntpsec')}
THEIRS.update({'remove ' + name: uninstall(name) for name in ('nginx', 'site-monitor', 'chrony', 'systemd-timesyncd', 'openntpd')})
THEIRS.update({'edit ' + path: edit(path) for path in EDITED})
THEIRS.update({'create a file': create, 'upgrade chrony': upgrade})
VERBS = {'{0} {1}'.format(word, unit): verb(word, unit) for word in ('enable', 'disable', 'mask', 'unmask', 'start', 'stop')
         for unit in UNITS}
THEIRS.update(VERBS)

EVENTS = st.lists(st.tuples(
    st.integers(0, 90),
    st.one_of(st.sampled_from(sorted(THEIRS)), st.sampled_from(['kill', 'signal', 'fail', 'full', 'another run']))), max_size=4)
WISHES = st.fixed_dictionaries({
    'provider': st.sampled_from(['auto', 'chrony', 'ntpd']),
    'servers': st.sampled_from([[], ['192.0.2.1'], ['192.0.2.1', '192.0.2.2']]),
    'max_distance': st.sampled_from([0.0, 1.5]),
})


class Stories(RuleBasedStateMachine):
    """Each rule is a chapter: the others act, or a run takes place in which they act."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix='stories')
        self.count = 0
        self.told = ''
        self.chapter = 0
        self.shadow = None      # of the host as it was before the first run that was cut off
        self.replaced = set()   # packages that they replaced on the shadow only: on the host, the run had replaced them before

    def teardown(self):
        try:
            if hasattr(self, 'host'):
                self.ends_well()
        finally:
            shutil.rmtree(self.folder)

    @initialize(has=st.lists(st.sampled_from(['chrony', 'ntpsec', 'systemd-timesyncd', 'openntpd']), max_size=2, unique=True),
                masked=st.booleans())
    def begin(self, has, masked):
        self.host = Host(os.path.join(self.folder, 'host'))
        for unit in has:
            self.host.has(unit)
            for path, text in self.host.available.get(unit, {}).items():
                self.host.put(path, text)
        if masked and has:
            self.host.units[has[0] + '.service'] = ['inactive', 'masked']

    def fresh_shadow(self):
        self.count += 1
        return self.host.shadow(os.path.join(self.folder, 'shadow{0}'.format(self.count)))

    def they_act(self, what):
        before, before_packages, units = self.host.state(), set(self.host.packages), set(self.host.units)
        for each in (self.host, self.shadow):
            if each is not None:
                each.chapter = self.chapter
        THEIRS[what](self.host)
        # What has no effect, such as removing what is not there, would have one on the shadow.
        if self.shadow is not None and self.host.state() != before:
            known, packages = set(self.shadow.units), set(self.shadow.packages)
            THEIRS[what](self.shadow)
            self.replaced |= packages - set(self.shadow.packages) - (before_packages - set(self.host.packages))
            # A package that they install again, after the run has replaced it, brings its unit in the state of a new one. On the
            # shadow it is installed all the time.
            for unit in (set(self.host.units) - units) & known & set(self.shadow.units):
                self.shadow.units[unit] = list(self.host.units[unit])
            # They could start a unit that the run had just unmasked; it goes on running when it is masked again.
            unit = what.replace('start ', '')
            if unit in self.shadow.units and unit in self.host.units:
                self.shadow.units[unit][0] = self.host.units[unit][0]

    @rule(what=st.sampled_from(sorted(THEIRS)))
    def others(self, what):
        self.chapter += 1
        self.they_act(what)

    @rule(wishes=WISHES, events=EVENTS, synchronizes=st.booleans(), absent=st.booleans())
    def a_run(self, wishes, events, synchronizes, absent):
        self.chapter += 1
        self.shadow = self.shadow or self.fresh_shadow()
        stop, calls, ended = StopRequest(), [0], []
        pending = sorted(events)

        def before_call(name, arguments):
            calls[0] += 1
            if name == 'execute' and acts(arguments[0]):
                # What others do between the last look and the act itself is no program's to see: here it comes after the act. A
                # unit that a package brings back gets its state a few calls later: stopped before, it looks like not started.
                after = {False: calls[0] + 1, True: calls[0] + (8 if arguments[0][0] == 'apt-get' else 1)}
                pending[:] = [(max(at, after[what in VERBS]) if what in THEIRS else at, what) for at, what in pending]
                pending.sort()
            while pending and pending[0][0] <= calls[0]:
                what = pending.pop(0)[1]
                if what in THEIRS:
                    self.they_act(what)
                elif what == 'kill':
                    raise PowerCut
                elif what == 'signal':
                    stop.name = stop.name or 'SIGTERM'
                elif what == 'another run':
                    self.is_refused()
                elif what == 'fail' and name == 'execute':
                    return Done(1, '', 'it fails')
                elif what == 'full' and name in ('write', 'copy'):
                    raise OSError(28, 'No space left on device')
            return None

        host = self.host
        host.synchronised_after = SYNCHRONIZED if synchronizes else None
        host.began = host.time
        run = Absent(host, False, stop) if absent else present(host, stop, **wishes)
        host.before_call = before_call
        try:
            result = run.run()
        except PowerCut:
            ended.append('killed')
        except TimeServiceFailed as failed:
            result = failed.details
            ended.append('failed')
        finally:
            host.before_call = None
        if 'killed' in ended:
            # What it has settled before is told by the record that it has left, as its result is lost.
            log = host.text(FOLDER + '/' + LOG) or ''
            self.told += (host.text(LAST_RUN) or '') + (log if '"ended"' in log else '')
            return
        self.check(result, 'failed' in ended)
        self.shadow, self.replaced, self.told = None, set(), ''

    def is_refused(self):
        inside, self.host.before_call = self.host.before_call, None
        try:
            present(self.host, StopRequest()).run()
        except TimeServiceFailed as failed:
            assert 'Another run' in str(failed)
            assert failed.details['changed'] is False
        else:
            raise AssertionError('two runs at once')
        finally:
            self.host.before_call = inside

    def check(self, result, failed):
        host, shadow = self.host, self.shadow
        real, other = host.state(), shadow.state()
        assert interrupted(host.path(STATE)) == [], 'every run ends with an empty log'
        assert not [path for path in host.tree() if '.aemops-' in path]
        # What is not a time daemon's is never touched.
        for name in ('nginx', 'site-monitor'):
            assert (name in host.packages) == (name in shadow.packages), name
        for path, text in other.items():
            if path.startswith('/') and '# theirs' in str(text) and path not in OURS:
                assert '# theirs' in (real.get(path) or ''), 'an edit of {0} is lost'.format(path)
        acts = [act for act in result['acts'] if act['done'] and not act['undone']]
        left = ' '.join(result['problems'])
        if not result['problems'] and failed:
            assert result['changed'] == bool(acts or result['recovered']), (result['acts'], result['recovered'])
        # What the run has replaced it brings back, also where the others would have replaced it themselves a moment later.
        differing = {name for name in set(real) | set(other)
                     if real.get(name) != other.get(name) and not any(package in name for package in self.replaced)}
        named = left + self.told + ' '.join(act['target'] for act in acts) + ' ' + ' '.join(result['disabled'])
        if any(act['act'] == 'packages' for act in acts) or 'the package ' in left or '"packages"' in self.told:
            # A package of a time daemon brings or takes its configuration, its unit, and what it replaces.
            differing = {name for name in differing if not any(daemon in name for daemon in DAEMONS)}
        unnamed = [name for name in sorted(differing) if name.replace('package ', '') not in named and not (
            name in FOLDERS and not any(path.startswith(name + '/') for path in {**real, **other}))]
        assert not unnamed, 'chapter {0}: not named in "{1}":{2}'.format(self.chapter, named, ''.join(
            '\n{0}: {1!r}, without the run {2!r}'.format(name, real.get(name), other.get(name)) for name in unnamed))

    def ends_well(self):
        """The next run that nothing disturbs succeeds, or says what others have to do first; the one after it changes nothing."""
        host = self.host
        host.synchronised_after, host.began = SYNCHRONIZED, host.time
        result = present(host, StopRequest(), servers=['192.0.2.1']).run()
        assert result['synchronized'] is True
        assert interrupted(host.path(STATE)) == []
        again = present(host, StopRequest(), servers=['192.0.2.1']).run()
        assert (again['changed'], again['acts']) == (False, [])


def present(host, stop, **wishes):
    clock = HostClock(lambda: '', lambda: {'device': '/dev/rtc', 'written': True, 'reason': ''})
    return Present(dict(OPTIONS, **wishes), host, clock, False, stop)


TestStories = Stories.TestCase
# Without shrinking, which takes minutes: a story is short anyway. The few of every run of the tests are always the same ones.
TestStories.settings = settings(max_examples=STORIES, stateful_step_count=5, deadline=None, database=None,
                                derandomize='AEMOPS_STORIES' not in os.environ,
                                phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def test_the_shadow_is_a_host_of_its_own(tmp_path):
    host = Host(str(tmp_path / 'host')).has('chrony')
    host.put('/etc/chrony/chrony.conf', CHRONY_DEBIAN)
    shadow = host.shadow(str(tmp_path / 'shadow'))
    before = shadow.state()
    install('nginx')(host)
    edit('/etc/chrony/chrony.conf')(host)
    verb('stop', 'chrony.service')(host)
    assert shadow.state() == before != host.state()
