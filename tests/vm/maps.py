# SPDX-License-Identifier: GPL-2.0-or-later
"""
The observer from outside: which programs and links the kernel has, by bpftool; and pinned maps by the kernel's own
calls, for what somebody with root's rights and bad luck could do to them.
"""
import ctypes
import json
import mmap
import os
import struct

import host

SYS_BPF = 321
UPDATE, DELETE, PROG_LOAD, OBJ_GET, RAW_TRACEPOINT_OPEN = 2, 3, 5, 7, 17
PAGE = 4096
# Where in the structures of bpf/abi.h stands what tests overwrite.
CPU_VM, CPU_TID = 8, 16  # cpu_counters: fast.vm, fast.tid
VM_SETTLE_UNTIL, VM_SETTLE_BASE = 152, 168
HEALTH_TAKEOVER = 96
libc = ctypes.CDLL(None, use_errno=True)


def programs(name="cpuwarden"):
    """Those whose names begin so, as bpftool shows them. Of a name the kernel keeps 15 letters."""
    found = json.loads(host.must("bpftool", "-j", "prog", "show").stdout)
    return [program for program in found if program.get("name", "").startswith(name[:15])]


def attached(name):
    """Ids of the programs of that name, and of the links that attach them."""
    ids = [program["id"] for program in programs(name)]
    # One that is just being made has an id, and is not to be had yet: bpftool then gives up.
    links = json.loads(host.wait_for("bpftool knows all links", lambda: next(
        (done.stdout for done in [host.run("bpftool", "-j", "link", "show")] if not done.returncode), None)))
    return ids, [link["id"] for link in links if link.get("prog_id") in ids]


def keep_link(name, path):
    """Pins a pinned link once more, so that it outlives its own pin."""
    host.must("bpftool", "link", "pin", "pinned", os.path.join(host.PINS, name), path)


def bpf(command, attributes):
    """bpf(2) with the beginning of a union bpf_attr: the call's result; raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, 128)
    done = libc.syscall(SYS_BPF, command, buffer, 128)
    if done < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return done


def open_map(name):
    path = ctypes.create_string_buffer(os.path.join(host.PINS, name).encode())
    return bpf(OBJ_GET, struct.pack("<QII", ctypes.addressof(path), 0, 0))


def update(fd, key, value, flags=0):
    key, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    bpf(UPDATE, struct.pack("<IxxxxQQQ", fd, ctypes.addressof(key), ctypes.addressof(value), flags))


def delete(fd, key):
    key = ctypes.create_string_buffer(key, len(key))
    bpf(DELETE, struct.pack("<IxxxxQ", fd, ctypes.addressof(key)))


def size_of(name):
    """Bytes of a value."""
    return json.loads(host.must("bpftool", "-j", "map", "show", "pinned", os.path.join(host.PINS, name)).stdout)["bytes_value"]


def poke(name, offset, value):
    """Overwrites bytes of a flat map in place."""
    fd = open_map(name)
    with mmap.mmap(fd, PAGE * (1 + (offset + len(value) - 1) // PAGE)) as memory:
        memory[offset:offset + len(value)] = value
    os.close(fd)


def ring_bytes(name):
    """What was ever written to a ring buffer, from its producer's page."""
    fd = open_map(name)
    with mmap.mmap(fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE) as page:
        done = struct.unpack_from("<Q", page)[0]
    os.close(fd)
    return done
