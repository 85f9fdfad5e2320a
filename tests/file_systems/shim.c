/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes a folder seem to lie on a file system that differs, for what is run with this library preloaded:

       cc -shared -fPIC -o shim.so shim.c -ldl
       LD_PRELOAD=./shim.so SHIM_DIR=PART_OF_A_PATH SHIM_MODE=MODE [SHIM_N=20] padflow run ...

   Modes: dirsync (EINVAL on fsync of folders), nofsync (ENOTSUP on every fsync), nolink (no hard links), flock (ENOLCK),
   norename (EEXIST on rename over a file), eio (EIO on every SHIM_Nth write and fsync of a process), readeio (EIO on
   every SHIM_Nth read), stale (ESTALE on every SHIM_Nth read), short and shortread (a third of what was asked). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(type, name, ...) static type (*next)(__VA_ARGS__); if (!next) next = dlsym(RTLD_NEXT, #name)
#define FAIL(number) do { errno = number; return -1; } while (0)

static int in(const char *mode) { const char *set = getenv("SHIM_MODE"); return set && !strcmp(set, mode); }

static int below(const char *path) { const char *part = getenv("SHIM_DIR"); return part && strstr(path, part); }

static int mine(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return below(path);
}

static int nth(void) {
    static unsigned calls;
    const char *n = getenv("SHIM_N");
    return __sync_add_and_fetch(&calls, 1) % (n ? atoi(n) : 20) == 0;
}

int fsync(int fd) {
    NEXT(int, fsync, int);
    if (mine(fd)) {
        struct stat found;
        fstat(fd, &found);
        if (in("dirsync") && S_ISDIR(found.st_mode)) FAIL(EINVAL);
        if (in("nofsync")) FAIL(ENOTSUP);
        if (in("eio") && nth()) FAIL(EIO);
    }
    return next(fd);
}

ssize_t write(int fd, const void *from, size_t size) {
    NEXT(ssize_t, write, int, const void *, size_t);
    if (fd > 2 && mine(fd)) {
        if (in("short") && size > 1) return next(fd, from, 1 + (size - 1) / 3);
        if (in("eio") && nth()) FAIL(EIO);
    }
    return next(fd, from, size);
}

ssize_t read(int fd, void *to, size_t size) {
    NEXT(ssize_t, read, int, void *, size_t);
    if (fd > 2 && mine(fd)) {
        if (in("shortread") && size > 1) return next(fd, to, 1 + (size - 1) / 3);
        if (in("readeio") && nth()) FAIL(EIO);
        if (in("stale") && nth()) FAIL(ESTALE);
    }
    return next(fd, to, size);
}

static int over(const char *path) { return in("norename") && below(path) && access(path, F_OK) == 0; }

int rename(const char *from, const char *to) {
    NEXT(int, rename, const char *, const char *);
    if (over(to)) FAIL(EEXIST);
    return next(from, to);
}

int renameat(int a, const char *from, int b, const char *to) {
    NEXT(int, renameat, int, const char *, int, const char *);
    if (over(to)) FAIL(EEXIST);
    return next(a, from, b, to);
}

int flock(int fd, int operation) {
    NEXT(int, flock, int, int);
    if (in("flock") && mine(fd)) FAIL(ENOLCK);
    return next(fd, operation);
}

int link(const char *from, const char *to) {
    NEXT(int, link, const char *, const char *);
    if (in("nolink") && below(to)) FAIL(EPERM);
    return next(from, to);
}
