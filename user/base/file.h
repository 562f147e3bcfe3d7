/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Bounded file reads relative to a directory, and writes that are whole or not at all. */
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads the file `path` below `dirfd` (or AT_FDCWD) into buf as a string, without its
 * last newline. Returns its length; -EFBIG when it does not fit into size - 1 bytes;
 * -EBADMSG when it holds a NUL byte; else the errno of open() or read(). Never blocks on
 * a FIFO and follows no symbolic link in the last component.
 */
ssize_t file_read_at(int dirfd, const char *path, char *buf, size_t size);

/* As file_read_at(), for files with NUL bytes such as /proc/PID/cmdline: the last newline
 * stays. */
ssize_t file_read_raw_at(int dirfd, const char *path, char *buf, size_t size);

/* As file_read_at(), into memory of its own, at most max bytes. The caller frees
 * *ret_text. */
int file_read_all_at(int dirfd, const char *path, size_t max, char **ret_text);

/* Replaces `path` below dirfd by text: written beside it, synced, renamed. Mode 0600. */
int file_replace_at(int dirfd, const char *path, const char *text);

/*
 * Replaces the file `name` in the folder dirfd by text, so that whoever reads it, also
 * after a crash, finds the old text or the new one. A file that is there keeps its owner
 * and mode, a new one gets `mode`.
 */
int file_save_at(int dirfd, const char *name, const char *text, unsigned int mode);

/* Removes what killed ones have left in the folder. Nobody may be at it meanwhile. */
void file_tidy_at(int dirfd);

/* Removes it, for good also after a crash. 1: it was not there. */
int file_remove_at(int dirfd, const char *name);

/* Makes every missing directory of an absolute or relative path, with that mode. */
int file_make_dirs(const char *path, unsigned int mode);
