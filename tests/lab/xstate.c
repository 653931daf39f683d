/*
 * Copyright (c) 2026, aemops.brand_portal contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* ptrace() for a User-Mode Linux that knows less of the processor than the kernel it runs on.
 *
 * Up to Linux 6.12, User-Mode Linux gives back the first 2696 bytes of a process's extended state (x87 to PKRU). Where the
 * processor has AMX that state is 11008 bytes long, and the kernel takes it whole or not at all (xstateregs_set, EFAULT):
 * the machine dies in its first process. So the rest is added here: zeros, for no process of the machine may use AMX.
 *
 * Built by host.py, loaded with LD_PRELOAD; everything else goes through untouched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define NT_XSTATE 0x202
#define ROOM 65536

static char state[ROOM];
static size_t whole;  /* bytes the kernel has for one process's state; 0 = not asked yet */

long ptrace(enum __ptrace_request request, ...)
{
    static long (*next)(enum __ptrace_request, ...);
    struct iovec *given, all = { state, ROOM };
    va_list arguments;
    va_start(arguments, request);
    pid_t pid = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    if (!next)
        next = dlsym(RTLD_NEXT, "ptrace");
    if (request != PTRACE_SETREGSET || (long)address != NT_XSTATE)
        return next(request, pid, address, data);

    given = data;
    if (!whole) {
        if (next(PTRACE_GETREGSET, pid, address, &all) < 0)
            return -1;
        whole = all.iov_len;
    }
    if (given->iov_len >= whole)
        return next(request, pid, address, data);
    memcpy(state, given->iov_base, given->iov_len);
    memset(state + given->iov_len, 0, whole - given->iov_len);
    all.iov_len = whole;
    return next(request, pid, address, &all);
}
