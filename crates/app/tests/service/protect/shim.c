// Stands between the service and the kernel: kills it at a chosen call, or lets calls fail.
//
// FAULT_FILE names a file that arms it: "kill-before N", "kill-after N", "fail ERRNO". It counts (or fails) the writes,
// syncs and creations below FAULT_PATH from then on, and counts what is sent; without the file nothing happens.
//
// In FAULT_DURABLE it keeps what a power cut would leave: for each file that was synced its bytes of then, and for each
// directory that was synced its names of then, both under the number of the inode.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int calls;

static int is_below(const char *path) {
    const char *prefix = getenv("FAULT_PATH");
    return prefix && strncmp(path, prefix, strlen(prefix)) == 0;
}

enum { OTHER, BELOW, SOCKET };

static int kind_of(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return OTHER;
    path[length] = 0;
    return is_below(path) ? BELOW : strncmp(path, "socket:", 7) == 0 ? SOCKET : OTHER;
}

// What is to happen, if anything; 'n' for nothing.
static char armed(int *number) {
    char kind[16] = "";
    const char *name = getenv("FAULT_FILE");
    FILE *file = name ? fopen(name, "re") : NULL;
    if (!file) return 'n';
    int read = fscanf(file, "%15s %d", kind, number);
    fclose(file);
    if (read != 2) return 'n';
    return strcmp(kind, "fail") == 0 ? 'f' : strcmp(kind, "kill-before") == 0 ? 'b' : 'a';
}

// Before a call: whether it fails.
static int fails(int what, int *kill_after) {
    int number = 0, error = errno;
    char kind = what == OTHER ? 'n' : armed(&number);
    *kill_after = 0;
    errno = error;
    if (kind == 'n') return 0;
    if (kind == 'f') {
        if (what == SOCKET) return 0;
        errno = number;
        return 1;
    }
    if (atomic_fetch_add(&calls, 1) + 1 == number) {
        if (kind == 'b') raise(SIGKILL);
        *kill_after = 1;
    }
    return 0;
}

static void after(int kill_after) {
    if (kill_after) raise(SIGKILL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PASS(what, call, type)                       \
    int kill_after;                                  \
    if (fails(what, &kill_after)) return -1;         \
    type result = call;                              \
    after(kill_after);                               \
    return result

ssize_t write(int fd, const void *bytes, size_t length) {
    PASS(kind_of(fd), REAL(write)(fd, bytes, length), ssize_t);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    PASS(kind_of(fd), REAL(pwrite)(fd, bytes, length, at), ssize_t);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    PASS(kind_of(fd), REAL(pwrite64)(fd, bytes, length, at), ssize_t);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    PASS(kind_of(fd), REAL(writev)(fd, parts, count), ssize_t);
}
ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    PASS(kind_of(fd), REAL(send)(fd, bytes, length, flags), ssize_t);
}

static void keep_names(DIR *names, FILE *kept) {
    struct dirent *entry;
    while ((entry = readdir(names)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            fprintf(kept, "%llu %s\n", (unsigned long long)entry->d_ino, entry->d_name);
    closedir(names);
}

static void keep_bytes(int fd, FILE *kept) {
    char bytes[65536];
    ssize_t length;
    for (off64_t at = 0; (length = pread64(fd, bytes, sizeof bytes, at)) > 0; at += length)
        fwrite(bytes, 1, (size_t)length, kept);
}

// What is durable now. Whoever cannot keep it cannot show anything: the test must notice.
static int keep(int what, int fd, int synced) {
    const char *directory = getenv("FAULT_DURABLE");
    if (what != BELOW || synced != 0 || !directory) return synced;
    char link[64], partial[4096], path[4096];
    struct stat found;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    // The descriptor may be for writing only.
    int again = REAL(open64)(link, O_RDONLY | O_CLOEXEC);
    if (again < 0 || fstat(again, &found)) abort();
    snprintf(path, sizeof path, "%s/%llu", directory, (unsigned long long)found.st_ino);
    snprintf(partial, sizeof partial, "%s.%d", path, gettid());
    int is_new = access(path, F_OK) != 0;
    FILE *kept = fopen(partial, "we");
    if (!kept) abort();
    DIR *names = S_ISDIR(found.st_mode) ? opendir(link) : NULL;
    if (names) keep_names(names, kept);
    else keep_bytes(again, kept);
    if (fclose(kept) || rename(partial, path)) abort();
    // Left open once: while it is, no other file gets its number, even if it is removed.
    if (!is_new && close(again)) abort();
    return synced;
}

// With FAULT_DIRECTORY, directories below the path cannot be synced, as on some network file systems.
static int cannot_sync(int fd, int what) {
    struct stat found;
    if (what != BELOW || !getenv("FAULT_DIRECTORY") || fstat(fd, &found) || !S_ISDIR(found.st_mode)) return 0;
    errno = EINVAL;
    return 1;
}

int fsync(int fd) {
    int what = kind_of(fd);
    if (cannot_sync(fd, what)) return -1;
    PASS(what, keep(what, fd, REAL(fsync)(fd)), int);
}
int fdatasync(int fd) {
    int what = kind_of(fd);
    if (cannot_sync(fd, what)) return -1;
    PASS(what, keep(what, fd, REAL(fdatasync)(fd)), int);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    PASS((flags & O_CREAT) && is_below(path) ? BELOW : OTHER, REAL(open64)(path, flags, mode), int);
}

int openat(int at, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    PASS((flags & O_CREAT) && kind_of(at) == BELOW ? BELOW : OTHER, REAL(openat)(at, path, flags, mode), int);
}
