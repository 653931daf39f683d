# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the repository of an AEM: a segment store or a document store, and how strict its lease check is."""

import glob
import os
import re
import shlex
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._host.processes import Processes, text_of

_HOME = 'crx-quickstart'
_PROPERTIES = 'conf/sling.properties'   # below it
_DOCUMENT_MODES = ('crx3mongo', 'crx3rdb')
_SEGMENT_MODES = ('crx3tar', 'crx3tar-nofds')
_DOCUMENT_PID = 'org.apache.jackrabbit.oak.plugins.document.DocumentNodeStoreService'
_SEGMENT_PIDS = ('org.apache.jackrabbit.oak.segment.SegmentNodeStoreService',
                 'org.apache.jackrabbit.oak.plugins.segment.SegmentNodeStoreService',
                 'org.apache.jackrabbit.oak.segment.SegmentNodeStoreFactory')
_COMPOSITE_PID = 'org.apache.jackrabbit.oak.composite.CompositeNodeStoreService'
_KINDS = dict({_DOCUMENT_PID: 'document', _COMPOSITE_PID: 'composite'}, **dict.fromkeys(_SEGMENT_PIDS, 'segment'))
_OSGI_FILE = re.compile(r'(?P<pid>[\w.]+?)(?:[-~].*)?\.(?:config|cfg|cfg\.json|xml)\Z')
# Felix writes the type before a value: leaseCheckMode=T"STRICT".
_LEASE_MODE = re.compile(r'leaseCheckMode"?\s*[:=]\s*T?"?(STRICT|LENIENT|DISABLED)', re.IGNORECASE)
# The first Oak whose lease check is strict (LeaseCheckMode), and the first AEM that has it.
_STRICT_OAK, _STRICT_AEM = (1, 9, 6), (6, 5)
_MOST_FILES = 20000
# Variables from which a Java virtual machine takes options.
_IN_ENVIRONMENT = ('JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS', '_JAVA_OPTIONS')


class Store(NamedTuple):
    """A repository: segment, document or unknown; the lease check of a document store; the evidence."""

    kind: str
    lease_check: str
    evidence: str


UNKNOWN = Store('unknown', 'unknown', '')


def aem_home(proc: Processes, pid: int) -> str:
    """Return the path of AEM's crx-quickstart folder; '' if it is not known."""
    words, cwd = java_words(proc, pid), proc.link(pid, 'cwd')
    candidates = []
    for word, following in zip(words, words[1:] + ['']):
        if word == '-c':
            candidates.append(following)
        elif word in ('-b', '-jar'):
            candidates.append(os.path.join(following if word == '-b' else os.path.dirname(following), _HOME))
        elif word.startswith('-Dsling.home='):
            candidates.append(word.partition('=')[2])
        elif word.startswith('-Dcatalina.base='):
            candidates += _of_web_application(proc.root, words, 'sling.home')
        inside = re.match(r'((?:.*/)?{0})/'.format(_HOME), word)
        if inside and not word.startswith('-'):
            candidates.append(inside.group(1))
    candidates += [cwd] if os.path.basename(cwd) == _HOME else [os.path.join(cwd, _HOME)] if cwd else []
    for candidate in candidates:
        path = os.path.normpath(os.path.join(cwd or '/', candidate)) if cwd or candidate.startswith('/') else ''
        real = os.path.join(proc.root, path.lstrip('/'))
        if path and os.path.isdir(real) and (os.path.basename(path) == _HOME or os.path.isdir(os.path.join(real, 'repository'))):
            return path
    return ''


def java_words(proc: Processes, pid: int) -> List[str]:
    """Return the command line of a Java process, with the options in files (@FILE, java(1)) and in its environment."""
    words = []  # type: List[str]
    for word in proc.command(pid):
        if word.startswith('@') and len(word) > 1:
            path = os.path.join(proc.link(pid, 'cwd') or '/', word[1:])
            words += _split(re.sub(r'(?m)^\s*#.*$', '', text_of(proc.root, path.lstrip('/'))))
        else:
            words.append(word)
    for line in proc.text(pid, 'environ').split('\0'):
        name, _equals, value = line.partition('=')
        if name in _IN_ENVIRONMENT:
            words += [word for word in _split(value) if word.startswith('-D')]
    return words


def _split(text: str) -> List[str]:
    try:
        return shlex.split(text)
    except ValueError:      # a quotation mark without its second one
        return text.split()


def repository(proc: Processes, pid: int, home: str) -> Store:
    """Return the repository according to the command line of the process, or else to its files."""
    words = java_words(proc, pid)
    modes = run_modes(proc.root, words, home)
    configured = dict(_configured(proc.root, home, modes))
    composite = configured.pop('composite', '')
    lease = _lease_check(proc.root, words, home, configured.get('document', ''))
    named = [mode for mode in modes if mode in _DOCUMENT_MODES or mode in _SEGMENT_MODES]
    kinds = {'document' if mode in _DOCUMENT_MODES else 'segment' for mode in named}
    if len(kinds) == 1:
        return _store(kinds.pop(), lease, 'run mode ' + named[0])
    if composite and 'document' in configured:      # of several stores, and one of them may lose its lease
        return _store('document', lease, configured['document'])
    opened = next((path for path in proc.open_files(pid) if '/segmentstore/' in path), '')
    if opened:
        return _store('segment', lease, 'it has {0} open'.format(opened))
    uri = _mongo_uri(proc.root, words, home)
    if uri:
        configured.setdefault('document', uri)
    if len(configured) == 1:
        kind = list(configured)[0]
        return _store(kind, lease, configured[kind])
    journal = os.path.join(home, 'repository/segmentstore/journal.log')
    if not configured and home and os.path.exists(os.path.join(proc.root, journal.lstrip('/'))):
        return _store('segment', lease, journal)
    return UNKNOWN


def _mongo_uri(root: str, words: Sequence[str], home: str) -> str:
    """Return where oak.mongo.uri is set, the property of a document store on MongoDB; '' if it is not set."""
    if any(word.startswith('-Doak.mongo.uri=') for word in words):
        return 'oak.mongo.uri on its command line'
    path = os.path.join(home, _PROPERTIES)
    return path if home and _properties(root, path, 'oak.mongo.uri') else ''


def _properties(root: str, path: str, name: str) -> List[str]:
    """Return the values of a property in a file as java.util.Properties reads it."""
    text = re.sub(r'\\\r?\n[ \t\f]*', '', text_of(root, path.lstrip('/')))
    return [value.strip() for value in
            re.findall(r'(?m)^[ \t\f]*{0}(?:[ \t\f]*[=:]|[ \t\f])(.*)$'.format(re.escape(name)), text) if value.strip()]


def _of_web_application(root: str, words: Sequence[str], name: str) -> List[str]:
    """Return the values of a parameter in the deployment descriptors of the web applications in Tomcat."""
    found = []  # type: List[str]
    for base in [word.partition('=')[2] for word in words if word.startswith('-Dcatalina.base=')]:
        for path in glob.glob(os.path.join(root, base.lstrip('/'), 'webapps/*/WEB-INF/web.xml')):
            text = re.sub(r'(?s)<!--.*?-->', '', text_of('/', path.lstrip('/')))
            found += re.findall(r'<param-name>\s*{0}\s*</param-name>\s*<param-value>\s*([^<>]*?)\s*</param-value>'.format(
                re.escape(name)), text)
    return found


def _store(kind: str, lease: str, evidence: str) -> Store:
    return Store(kind, lease if kind == 'document' else 'unknown', evidence)


def run_modes(root: str, words: Sequence[str], home: str) -> List[str]:
    """Return the run modes from the command line, or else from the web application or sling.properties."""
    found = []  # type: List[str]
    for at, word in enumerate(words):
        if word.startswith('-Dsling.run.modes='):
            found += word.partition('=')[2].split(',')
        elif word in ('-r', '-runmode') and at + 1 < len(words):
            found += words[at + 1].split(',')
    found = found or [mode for value in _of_web_application(root, words, 'sling.run.modes') for mode in value.split(',')]
    if not found and home:
        values = _properties(root, os.path.join(home, _PROPERTIES), 'sling.run.modes')
        found = [mode for value in values for mode in value.split(',')]
    return [mode.strip() for mode in found if mode.strip()]


def _configured(root: str, home: str, modes: Sequence[str]) -> Iterable[Tuple[str, str]]:
    """Yield (kind of store, path) for each OSGi configuration of a node store below install and in those Felix installed."""
    if not home:
        return
    left = _MOST_FILES
    for top in ('install', 'launchpad/config'):
        folder = os.path.join(root, home.lstrip('/'), top)
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if _applies(name, modes))
            for name in sorted(names):
                left -= 1
                if left < 0:
                    return
                path = os.path.join(place, name)
                inside = os.path.relpath(path, folder).replace('/', '.') if top != 'install' else name
                match = _OSGI_FILE.match(inside)
                pid = match.group('pid') if match else ''
                if pid in _KINDS:
                    yield _KINDS[pid], '/' + os.path.relpath(path, root)


def _applies(folder: str, modes: Sequence[str]) -> bool:
    """Return whether the installer reads a folder: install.author.crx3mongo needs both of these run modes."""
    kind, dot, needed = folder.partition('.')
    return not modes or not dot or kind not in ('install', 'config') or set(needed.split('.')) <= set(modes)


def _lease_check(root: str, words: Sequence[str], home: str, configuration: str) -> str:
    """Return strict, lenient, disabled or unknown: as configured, or else by the version of AEM or Oak."""
    if any(word.lower() == '-doak.documentmk.disableleasecheck=true' for word in words):      # Boolean.getBoolean() has no case
        return 'disabled'
    said = _LEASE_MODE.search(' '.join(words)) or _LEASE_MODE.search(text_of(root, configuration.lstrip('/')))
    if said:
        return said.group(1).lower()
    if not home:
        return 'unknown'
    jars = ' '.join(list(words) + [os.path.basename(path) for path in
                                   glob.glob(os.path.join(root, home.lstrip('/'), 'app/*.jar'))])
    aem = [_numbers(text) for text in re.findall(r'cq-quickstart-(\d+\.\d+[.\d]*)', jars)]
    if aem:
        return 'strict' if max(aem)[:2] >= _STRICT_AEM else 'lenient'
    for info in glob.glob(os.path.join(root, home.lstrip('/'), 'launchpad/felix/bundle*/bundle.info')):
        oak = re.search(r'oak-(?:core|store-document)[-/](\d+\.\d+\.\d+)', text_of('/', info.lstrip('/')))
        if oak:
            return lease_check_of(oak.group(1))
    return 'unknown'


def lease_check_of(oak: str) -> str:
    """Return the default lease check of this version of Apache Oak."""
    numbers = _numbers(oak)
    return 'unknown' if len(numbers) < 2 else 'strict' if numbers[:3] >= _STRICT_OAK else 'lenient'


def from_overview(overview: Dict[str, Any]) -> Store:
    """Return the repository according to AEM's system overview (export.json)."""
    said = overview.get('Repository')
    said = said if isinstance(said, dict) else {}
    kind = str(said.get('Node Store', '')).lower()
    lease = lease_check_of(str(said.get('Apache Jackrabbit Oak') or said.get('Apache Oak Version') or ''))
    instance = overview.get('Instance')
    modes = str(instance.get('Run Modes', '')) if isinstance(instance, dict) else ''
    if re.search(r'document|mongo|rdb', kind) or (not kind and re.search(r'\bcrx3(?:mongo|rdb)\b', modes)):
        return Store('document', lease, 'its system overview')
    if re.search(r'segment|tar', kind) or (not kind and re.search(r'\bcrx3tar\b', modes)):
        return Store('segment', 'unknown', 'its system overview')
    return Store('unknown', lease, '')


def merged(files: Store, overview: Store) -> Store:
    if files.kind == 'unknown':
        return overview if overview.kind != 'unknown' else UNKNOWN
    return files._replace(lease_check=overview.lease_check)


def _numbers(text: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r'\d+', text))
