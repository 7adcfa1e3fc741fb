/* The file system as one process sees it, watched and broken. Loaded with LD_PRELOAD, it counts the calls that change
 * anything below the directory FAULT_BELOW. At the call number FAULT_AT, FAULT_DO happens:
 *
 *   kill         SIGKILL in the place of the call
 *   tear         SIGKILL after it, or after half of it if it writes
 *   short        half of it is written, which no caller may take for a failure; so is each one that follows
 *   EIO          it fails, once
 *   EIO-ever     it fails, and so does each one that follows
 *   ENOSPC-ever  half of it is written; each one that follows and takes space fails
 *
 * Reading a file whose path ends with FAULT_UNREADABLE fails with EIO. With FAULT_PLAIN, directories cannot be synced and
 * neither owners nor modes be changed, as on some network file systems.
 *
 * Each call goes to the file FAULT_LOG, a line of fields with tabs between: what it does, "!" if it was failed, path,
 * second path, offset or length, bytes in hexadecimal. FAULT_CLOCK seconds are added to the time of day; with a "@" before them, they
 * are the time of day, for ever. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum verdict { PASS, HALF, FAIL, LAST };

struct call {
    const char *what;
    char path[PATH_MAX], to[PATH_MAX];
    long long at;
    const unsigned char *bytes;
    size_t count;
    int takes_space;
};

static const char *below, *how, *unreadable;
static long target, calls;
static int record = -1;
static long long shift;
static int stopped, plain;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *text;
    how = (text = getenv("FAULT_DO")) ? text : "";
    target = (text = getenv("FAULT_AT")) ? atol(text) : 0;
    if ((text = getenv("FAULT_CLOCK"))) {
        stopped = *text == '@';
        shift = atoll(text + stopped);
    }
    if ((text = getenv("FAULT_LOG")))
        record = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    below = getenv("FAULT_BELOW");
    unreadable = getenv("FAULT_UNREADABLE");
    plain = getenv("FAULT_PLAIN") != NULL;
}

/* The absolute path of a file: open, or named from an open directory. */
static void resolve(char *out, int fd, const char *name) {
    char link[64];
    size_t length = 0;
    *out = 0;
    if (!name || (*name != '/' && fd != AT_FDCWD)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t read = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
        length = read < 0 ? 0 : read;
        out[length] = 0;
    }
    if (name)
        snprintf(out + length, PATH_MAX - length, "%s%s", length ? "/" : "", name);
}

static int is_watched(const char *path) {
    size_t length = below ? strlen(below) : 0;
    return length && !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

static void note(const struct call *call, int failed) {
    if (record < 0)
        return;
    char *line;
    size_t size;
    FILE *out = open_memstream(&line, &size);
    fprintf(out, "%s\t%s\t%s\t%s\t%lld\t", call->what, failed ? "!" : "", call->path, call->to, call->at);
    for (size_t i = 0; i < call->count; i++)
        fprintf(out, "%02x", call->bytes[i]);
    fputc('\n', out);
    fclose(out);
    syscall(SYS_write, record, line, size);
    free(line);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static int is(const char *name) { return !strcmp(how, name); }

/* What becomes of a call. Whoever gets LAST makes it, or half of it, and dies. */
static enum verdict judge(struct call *call) {
    if (!is_watched(call->path))
        return PASS;
    pthread_mutex_lock(&one_at_a_time);
    long number = ++calls;
    enum verdict verdict = PASS;
    if (target && number >= target) {
        int now = number == target;
        if (now && is("kill"))
            die();
        if (now && is("tear"))
            verdict = LAST;
        if (is("short"))
            verdict = HALF;
        if (is("EIO-ever") || (now && is("EIO")))
            verdict = FAIL;
        if (is("ENOSPC-ever") && call->takes_space)
            verdict = now && call->count > 1 ? HALF : FAIL;
    }
    if ((verdict == HALF || verdict == LAST) && call->count > 1)
        call->count /= 2;
    note(call, verdict == FAIL);
    pthread_mutex_unlock(&one_at_a_time);
    if (verdict == FAIL)
        errno = is("ENOSPC-ever") ? ENOSPC : EIO;
    return verdict;
}

#define AROUND(call, real)                                                                                             \
    do {                                                                                                               \
        enum verdict verdict = judge(&(call));                                                                         \
        if (verdict == FAIL)                                                                                           \
            return -1;                                                                                                 \
        __typeof__(real) result = (real);                                                                              \
        if (verdict == LAST)                                                                                           \
            die();                                                                                                     \
        return result;                                                                                                 \
    } while (0)

static int open_file(int directory, const char *name, int flags, mode_t mode) {
    struct call call = {.what = "create", .takes_space = 1};
    if (flags & (O_CREAT | O_TRUNC)) {
        resolve(call.path, directory, name);
        int is_there = !syscall(SYS_faccessat, directory, name, F_OK);
        if (!is_there || flags & O_TRUNC) {
            if (is_there) {
                call.what = "resize";
                call.takes_space = 0;
            }
            AROUND(call, (int)syscall(SYS_openat, directory, name, flags, mode));
        }
    }
    return syscall(SYS_openat, directory, name, flags, mode);
}

#define OPEN(name, parameters, directory)                                                                              \
    int name parameters {                                                                                              \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return open_file(directory, path, flags, mode);                                                                \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), at)
OPEN(openat64, (int at, const char *path, int flags, ...), at)

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t at) {
    struct call call = {.what = "write", .bytes = bytes, .count = count, .takes_space = 1};
    resolve(call.path, fd, NULL);
    call.at = at < 0 && is_watched(call.path) ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : at;
    AROUND(call, at < 0 ? syscall(SYS_write, fd, bytes, call.count) : syscall(SYS_pwrite64, fd, bytes, call.count, at));
}
ssize_t read(int fd, void *bytes, size_t count) {
    char path[PATH_MAX];
    if (unreadable) {
        resolve(path, fd, NULL);
        size_t length = strlen(path), end = strlen(unreadable);
        if (length >= end && !strcmp(path + length - end, unreadable)) {
            errno = EIO;
            return -1;
        }
    }
    return syscall(SYS_read, fd, bytes, count);
}

ssize_t write(int fd, const void *bytes, size_t count) { return write_at(fd, bytes, count, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return write_at(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return write_at(fd, bytes, count, at); }
/* Of several buffers the first one is written, which is a short write. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    return count > 0 ? write_at(fd, parts->iov_base, parts->iov_len, -1) : 0;
}

/* Copies within the kernel are refused, as old kernels do, so that each shows as what it reads and writes. */
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t count, unsigned flags) {
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t count) {
    errno = EINVAL;
    return -1;
}

static int resize(int fd, off_t length) {
    struct call call = {.what = "resize", .at = length};
    resolve(call.path, fd, NULL);
    AROUND(call, (int)syscall(SYS_ftruncate, fd, length));
}
int ftruncate(int fd, off_t length) { return resize(fd, length); }
int ftruncate64(int fd, off64_t length) { return resize(fd, length); }

static int allocate(int fd, int mode, off_t at, off_t length) {
    struct call call = {.what = "allocate", .at = at + length, .takes_space = 1};
    resolve(call.path, fd, NULL);
    AROUND(call, (int)syscall(SYS_fallocate, fd, mode, at, length));
}
int fallocate(int fd, int mode, off_t at, off_t length) { return allocate(fd, mode, at, length); }
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return allocate(fd, mode, at, length); }

static int sync_file(int fd, long number) {
    struct stat file;
    if (plain && !fstat(fd, &file) && S_ISDIR(file.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    struct call call = {.what = "sync"};
    resolve(call.path, fd, NULL);
    AROUND(call, (int)syscall(number, fd));
}
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

static int rename_file(int from_at, const char *from, int to_at, const char *to) {
    struct call call = {.what = "rename", .takes_space = 0};
    resolve(call.path, from_at, from);
    resolve(call.to, to_at, to);
    AROUND(call, (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0));
}
int rename(const char *from, const char *to) { return rename_file(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return rename_file(from_at, from, to_at, to); }

static int remove_name(int directory, const char *name, int flags) {
    struct call call = {.what = "remove"};
    resolve(call.path, directory, name);
    /* Of what is not there nothing is changed. */
    if (syscall(SYS_faccessat, directory, name, F_OK))
        return syscall(SYS_unlinkat, directory, name, flags);
    AROUND(call, (int)syscall(SYS_unlinkat, directory, name, flags));
}
int unlink(const char *path) { return remove_name(AT_FDCWD, path, 0); }
int unlinkat(int directory, const char *path, int flags) { return remove_name(directory, path, flags); }
int rmdir(const char *path) { return remove_name(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode) {
    struct call call = {.what = "mkdir", .takes_space = 1};
    resolve(call.path, AT_FDCWD, path);
    AROUND(call, (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int fchown(int fd, uid_t owner, gid_t group) {
    if (plain) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_fchown, fd, owner, group);
}

int fchmod(int fd, mode_t mode) {
    if (plain) {
        errno = EPERM;
        return -1;
    }
    struct call call = {.what = "mode"};
    resolve(call.path, fd, NULL);
    AROUND(call, (int)syscall(SYS_fchmod, fd, mode));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (!result && clock == CLOCK_REALTIME) {
        time->tv_sec = stopped ? shift : time->tv_sec + shift;
        time->tv_nsec = stopped ? 0 : time->tv_nsec;
    }
    return result;
}
