# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the role fix_bp_jwt, read and checked on the controller; meta/argument_specs.yml of the role says what they are.

Ansible can check them too, but that takes a task on every host.
"""

from __future__ import annotations

import difflib
import math
import re
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _aem_guard as aem_guard
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _fleet as fleet
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query

PREFIX = 'fix_bp_jwt_'
RESULT = 'fix_bp_jwt_result'


def _read_specification(role: str = 'fix_bp_jwt') -> dict[str, t.Any]:
    path = Path(__file__).parents[2] / 'roles' / role / 'meta' / 'argument_specs.yml'
    specification = yaml.load(path.read_bytes(), Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
    return specification['argument_specs']['main']['options']


# Read when Ansible loads the plugin, before it forks a worker for each host.
SPECIFICATION = _read_specification()


def complaints_about_names(names: t.Iterable[str]) -> list[str]:
    """What is to be said of these variables' names."""
    names = list(names)
    unknown = sorted(name for name in names if name.startswith(PREFIX) and name not in SPECIFICATION and name != RESULT)
    found = _near_misses(name for name in names if name.startswith('time_sync_'))
    if not unknown:
        return found
    return [*found, f'Unknown option {", ".join(unknown)}: it would have been ignored. Correct the name in the inventory or on the '
            'command line; "ansible-doc -t role aemops.brand_portal.fix_bp_jwt" lists the options there are.']


def _near_misses(names: t.Iterable[str]) -> list[str]:
    """Names that are almost an option of the role time_sync, which a repair uses. Other roles may have names that begin so."""
    given = sorted(names)
    known = _read_specification('time_sync') if given else {}
    found = []
    for name in given:
        meant = difflib.get_close_matches(name, known, 1, 0.9) if name not in known else []
        if meant:
            found.append(f'Unknown option {name}: {meant[0]} may be meant. Correct the name in the inventory or on the command '
                         'line.')
    return found


# What one host is asked for all of them: it may be one whose other options are wrong.
OF_THE_RUN = tuple(f'{PREFIX}{name}' for name in (
    'mode', 'serial', 'max_fail_percentage', 'common_skew_percentage', 'common_skew_hosts', 'accept_common_skew',
    'report_dir', 'report_query', 'report_keep_days', 'prometheus_file', 'table_hosts', 'stats_hosts', 'allow_no_hosts',
))


def check(values: t.Mapping[str, t.Any], names: t.Iterable[str] = SPECIFICATION) -> tuple[dict[str, t.Any], list[str]]:
    """The options of these names with the types they should have, and what is wrong with them."""
    specification = {name: SPECIFICATION[name] for name in names}
    values, complaints = {name: value for name, value in values.items() if name in specification}, []
    try:
        values['fix_bp_jwt_serial'] = fleet.read_serial(values.get('fix_bp_jwt_serial', '100%'))
    except fleet.Serial as error:
        complaints.append(f'{error}.')
        del values['fix_bp_jwt_serial']
    # What a survey of AWX calls "no" arrives as false, and "0123" as 83. Ansible would make 0 of one and a text of the other.
    for name in list(values):
        values[name] = _several(values[name]) if specification[name].get('elements') == 'str' else values[name]
        if _is_nested(values[name], specification[name]):
            kind = 'a list of texts, and one of these' if specification[name]['type'] == 'list' else 'a text, and it'
            complaints.append(f'{name} is {kind} came as a list or a dictionary.')
            del values[name]    # it may be a password: it is not shown
        elif isinstance(values[name], bool) and specification[name]['type'] in ('int', 'float'):
            complaints.append(f'{name} is a number, not {str(values.pop(name)).lower()}.')
        elif specification[name]['type'] in ('int', 'float') and not _from_zero_on(values[name]):
            complaints.append(f'{name} is a number from 0 on, not {values.pop(name)}.')
        elif _lost_its_text(values[name], specification[name]):
            values[name] = [] if specification[name]['type'] == 'list' else specification[name].get('default', '-')
            complaints.append(
                f'{name} is a text and came as a number or a truth value, so its original text is lost ("0123" becomes '
                '83, "no" becomes false). In YAML put it in quotes; from AWX give it by a credential or the inventory, not by a '
                'survey or extra variables.')
    validated = ArgumentSpecValidator(specification).validate(values, validate_role_argument_spec=True)
    complaints += [f'{message.rstrip(".")}.' for message in validated.error_messages]
    options = validated.validated_parameters
    if not complaints:
        complaints = list(_check_together(options))
    return options, complaints


def _several(value: t.Any) -> t.Any:
    """A list as the command line and surveys give it: a text with commas or lines, or the text of a list. '' is none."""
    if not isinstance(value, str):
        return value if not isinstance(value, list) else [
            each.strip() if isinstance(each, str) else each for each in value if each not in ('', None)]
    try:
        read = yaml.safe_load(value) if value.strip().startswith('[') else None
    except yaml.YAMLError:
        read = None
    if isinstance(read, list) and all(isinstance(each, str) for each in read):
        return _several(read)
    return [each.strip() for each in re.split('[,\n]', value) if each.strip()]


def _is_nested(value: t.Any, specification: t.Mapping[str, t.Any]) -> bool:
    """Whether a list or a dictionary came for a text, which Ansible would make its Python notation of."""
    if specification['type'] == 'list':
        return specification.get('elements') == 'str' and isinstance(value, list) and any(
            isinstance(each, (list, tuple, dict)) for each in value)
    return specification['type'] == 'str' and isinstance(value, (list, tuple, dict))


def _from_zero_on(value: t.Any) -> bool:
    """Not negative, infinite or nan, with which nothing compares; whether it is a number at all, Ansible says."""
    try:
        return 0 <= float(value) < math.inf
    except (TypeError, ValueError, OverflowError):
        return True


def _lost_its_text(value: t.Any, specification: t.Mapping[str, t.Any]) -> bool:
    """Whether this, or one of these, ought to be a text and is what YAML makes of some texts."""
    given = value if isinstance(value, list) else [value]
    return 'str' in (specification['type'], specification.get('elements')) and any(
        isinstance(each, (bool, int, float)) for each in given)


def _check_together(options: dict[str, t.Any]) -> t.Iterator[str]:
    if not options.get('fix_bp_jwt_aem_user', True) or not options.get('fix_bp_jwt_aem_password', True):
        yield ('AEM cannot be asked without an account: set the environment variables AEM_USER and AEM_PASSWORD on the '
               'controller, or fix_bp_jwt_aem_user and fix_bp_jwt_aem_password from a vault.')
    if options.get('fix_bp_jwt_agents') and options.get('fix_bp_jwt_agent_query'):
        yield 'The agents are named by fix_bp_jwt_agents and chosen by fix_bp_jwt_agent_query: give only one of them.'
    yield from aem_guard.complaints(options)
    if options['fix_bp_jwt_report_query']:
        try:
            query.understand(options['fix_bp_jwt_report_query'])
        except query.Problem as error:
            yield f'{error}.'
    if options['fix_bp_jwt_prometheus_file'] and not options['fix_bp_jwt_prometheus_file'].endswith('.prom'):
        yield ('fix_bp_jwt_prometheus_file: node_exporter reads only files whose name ends with .prom, not '
               f'{options["fix_bp_jwt_prometheus_file"]}.')
    for name in ('fix_bp_jwt_max_fail_percentage', 'fix_bp_jwt_common_skew_percentage'):
        if not 0 <= options[name] <= 100:
            yield f'{name} is a percentage from 0 to 100, not {options[name]:g}.'
