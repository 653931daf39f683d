# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: old content or new, never half of both; what belongs to a file stays with it."""

import errno
import os
import stat
import struct
import subprocess
import sys

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason='only root may give a file to another owner, mount, or chattr +i')
# One user, group and others read and write it; user 7 reads it (linux/posix_acl_xattr.h: version, then tag, rights, id).
ACL = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in (
    (1, 6, 0xffffffff), (2, 4, 7), (4, 4, 0xffffffff), (16, 4, 0xffffffff), (32, 0, 0xffffffff)))


class Calls:
    """Replaces functions of os: records them, and fails those that are told to."""

    def __init__(self, monkeypatch, **failing):
        self.log = []
        for name in ('open', 'fsync', 'rename', 'remove', 'posix_fallocate'):
            self._watch(monkeypatch, name, getattr(os, name), failing.get(name))

    def _watch(self, monkeypatch, name, real, error):
        def call(*arguments, **more):
            self.log.append((name, arguments[0]))
            if error and not (name == 'open' and not arguments[1] & os.O_CREAT):
                raise OSError(error, os.strerror(error))
            return real(*arguments, **more)
        monkeypatch.setattr(files.os, name, call)


def put(path, content=b'old', mode=0o644):
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_new_file_has_the_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        files.write(str(tmp_path / 'a'), b'new', files.Access(0o640))
        assert files.make_folder(str(tmp_path / 'b' / 'c')) == [str(tmp_path / 'b'), str(tmp_path / 'b' / 'c')]
    finally:
        os.umask(before)
    assert os.stat(str(tmp_path / 'a')).st_mode & 0o7777 == 0o640
    assert os.stat(str(tmp_path / 'b' / 'c')).st_mode & 0o7777 == 0o755
    assert sorted(os.listdir(str(tmp_path))) == ['a', 'b']


def test_a_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path):
    real = put(tmp_path / 'real', mode=0o604)
    link = tmp_path / 'link'
    link.symlink_to('real')
    files.write(str(link), b'new', files.Access(0o600))
    assert (real.read_bytes(), real.stat().st_mode & 0o7777, os.readlink(str(link))) == (b'new', 0o604, 'real')


@ROOT_ONLY
def test_a_file_keeps_its_owner_acl_and_other_attributes(tmp_path):
    real = put(tmp_path / 'real')
    os.chown(str(real), 12345, 54321)
    try:
        os.setxattr(str(real), files._ACL, ACL)
        os.setxattr(str(real), 'user.note', b'kept')
    except OSError as error:
        pytest.skip('this file system keeps no ACL: {0}'.format(error))
    files.write(str(real), b'new')
    kept = real.stat()
    assert (kept.st_uid, kept.st_gid) == (12345, 54321)
    assert os.getxattr(str(real), files._ACL) == ACL
    assert os.getxattr(str(real), 'user.note') == b'kept'


@ROOT_ONLY
def test_the_folders_default_acl_does_not_come_upon_a_file_that_had_none(tmp_path):
    real = put(tmp_path / 'real')
    try:
        os.setxattr(str(tmp_path), 'system.posix_acl_default', ACL)
    except OSError as error:
        pytest.skip('this file system keeps no ACL: {0}'.format(error))
    files.write(str(real), b'new')
    assert files._ACL not in os.listxattr(str(real))
    assert real.stat().st_mode & 0o7777 == 0o644


def test_the_label_of_a_file_stays_and_a_new_one_gets_that_of_its_place(tmp_path, monkeypatch):
    labels = {}
    monkeypatch.setattr(files.os, 'setxattr', lambda path, name, value: labels.update({os.path.basename(path): (name, value)}))
    asked = []

    def label(path):
        asked.append(path)
        return 'system_u:object_r:chronyd_keys_t:s0'
    files.write(str(tmp_path / 'chrony.keys'), b'new', label=label)
    assert labels == {'.chrony.keys.aemops-new': ('security.selinux', b'system_u:object_r:chronyd_keys_t:s0')}
    assert asked == [str(tmp_path / 'chrony.keys')], 'the label of the name that it gets, not of the one that it has'
    labels.clear()
    monkeypatch.setattr(files.os, 'listxattr', lambda path: ['security.selinux'])
    monkeypatch.setattr(files.os, 'getxattr', lambda path, name: b'its own')
    files.write(str(tmp_path / 'chrony.keys'), b'newer', label=label)
    assert labels == {'.chrony.keys.aemops-new': ('security.selinux', b'its own')}
    # A backup in another place has the mode of its model, and the label of its place.
    labels.clear()
    os.chmod(str(tmp_path / 'chrony.keys'), 0o640)
    files.write(str(tmp_path / 'backup'), b'new', label=lambda path: 'u:r:etc_t:s0', like=str(tmp_path / 'chrony.keys'))
    assert labels == {'.backup.aemops-new': ('security.selinux', b'u:r:etc_t:s0')}
    assert os.stat(str(tmp_path / 'backup')).st_mode & 0o777 == 0o640
    files.write(str(tmp_path / 'restored'), b'new', like=str(tmp_path / 'chrony.keys'))
    assert labels['.restored.aemops-new'] == ('security.selinux', b'its own')
    assert len(asked) == 1


def test_the_content_and_the_folder_are_on_the_disk_before_it_returns(tmp_path, monkeypatch):
    put(tmp_path / 'a')
    calls = Calls(monkeypatch)
    files.write(str(tmp_path / 'a'), b'new')
    names = [name for name, _what in calls.log]
    assert names[names.index('fsync'):] == ['fsync', 'rename', 'open', 'fsync'], 'the file before the rename, the folder after it'
    assert calls.log[-2][1] == str(tmp_path)
    del calls.log[:]
    files.remove(str(tmp_path / 'a'))
    assert [name for name, _what in calls.log] == ['remove', 'open', 'fsync']


def test_a_left_over_or_a_trap_under_the_new_name_is_not_written_through(tmp_path):
    """The folder may be the daemon's own: it must not make root write elsewhere."""
    victim = put(tmp_path / 'victim')
    (tmp_path / '.a.aemops-new').symlink_to('victim')
    files.write(str(tmp_path / 'a'), b'new')
    assert (victim.read_bytes(), (tmp_path / 'a').read_bytes()) == (b'old', b'new')
    hard = put(tmp_path / 'hard')
    os.link(str(hard), str(tmp_path / '.a.aemops-new'))
    files.write(str(tmp_path / 'a'), b'newer')
    assert hard.read_bytes() == b'old'


def test_the_new_name_is_made_by_us_and_nobody_else(tmp_path, monkeypatch):
    flags = []
    real = os.open

    def spy(path, flag, mode=0o777):
        flags.append(flag)
        return real(path, flag, mode)
    monkeypatch.setattr(files.os, 'open', spy)
    files.write(str(tmp_path / 'a'), b'new')
    assert flags[0] & os.O_EXCL
    assert flags[0] & os.O_NOFOLLOW


@pytest.mark.parametrize('error', [errno.EBUSY, errno.EXDEV])
def test_where_a_rename_cannot_work_it_is_rewritten_in_place(tmp_path, monkeypatch, error):
    real = put(tmp_path / 'real', b'a longer old content', 0o640)
    inode = real.stat().st_ino
    calls = Calls(monkeypatch, rename=error)
    files.write(str(real), b'new')
    assert (real.read_bytes(), real.stat().st_ino, real.stat().st_mode & 0o777) == (b'new', inode, 0o640)
    assert calls.log[-1][0] == 'fsync'
    assert os.listdir(str(tmp_path)) == ['real']


@pytest.mark.parametrize('error', [errno.EROFS, errno.EACCES])
def test_a_file_in_a_folder_that_takes_no_new_file_is_rewritten(tmp_path, monkeypatch, error):
    real = put(tmp_path / 'real')
    Calls(monkeypatch, open=error)
    files.write(str(real), b'new')
    assert real.read_bytes() == b'new'
    with pytest.raises(OSError):
        files.write(str(tmp_path / 'other'), b'new')
    assert not (tmp_path / 'other').exists()


@pytest.mark.parametrize('error', [errno.ENOSPC, errno.EIO])
def test_a_disk_that_is_full_or_broken_leaves_the_old_file(tmp_path, monkeypatch, error):
    real = put(tmp_path / 'real')
    Calls(monkeypatch, fsync=error)
    with pytest.raises(OSError):
        files.write(str(real), b'new')
    assert real.read_bytes() == b'old'
    assert os.listdir(str(tmp_path)) == ['real']


def test_a_file_that_grows_is_not_rewritten_without_the_space_for_it(tmp_path, monkeypatch):
    real = put(tmp_path / 'real')
    Calls(monkeypatch, rename=errno.EBUSY, posix_fallocate=errno.ENOSPC)
    with pytest.raises(OSError, match='No space left'):
        files.write(str(real), b'new and longer')
    assert real.read_bytes() == b'old'
    files.write(str(real), b'new')
    Calls(monkeypatch, rename=errno.EBUSY, posix_fallocate=errno.EOPNOTSUPP)
    files.write(str(real), b'new and longer')
    assert real.read_bytes() == b'new and longer'


@pytest.mark.parametrize('content, so', [
    (b'new content', True), (b'old', True), (b'new', True), (b'ne\0', True), (b'newd', False), (b'new contXnt', False),
    (b'new co', True), (b'old co', True), (b'old\0co', True), (b'old ca', False), (b'ne', False),
    (None, False), (b'\0\0\0\0\0\0\0\0\0\0\0', True), (b'nld', True)])
def test_what_a_crash_leaves_of_a_rewriting_is_told_from_an_edit(content, so):
    assert files.mixture(content, b'old', b'new content') is so


@ROOT_ONLY
def test_a_bind_mount_is_rewritten(tmp_path):
    """A container's /etc/resolv.conf is one; a rename onto it is EBUSY."""
    put(tmp_path / 'outside')
    put(tmp_path / 'mounted')
    script = ("import sys; from ansible_collections.aemops.brand_portal.plugins.module_utils._common import files; "
              "files.write(sys.argv[1], b'new')")
    folders = [path for path in sys.path if path]
    done = subprocess.run(
        ['unshare', '-m', '/bin/sh', '-c', 'mount --bind "$1" "$2" || exit 77; exec "$3" -c "$4" "$2"', 'sh',
         str(tmp_path / 'outside'), str(tmp_path / 'mounted'), sys.executable, script],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(folders)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode in (1, 77) and b'Traceback' not in done.stdout:
        pytest.skip('no mount can be made here: {0!r}'.format(done.stdout))
    assert done.returncode == 0, done.stdout
    assert ((tmp_path / 'outside').read_bytes(), (tmp_path / 'mounted').read_bytes()) == (b'new', b'old')


@ROOT_ONLY
@pytest.mark.parametrize('flag, word', [('i', 'immutable'), ('a', 'append-only')])
@pytest.mark.parametrize('what', ['real', 'link', '.'])
def test_what_cannot_be_written_is_known_before(tmp_path, flag, word, what):
    folder = tmp_path / 'folder'
    folder.mkdir()
    put(folder / 'real')
    (folder / 'link').symlink_to('real')
    marked = str(folder) if what == '.' else str(folder / 'real')
    asked = folder / ('new' if what == '.' else what)
    assert files.obstacle(str(asked)) == ''
    if subprocess.call(['chattr', '+' + flag, marked], stderr=subprocess.DEVNULL):
        pytest.skip('this file system does not support chattr')
    try:
        assert files.obstacle(str(asked)) == '{0} is {1}. Run "chattr -{2} {0}" if it may change'.format(marked, word, flag)
    finally:
        subprocess.check_call(['chattr', '-' + flag, marked])


def test_other_things_in_the_way(tmp_path, monkeypatch):
    put(tmp_path / 'real')
    assert files.obstacle(str(tmp_path / 'real' / 'sub')) == '{0} is not a folder'.format(tmp_path / 'real')
    assert files.obstacle(str(tmp_path)) == '{0} is not a regular file'.format(tmp_path)
    assert files.obstacle(str(tmp_path / 'no' / 'such' / 'folder')) == ''

    class Frozen:
        f_flag = os.ST_RDONLY
    monkeypatch.setattr(files.os, 'statvfs', lambda path: Frozen)
    assert 'read-only file system' in files.obstacle(str(tmp_path / 'real'))


def test_a_file_of_another_program_gets_the_label_of_its_place(monkeypatch):
    given = []
    monkeypatch.setattr(files, 'default_label', lambda path, ask: ask([path]))
    monkeypatch.setattr(os, 'setxattr', lambda *arguments: given.append(arguments))
    files.set_default_label('/etc/adjtime', lambda command: '')
    assert not given
    files.set_default_label('/etc/adjtime', lambda command: 'system_u:object_r:adjtime_t:s0')
    assert given == [('/etc/adjtime', 'security.selinux', b'system_u:object_r:adjtime_t:s0')]


def test_the_default_label_is_asked_of_the_policy(monkeypatch):
    monkeypatch.setattr(files, 'selinux', lambda: True)
    monkeypatch.setattr(files.shutil, 'which', lambda *_, **__: '/sbin/matchpathcon')
    known = 'system_u:object_r:chronyd_keys_t:s0'
    policy = {('matchpathcon', '-n', '/etc/chrony.keys'): known + '\n'}
    assert files.default_label('/etc/chrony.keys', lambda command: policy[tuple(command)]) == known
    assert files.default_label('/x', lambda command: '<<none>>\n') == ''
    monkeypatch.setattr(files, 'selinux', lambda: False)
    assert files.default_label('/x', lambda command: 'a:b:c:d') == ''


def test_a_file_system_without_owners_is_written_to(tmp_path, monkeypatch):
    """As a shared folder of a virtual machine: it refuses chown and chmod, has no attributes, and flushes files but no folders."""
    (tmp_path / 'file').write_text('old')
    (tmp_path / 'file').chmod(0o600)
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, 'Invalid argument')
        real(descriptor)

    def refuses(number):
        def refuse(*_arguments, **_more):
            raise OSError(number, os.strerror(number))
        return refuse
    monkeypatch.setattr(os, 'fsync', fsync)
    for name, number in (('chown', errno.EPERM), ('chmod', errno.EPERM), ('listxattr', errno.ENOTSUP)):
        monkeypatch.setattr(os, name, refuses(number))
    files.write(str(tmp_path / 'file'), b'new')
    assert (tmp_path / 'file').read_text() == 'new'
