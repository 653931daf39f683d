# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The advice for a package that could not be installed, by the messages of the package managers. Pure."""

import re
from typing import Tuple

from ansible_collections.aemops.brand_portal.plugins.module_utils._common.process import Done

# Of apt: a mirror that it could not reach; a version in its lists that the mirror does not have any more.
UNREACHED = 'Failed to fetch'
MISSING_ON_MIRROR = re.compile(UNREACHED + r' .{1,500}\b404\b')
# Of apt, for instance about a source that is listed twice; of dnf, about each mirror that it tries.
_WARNING = re.compile(r'(?:[WN]: |\[MIRROR\] )')

# The first match counts. Causes that affect every package come before those of a single one, and the network is last, because
# warnings also mention it.
_ADVICE: Tuple[Tuple[str, str], ...] = (
    (r'no space left|not enough (?:free )?space|enough free (?:disk )?space|disk requirements|needs [\w.]+ (?:more space )?on the'
     r'|disk quota exceeded', 'free space on its file systems'),
    (r'read-only file system|mounted (?:as )?read-only|erofs', 'make its file systems writable'),
    (r'dpkg was interrupted', 'run dpkg --configure -a on this host'),
    (r'very bad inconsistent state|needs to be reinstalled|unrecoverable fatal error|files list file for package',
     'see dpkg --audit on this host'),
    (r'permission denied|are you root|superuser privileges|must be (?:run as )?root|root privileges are required',
     'run it as root (become: true)'),
    (r'cpio: \w+ failed - operation not permitted|unable to .{1,300}: operation not permitted',
     'see lsattr of the file that it names, which may be immutable'),
    (r'could not get lock|lock(?:ed)? (?:by|file)|held its lock|another copy is running|existing lock'
     r'|another app is currently holding|waiting for process with pid|transaction lock|another transaction is in progress',
     'wait until the other package manager has ended'),
    (r'held packages were changed|you have held broken packages|caused by held packages'
     r'|(?:package|it) is (?:on hold|locked)|\bis locked(?! by)\b',
     'see apt-mark showhold, or zypper locks, on this host, and release what is held'),
    (r"changed its '\w+' value", 'run apt-get update --allow-releaseinfo-change on this host'),
    (r'--fix-broken|unmet dependencies|broken packages', 'see apt-get check on this host'),
    (r'exclude filtering|excluded by|due to versionlock', 'see the lines exclude= and versionlock of its package manager'),
    (r'modular filtering', 'see dnf module list on this host'),
    (r'malformed (?:entry|line|stanza)|is not known on line|conflicting values set for option|list of sources could not be read'
     r'|contains garbage|is invalid for apt::default-release',
     'correct the files of its package sources'),
    (r'rpmdb|(?:open|opening) packages (?:database|index)|db5? error|bdb\d* ', 'see rpm -qa, and rpm --rebuilddb, on this host'),
    (r'no_pubkey|gpg(?:key| check|\b)|not signed|signatures? (?:were|could not|verification|is not)|public key'
     r'|unauthenticated packages',
     'see the keys of its package sources'),
    (r'not valid yet|not yet valid|release file .{0,200}\bexpired', "see this host's clock, and the age of its package sources"),
    (r'certificate', 'see the TLS certificates of its package sources'),
    (r'no enabled repos|no repositories (?:available|defined)|(?:no|expired) (?:valid )?subscription|subscription has expired'
     r'|403 for https://cdn\.redhat',
     'register this host, or enable a package source'),
    (r'trying to overwrite|\bfile \S+ (?:from install of .{1,200} )?conflicts (?:with|between)',
     'see which package has the file that it names'),
    (r'conflicting requests|nothing provides|conflicts? with|problem: (?!retrieving)|\brequires: |none of the providers',
     'see the dependencies that it names'),
    (r'scriptlet failed|post-?installation script|\.(?:pre|post)(?:inst|rm)\b|returned error exit status|sub-process',
     'see what its scripts say'),
    (r'\b407\b|proxy authentication', 'see the proxy that its package manager uses'),
    (r'exec format|no such file or directory: .{0,3}(?:apt-get|dnf|yum|zypper)', 'see whether its package manager is there'),
    (r'already the newest version|is already installed', 'reinstall it: the package is there, and its unit or its program is not'),
    # The mirrors have moved it to an archive.
    (r'(?:not|no longer) ha(?:ve|s) a release file|no urls in mirrorlist',
     'correct the files of its package sources, which do not have this release (any more)'),
    (r'temporary failure|could not resolve|curl error|connection|timed? ?out|unreachable|cannot (?:download|retrieve)'
     r'|failed to (?:fetch|download)|all mirrors were tried|\b40[34]\b|\b50\d\b', ''),
    # subscription-manager says it before every other error, also on a host that has other package sources.
    (r'not registered|consumer identity', 'register this host, or enable a package source'),
    (r'has no installation candidate', 'see apt-cache policy on this host: no package source has it, or a preference excludes it'),
    (r'unable to locate package|no match for argument|unable to find a match|no package .{1,80}available|no provider of'
     r'|not found in package names|package "?\S+ is not found',
     'see that its package sources are enabled and have this package'),
)
REACHES_SOURCES = 'see that this host reaches its package sources'


def advice_for(said: str) -> str:
    """Return the next step, without a period."""
    for pattern, advice in _ADVICE:
        if re.search(pattern, said, re.IGNORECASE):
            return advice or REACHES_SOURCES
    return REACHES_SOURCES


def complaint_of(done: Done) -> str:
    """Return the error output in one line, without warnings if anything else is there."""
    errors = [line for line in done.err.splitlines() if line.strip() and not _WARNING.match(line)]
    return done._replace(err='\n'.join(errors)).complaint if errors else done.complaint
