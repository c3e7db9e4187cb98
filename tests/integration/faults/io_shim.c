// Preloaded into a program (LD_PRELOAD), it makes chosen calls to the disk fail or dawdle, and the
// wall clock step: what a test cannot ask of a real disk and a real clock.
//
//   SHIM_UNDER   calls on files whose path begins with this are counted; no others are touched
//   SHIM_CALLS   which: a list such as "fdatasync,fsync,write,open,rename"
//   SHIM_NTH     the n-th such call fails, and no other; 0 or unset: each one does
//   SHIM_ERRNO   with this number; 0: none fails, they only wait
//   SHIM_DELAY   microseconds that each such call takes longer
//   SHIM_WHILE   only while this file exists
//   SHIM_CLOCK   a file with a number of seconds, by which CLOCK_REALTIME is off
//
// "write" is write, pwrite and fallocate in all their names; "open" is of files to be written.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char under[PATH_MAX];
static char calls[256];
static char while_file[PATH_MAX];
static char clock_file[PATH_MAX];
static long nth;
static int number;
static long delay;
static long counted;

static void copy(char* to, size_t size, const char* name) {
    const char* value = getenv(name);
    snprintf(to, size, "%s", value ? value : "");
}

static long number_of(const char* name) {
    const char* value = getenv(name);
    return value ? atol(value) : 0;
}

__attribute__((constructor)) static void begin(void) {
    copy(under, sizeof under, "SHIM_UNDER");
    copy(calls, sizeof calls, "SHIM_CALLS");
    copy(while_file, sizeof while_file, "SHIM_WHILE");
    copy(clock_file, sizeof clock_file, "SHIM_CLOCK");
    nth = number_of("SHIM_NTH");
    number = (int)number_of("SHIM_ERRNO");
    delay = number_of("SHIM_DELAY");
}

static int is_chosen(const char* call) {
    char list[300];
    char word[40];
    snprintf(list, sizeof list, ",%s,", calls);
    snprintf(word, sizeof word, ",%s,", call);
    return strstr(list, word) != NULL;
}

// Whether this call has to fail; errno is set then.
static int strikes(const char* call, const char* path) {
    if (under[0] == 0 || strncmp(path, under, strlen(under)) != 0 || !is_chosen(call)) return 0;
    const int before = errno;
    if (while_file[0] != 0 && faccessat(AT_FDCWD, while_file, F_OK, 0) != 0) {
        errno = before;
        return 0;
    }
    if (delay > 0) {
        const struct timespec pause = {delay / 1000000, delay % 1000000 * 1000};
        nanosleep(&pause, NULL);
    }
    errno = before;
    if (number == 0) return 0;
    const long mine = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    if (nth != 0 && mine != nth) return 0;
    dprintf(STDERR_FILENO, "io_shim: %s of %s fails as call %ld\n", call, path, mine);
    errno = number;
    return 1;
}

static int strikes_fd(const char* call, int fd) {
    if (under[0] == 0) return 0;
    const int before = errno;
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length <= 0) return 0;
    path[length] = 0;
    return strikes(call, path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return strikes_fd("fdatasync", fd) ? -1 : real(fd);
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return strikes_fd("fsync", fd) ? -1 : real(fd);
}

ssize_t write(int fd, const void* data, size_t size) {
    REAL(ssize_t, write, int, const void*, size_t);
    return strikes_fd("write", fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    REAL(ssize_t, pwrite, int, const void*, size_t, off_t);
    return strikes_fd("write", fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void*, size_t, off64_t);
    return strikes_fd("write", fd) ? -1 : real(fd, data, size, at);
}

int fallocate(int fd, int mode, off_t from, off_t size) {
    REAL(int, fallocate, int, int, off_t, off_t);
    return strikes_fd("write", fd) ? -1 : real(fd, mode, from, size);
}

int fallocate64(int fd, int mode, off64_t from, off64_t size) {
    REAL(int, fallocate64, int, int, off64_t, off64_t);
    return strikes_fd("write", fd) ? -1 : real(fd, mode, from, size);
}

int rename(const char* from, const char* to) {
    REAL(int, rename, const char*, const char*);
    return strikes("rename", to) ? -1 : real(from, to);
}

#define OPEN(name)                                                              \
    int name(const char* path, int flags, ...) {                                \
        REAL(int, name, const char*, int, ...);                                 \
        mode_t mode = 0;                                                        \
        if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                             \
            va_list more;                                                       \
            va_start(more, flags);                                              \
            mode = va_arg(more, mode_t);                                        \
            va_end(more);                                                       \
        }                                                                       \
        if ((flags & O_ACCMODE) != O_RDONLY && strikes("open", path)) return -1; \
        return real(path, flags, mode);                                         \
    }

OPEN(open)
OPEN(open64)

// Read anew once in a while: a test steps the clock by writing the file.
static time_t clock_offset(void) {
    static time_t offset;
    static time_t read_at = -1;
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    REAL(int, clock_gettime, clockid_t, struct timespec*);
    struct timespec now;
    real(CLOCK_MONOTONIC_COARSE, &now);
    pthread_mutex_lock(&mutex);
    const time_t tenth = now.tv_sec * 10 + now.tv_nsec / 100000000;
    if (tenth != read_at) {
        read_at = tenth;
        char text[32] = {0};
        const int fd = openat(AT_FDCWD, clock_file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (read(fd, text, sizeof text - 1) > 0) offset = (time_t)atol(text);
            close(fd);
        }
    }
    const time_t found = offset;
    pthread_mutex_unlock(&mutex);
    return found;
}

int clock_gettime(clockid_t id, struct timespec* now) {
    REAL(int, clock_gettime, clockid_t, struct timespec*);
    const int outcome = real(id, now);
    if (outcome == 0 && clock_file[0] != 0 &&
        (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        const int before = errno;
        now->tv_sec += clock_offset();
        errno = before;
    }
    return outcome;
}
