# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and checks the options of the role fix_bp_jwt on the controller, according to the role's meta/argument_specs.yml.

Ansible can also check them, but only with a task on every host.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.printable import printable
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _aem_guard as aem_guard
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _fleet as fleet
from ansible_collections.aemops.brand_portal.plugins.plugin_utils import _jmespath as query

PREFIX = 'fix_bp_jwt_'
_LONGEST = 1000  # characters of a message
RESULT = 'fix_bp_jwt_result'


def read_specification(role: str = 'fix_bp_jwt') -> dict[str, t.Any]:
    path = Path(__file__).parents[2] / 'roles' / role / 'meta' / 'argument_specs.yml'
    specification = yaml.load(path.read_bytes(), Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
    return specification['argument_specs']['main']['options']


# Read when Ansible loads the plugin, before it forks a worker for each host.
SPECIFICATION = read_specification()


def complaints_about_names(names: t.Iterable[str]) -> list[str]:
    """Return the errors in these names of variables."""
    names = list(names)
    unknown = sorted(name for name in names if name.startswith(PREFIX) and name not in SPECIFICATION and name != RESULT)
    found = _near_misses(name for name in names if name.startswith('time_sync_'))
    if not unknown:
        return found
    return [*found, f'Unknown option {", ".join(unknown)}: it would have been ignored. Correct the name in the inventory or on the '
            'command line; "ansible-doc -t role aemops.brand_portal.fix_bp_jwt" lists all options.']


def _near_misses(names: t.Iterable[str]) -> list[str]:
    """Return errors for names that resemble an option of the role time_sync. Other roles may use the same prefix."""
    given = sorted(names)
    known = read_specification('time_sync') if given else {}
    found = []
    for name in given:
        meant = difflib.get_close_matches(name, known, 1, 0.9) if name not in known else []
        if meant:
            found.append(f'Unknown option {name}: {meant[0]} may be meant. Correct the name in the inventory or on the command '
                         'line.')
    return found


# Options of the whole run, which are read from one host. Its other options may be wrong.
OF_THE_RUN = tuple(f'{PREFIX}{name}' for name in (
    'mode', 'serial', 'max_fail_percentage', 'common_skew_percentage', 'common_skew_hosts', 'accept_common_skew',
    'report_dir', 'report_query', 'report_keep_days', 'prometheus_file', 'table_hosts', 'stats_hosts', 'allow_no_hosts',
))


def check(values: t.Mapping[str, t.Any], names: t.Iterable[str] = SPECIFICATION) -> tuple[dict[str, t.Any], list[str]]:
    """Return the options of these names with their types, and the errors in them.

    null, the value of an empty entry in an inventory, means the default, or an empty string for an option without one.
    """
    specification = {name: SPECIFICATION[name] for name in names}
    values = {name: '' if value is None else value for name, value in values.items()
              if name in specification and (value is not None or 'default' not in specification[name])}
    complaints = []
    try:
        serial = values.get('fix_bp_jwt_serial', SPECIFICATION['fix_bp_jwt_serial']['default'])
        values['fix_bp_jwt_serial'] = fleet.read_serial(serial)
    except fleet.Serial as error:
        complaints.append(f'{error}.')
        del values['fix_bp_jwt_serial']
    for name, value in list(values.items()):
        try:
            values[name] = _read(name, value, specification[name])
        except Unfit as unfit:
            complaints.append(str(unfit))
            del values[name]
            if 'default' not in specification[name]:
                values[name] = '-'
    validated = ArgumentSpecValidator(specification).validate(values, validate_role_argument_spec=True)
    complaints += [f'{message.rstrip(".")}.' for message in validated.error_messages]
    options = validated.validated_parameters
    if not complaints:
        complaints = list(_check_together(options))
    return options, [_short(printable(complaint)) for complaint in complaints]


def _short(text: str) -> str:
    """Shorten a message that quotes an enormous value."""
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}….'


def for_repair(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the checked options that the tasks of a repair use, without the prefix and without secrets."""
    return {name.removeprefix(PREFIX): value for name, value in options.items() if name not in OF_THE_RUN
            and name not in SECRETS}


def for_the_run(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the checked options of the whole run that are not the defaults."""
    return {name: options[name] for name in OF_THE_RUN if options[name] != DEFAULTS_OF_THE_RUN[name]}


class Unfit(ValueError):
    """The value of an option does not have its type. The text says what it must be."""


def hosts_pattern(value: t.Any) -> str | list[str]:
    """Return the pattern of hosts in fix_bp_jwt_hosts; None means the default. Raises Unfit.

    Ansible takes a pattern of nothing but separators, such as ",", for all hosts of the inventory.
    """
    default = SPECIFICATION['fix_bp_jwt_hosts']['default']
    listed = isinstance(value, (list, tuple))
    several = [each for each in value if each is not None] if listed else [default if value is None else value]
    if not all(isinstance(each, str) for each in several):
        raise Unfit(f'fix_bp_jwt_hosts is neither a pattern of hosts nor a list of them, but {value!r:.80}. Set it to a pattern of '
                    f'hosts, or omit it to use the group {default}.')
    patterns = [str(each).strip() for each in several if each.strip(' \t\n,:;')]
    if not patterns:
        raise Unfit(f'fix_bp_jwt_hosts is empty. Set it to a pattern of hosts, or omit it to use the group {default}.')
    return patterns if listed else patterns[0]


ACCOUNT = ('fix_bp_jwt_aem_user', 'fix_bp_jwt_aem_password')  # not changed, not even leading or trailing blanks
SECRETS = (*ACCOUNT, 'fix_bp_jwt_https_proxy')  # a proxy may need a password
MORE_THAN_0 = ('fix_bp_jwt_max_skew', 'fix_bp_jwt_timeout', 'fix_bp_jwt_test_timeout')
PATHS = ('fix_bp_jwt_report_dir', 'fix_bp_jwt_prometheus_file')  # on the controller
_UNIT = re.compile(r'[A-Za-z0-9:_.\\@-]+')


def _read(name: str, value: t.Any, about: t.Mapping[str, t.Any]) -> t.Any:
    """Convert the value to its type, which -e and surveys of AWX (strings) and YAML (words as values) may have changed.

    Raises Unfit. Its text does not show a string or a list, which may contain a secret.
    """
    kind = about['type']
    if kind in ('int', 'float'):
        return _number(name, value, kind == 'int')
    if kind == 'bool':
        try:
            return boolean(value.strip() if isinstance(value, str) else value)
        except TypeError:
            raise Unfit(f'{name} must be true or false, not {value!r:.80}.') from None
    if about.get('elements') == 'str':
        value = _several(value)
        if isinstance(value, dict) or any(isinstance(each, (list, dict)) for each in value if isinstance(value, list)):
            found = 'it is a dictionary' if isinstance(value, dict) else 'an element is a list or a dictionary'
            raise Unfit(f'{name} must be a list of strings, but {found}.')
    elif kind == 'str' and isinstance(value, (list, dict)):
        raise Unfit(f'{name} must be a string, but it is a list or a dictionary.')
    if 'str' in (kind, about.get('elements')) and any(
            isinstance(each, (bool, int, float)) for each in (value if isinstance(value, list) else [value])):
        # What a survey of AWX calls "no" arrives as false, and "0123" as 83.
        raise Unfit(f'{name} must be a string, but it is a number or a boolean, so its original text is lost ("0123" becomes 83, '
                    '"no" becomes false). In YAML, quote it. In AWX, set it with a credential or in the inventory, not with a '
                    'survey or extra variables.')
    if isinstance(value, str) and not value.isascii() and not _is_utf8(value):
        raise Unfit(f'{name} is not valid UTF-8. Write it, or the environment variable that it comes from, in UTF-8.')
    return _text(name, value) if kind == 'str' and isinstance(value, str) and name not in ACCOUNT else value


def _number(name: str, value: t.Any, whole: bool) -> float:
    """Convert the value to a finite number that is not negative."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and name.endswith('_percentage'):
        text = text.removesuffix('%')
    kind = 'an integer' if whole else 'a number'
    if isinstance(value, bool):
        raise Unfit(f'{name} must be {kind}, not {str(value).lower()}.')
    try:
        number = float(text)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number) or (whole and number < math.inf and number != int(number)):
        raise Unfit(f'{name} must be {kind}, not {value!r:.80}.')
    if not 0 <= number < math.inf:
        raise Unfit(f'{name} must be {kind} of 0 or more, not {value}.')
    if not number and name in MORE_THAN_0:
        raise Unfit(f'{name} must be more than 0.')
    return int(number) if whole else number


def _is_utf8(value: str) -> bool:
    """Return whether the text is valid. Invalid UTF-8 in an environment variable is decoded to lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(name: str, value: str) -> str:
    """Return the text without leading and trailing blanks, and check it."""
    value = value.strip()
    if name in PATHS:
        path = os.path.expanduser(value)
        if '\0' in path or path.startswith('~'):
            raise Unfit(f'{name}: {value!r:.80} is not a path on the controller.')
        return path
    if name == 'fix_bp_jwt_stop_window':
        return ''.join(value.split())
    if name == 'fix_bp_jwt_aem_service':
        if value and not _UNIT.fullmatch(value):
            raise Unfit(f'{name}: {value!r:.80} is not the name of a systemd unit. Give a unit such as aem.service, auto, or an '
                        'empty string.')
        return value.lower() if value.lower() == aem_guard.AUTO else value
    return value


def _several(value: t.Any) -> t.Any:
    """Parse a list from the command line or a survey: a string with commas or line breaks, or a YAML list. '' is empty."""
    if isinstance(value, (list, tuple)):
        value = [each.strip() if isinstance(each, str) else each for each in value]
        return [each for each in value if each not in ('', None)]
    if not isinstance(value, str):
        return value if isinstance(value, dict) else [value]
    try:
        read = yaml.safe_load(value) if value.lstrip().startswith(('[', '- ')) else None
    except yaml.YAMLError:
        read = None
    if isinstance(read, list) and not any(isinstance(each, (list, dict)) for each in read):
        return _several(read)
    return [each for each in (each.strip().strip('"\'') for each in re.split('[,\n]', value)) if each]


def _check_together(options: dict[str, t.Any]) -> t.Iterator[str]:
    if not options.get('fix_bp_jwt_aem_user', True) or not options.get('fix_bp_jwt_aem_password', True):
        yield ('AEM needs an account: set the environment variables AEM_USER and AEM_PASSWORD on the '
               'controller, or fix_bp_jwt_aem_user and fix_bp_jwt_aem_password from a vault.')
    if options.get('fix_bp_jwt_agents') and options.get('fix_bp_jwt_agent_query'):
        yield 'fix_bp_jwt_agents and fix_bp_jwt_agent_query both select the agents: set only one of them.'
    yield from aem_guard.complaints(options)
    for name in (query.REPORT, query.AGENTS):
        if options.get(name):
            try:
                query.understand(options[name], name)
            except query.Problem as error:
                yield f'{error}.'
    if options['fix_bp_jwt_prometheus_file'] and not options['fix_bp_jwt_prometheus_file'].endswith('.prom'):
        yield ('fix_bp_jwt_prometheus_file: node_exporter reads only files whose name ends with .prom, not '
               f'{options["fix_bp_jwt_prometheus_file"]}.')
    for name in ('fix_bp_jwt_max_fail_percentage', 'fix_bp_jwt_common_skew_percentage'):
        if not 0 <= options[name] <= 100:
            yield f'{name} must be a percentage from 0 to 100, not {options[name]:g}.'


DEFAULTS_OF_THE_RUN, _NONE = check({}, OF_THE_RUN)
