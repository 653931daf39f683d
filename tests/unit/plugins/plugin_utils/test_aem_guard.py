# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with AEM around a step: by its repository, its unit, the user's options and the time of day."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.aemops.brand_portal.plugins.plugin_utils._aem_guard import complaints, guard, in_window

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
AEM = {'unit': 'aem.service', 'pid': 8, 'store': 'document', 'lease_check': 'strict', 'evidence': 'run mode crx3mongo',
       'stoppable': True, 'reason': '', 'advice': ''}
IN_A_SESSION = {'unit': '', 'stoppable': False, 'reason': 'it runs in a session', 'advice': 'give commands'}
COMMANDS = {'aem_stop_command': '/opt/aem/stop now', 'aem_start_command': "su - aem -c '/opt/aem/start'"}


def decided(offset=7200.0, state='ok', now=NOON, found=None, **options):
    return guard(offset, state, {**AEM, **(found or {})}, {'aem_service': 'auto', **options}, now)


@pytest.mark.parametrize('store', ['document', 'segment', 'unknown'])
@pytest.mark.parametrize('unknown_store', ['step', 'stop'])
@pytest.mark.parametrize('stoppable', [True, False])
@pytest.mark.parametrize('commands', [{}, COMMANDS])
def test_every_combination(store, unknown_store, stoppable, commands):
    made = decided(found={'store': store, **({} if stoppable else IN_A_SESSION)}, aem_unknown_store=unknown_store, **commands)
    to_stop = store == 'document' or (store == 'unknown' and unknown_store == 'stop')
    assert bool(made.units or made.program or made.state) is to_stop
    if to_stop:
        assert made.program == ({'stop': ['/opt/aem/stop', 'now'], 'start': ['su', '-', 'aem', '-c', '/opt/aem/start'], 'pid': 8}
                                if commands else {})
        assert made.units == (['aem.service'] if stoppable and not commands else [])
        assert (made.state == 'cannot_stop_aem') is not (stoppable or commands != {})
        assert made.note or 'it runs in a session' in made.why
    assert bool(made.warning) is (store == 'unknown' and not to_stop)
    if made.warning:
        assert ('it runs in a session' if not stoppable else 'the repository of AEM is not known') in made.warning
    assert ('is not stopped for the step' in made.note) is (store == 'segment')


def test_a_name_or_nothing_still_decide():
    assert decided(found={'store': 'segment'}, aem_service='cq5.service').units == ['cq5.service']
    assert 'fix_bp_jwt_aem_service is empty' in decided(found={'store': 'segment'}, aem_service='').warning
    assert decided(state='unreachable', aem_service='') == decided(state='unreachable', found={'pid': 0})


def test_an_aem_that_answers_and_is_not_on_this_host_is_warned_of():
    made = decided(found={'pid': 0, 'store': 'unknown', **IN_A_SESSION, 'reason': 'AEM runs in a container'})
    assert 'AEM runs in a container' in made.warning and made.units == []


NOTHING = {'pid': 0, 'unit': '', 'store': 'unknown', 'evidence': '', 'stoppable': False,
           'reason': 'no process of this host listens on port 4502', 'advice': 'start AEM'}
OTHER = {'pid': 9, 'home': '/opt/two/crx-quickstart', 'unit': 'two.service', 'store': 'document', 'evidence': 'run mode crx3mongo'}


def test_another_aem_on_a_document_store_is_stopped_too():
    made = decided(found={'others': [OTHER]})
    assert (made.units, made.state, made.warning) == (['aem.service', 'two.service'], '', '')
    assert 'two.service is stopped around the step, because the AEM in /opt/two/crx-quickstart (PID 9), which was' in made.note
    made = decided(found={'store': 'segment', 'others': [OTHER]})
    assert (made.units, 'AEM is not stopped for the step' in made.note) == (['two.service'], True)
    made = decided(found={'store': 'segment', 'others': [{**OTHER, 'store': 'segment'}]})
    assert (made.units, made.warning) == ([], '')
    assert decided(found={'others': [OTHER], **IN_A_SESSION}).state == 'cannot_stop_aem'
    assert decided(found={'store': 'segment', 'others': [OTHER]}, may_stop_aem=False).state == 'stop_deferred'
    made = decided(found={'others': [OTHER]}, **COMMANDS)
    assert (made.units, bool(made.program)) == (['two.service'], True)


def test_another_aem_on_a_document_store_that_cannot_be_stopped_is_not_ended():
    made = decided(found={'store': 'segment', 'others': [{**OTHER, 'unit': ''}]})
    assert made.state == 'cannot_stop_aem'
    assert made.why == (
        'the AEM in /opt/two/crx-quickstart (PID 9), which was not found at fix_bp_jwt_aem_url, runs on a document store '
        '(run mode crx3mongo), and no systemd unit runs it alone, so it cannot be stopped around the step of 2 h')
    assert made.next_step.startswith('stop it, run again')


@pytest.mark.parametrize('state', ['ok', 'unreachable'])
def test_an_aem_that_the_address_does_not_lead_to_is_protected(state):
    """Behind a proxy, at another port, or at another address of the host."""
    made = decided(state=state, found={**NOTHING, 'others': [OTHER]})
    assert (made.units, made.warning) == (['two.service'], '')
    made = decided(state=state, found={**NOTHING, 'others': [{**OTHER, 'store': 'unknown'}]})
    assert made.units == []
    assert 'under the AEM in /opt/two/crx-quickstart (PID 9), which was not found at fix_bp_jwt_aem_url. If it has' in made.warning
    assert ('no process of this host listens' in made.warning) is (state == 'ok')
    unknown = {**NOTHING, 'others': [{**OTHER, 'store': 'unknown'}]}
    assert decided(state=state, found=unknown, aem_unknown_store='stop').units == (['two.service'] if state != 'ok' else [])
    assert decided(state='unreachable', found={**NOTHING, 'others': []}).warning == ''


@pytest.mark.parametrize('options, why', [
    ({'may_stop_aem': False}, 'fix_bp_jwt_may_stop_aem=false'),
    ({'stop_window': '22:00-05:00'}, 'it is 12:00 in UTC'),
    ({'stop_window': '02:00-04:00', 'stop_window_zone': 'Asia/Tokyo'}, 'it is 21:00 in Asia/Tokyo'),
    ({'stop_window': '02:00-04:00', 'stop_window_zone': ''}, 'it is 12:00 in UTC'),
    ({'stop_window': '22:00-05:00', 'stop_window_zone': 'Pacific/Auckland'}, ''),      # 01:00 there
    ({'stop_window': '11:00-12:01'}, ''),
    ({}, ''),
])
@pytest.mark.parametrize('by', [{}, COMMANDS, {'aem_service': 'cq5'}])
def test_aem_is_stopped_only_when_it_may_be(options, why, by):
    made = decided(**by, **options)
    assert (made.state, why in made.why) == ('stop_deferred' if why else '', True)
    # Another look in the middle of a repair, when the window has closed, does not lose what is to be stopped.
    assert made.units or made.program


@pytest.mark.parametrize('store, unknown_store', [('segment', 'step'), ('unknown', 'step')])
def test_what_needs_no_stop_is_done_at_any_time(store, unknown_store):
    never = {'may_stop_aem': False, 'stop_window': '22:00-23:00'}
    assert decided(found={'store': store}, aem_unknown_store=unknown_store, **never).state == ''


@pytest.mark.parametrize('window, zone, moment, inside', [
    ('22:00-05:00', 'UTC', (2026, 11, 26, 22, 0), True), ('22:00-05:00', 'UTC', (2026, 11, 26, 21, 59), False),
    ('22:00-05:00', 'UTC', (2026, 11, 26, 4, 59), True), ('22:00-05:00', 'UTC', (2026, 11, 26, 5, 0), False),
    ('00:00-23:59', 'UTC', (2026, 11, 26, 23, 59), False), ('09:30-10:00', 'Europe/Zurich', (2026, 11, 26, 8, 30), True),
    ('09:30-10:00', 'Europe/Zurich', (2026, 7, 26, 8, 30), False), ('09:30-10:00', 'Europe/Zurich', (2026, 7, 26, 7, 30), True),
])
def test_windows(window, zone, moment, inside):
    assert in_window(window, zone, datetime.datetime(*moment, tzinfo=UTC)) is inside


@pytest.mark.parametrize('options, said', [
    ({'stop_window': '22:00-05:00', 'stop_window_zone': 'Europe/Zurich'}, ''),
    ({'stop_window': '22-5'}, "fix_bp_jwt_stop_window: '22-5' is not a time window"),
    ({'stop_window': '24:00-05:00'}, 'is not a time window'),
    ({'stop_window': '22:00-24:00'}, ''), ({'stop_window': '00:00-24:00'}, ''),
    ({'stop_window': '22:00-24:01'}, 'is not a time window'), ({'stop_window': '22:00-25:00'}, 'is not a time window'),
    ({'stop_window': '22:00-05:00', 'stop_window_zone': 'Europe'}, "no time zone 'Europe'"),
    ({'stop_window': '22:00-05:00', 'stop_window_zone': 'UTC+2'}, "no time zone 'UTC+2'"),
    ({'stop_window': '05:00-05:00'}, 'has the same begin and end'),
    ({'stop_window': '22:00-05:00', 'stop_window_zone': 'Europe/Zuerich'}, "no time zone 'Europe/Zuerich'"),
    ({'stop_window': '22:00-05:00', 'stop_window_zone': '../x'}, 'no time zone'),
    (COMMANDS, ''),
    ({'aem_stop_command': '/x'}, 'belong together'),
    ({'aem_stop_command': "su -c 'x", 'aem_start_command': 'y'}, 'cannot be split into words'),
])
def test_what_is_wrong_with_the_options_is_said(options, said):
    found = ' '.join(complaints({f'fix_bp_jwt_{name}': value for name, value in options.items()}))
    assert (said in found) if said else found == ''


def test_the_reason_names_the_option_of_the_role():
    reason = 'aem_url names author.example.com, which is not an address of this host'
    assert f'because fix_bp_jwt_{reason}' in decided(found={**IN_A_SESSION, 'store': 'unknown', 'reason': reason}).warning


@pytest.mark.parametrize('command, operator', [
    ('cd /opt/aem && ./stop', '&&'), ('/opt/aem/stop; sleep 5', '/opt/aem/stop;'), ('/opt/aem/start &', '&'),
    ('/opt/aem/start > /dev/null 2>&1', '>'), ('/opt/aem/start >/dev/null', '>/dev/null'), ('/opt/aem/start 2>&1', '2>&1'),
    ('/opt/aem/stop || true', '||'), ('yes | /opt/aem/stop', '|'),
    ("su - aem -c 'cd /opt/aem && ./stop; sleep 5'", ''), ('sh -c "/opt/aem/start >/dev/null &"', ''),
    ('/opt/aem/stop -x a=b;c', ''),
])
def test_a_command_that_needs_a_shell_is_refused_before_aem_is_stopped(command, operator):
    found = list(complaints({'fix_bp_jwt_aem_stop_command': '/bin/true', 'fix_bp_jwt_aem_start_command': command}))
    assert bool(found) is bool(operator)
    assert not operator or (f'"{operator}"' in found[0] and 'fix_bp_jwt_aem_start_command' in found[0])
