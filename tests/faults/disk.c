/* A disk that can be made to fail, and that remembers in which order it was written and synced.
 *
 * Preloaded into a process (LD_PRELOAD). Files below $DISK_DIR are watched, the shared memory of a
 * WAL apart, which is mapped and worth nothing after a power cut. With $DISK_LOG every write, sync,
 * truncation, creation, removal and renaming is appended there, in the order it was done; see cut.py for
 * the format. disk_fail() makes calls fail, also from Python: ctypes.CDLL(None).disk_fail(...).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { READ = 1, WRITE, SYNC, TRUNCATE, CREATE, REMOVE, RENAME, LINK, OPS };
enum { MOST_FILES = 4096, PATH_BYTES = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_BYTES];
static size_t folder_length;
static int log_file = -1;
static char *path_of[MOST_FILES]; /* by descriptor; NULL: not watched */

static int fail_op, fail_error;
static long fail_after, fail_times, calls[OPS];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_fsync)(int);
static int (*real_truncate)(int, off64_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_link)(const char *, const char *);

__attribute__((constructor)) static void begin(void) {
    real_write = REAL(write);
    real_pwrite = REAL(pwrite64);
    real_read = REAL(read);
    real_pread = REAL(pread64);
    real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    real_close = REAL(close);
    real_fsync = REAL(fsync);
    real_truncate = REAL(ftruncate64);
    real_unlink = REAL(unlink);
    real_rename = REAL(rename);
    real_link = REAL(link);
    const char *where = getenv("DISK_DIR"), *log = getenv("DISK_LOG");
    if (where && strlen(where) < PATH_BYTES) {
        strcpy(folder, where);
        folder_length = strlen(folder);
    }
    if (log && *log) log_file = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int watched(const char *path) {
    size_t length = path ? strlen(path) : 0;
    if (!folder_length || length < folder_length || strncmp(path, folder, folder_length)) return 0;
    return length < 4 || strcmp(path + length - 4, "-shm");
}

/* Held by the caller: whether this call is to fail. */
static int fails(int op) {
    calls[op]++;
    if (op != fail_op || fail_times == 0) return 0;
    if (fail_after > 0) return fail_after--, 0;
    if (fail_times > 0) fail_times--;
    errno = fail_error;
    return 1;
}

static void put(const void *data, size_t length) {
    const char *at = data;
    while (length) {
        ssize_t done = real_write(log_file, at, length);
        if (done <= 0) abort(); /* half a record would be taken for the disk's doing */
        at += done, length -= (size_t)done;
    }
}

static void note(int op, const char *path, uint64_t offset, const void *data, uint64_t length) {
    if (log_file < 0) return;
    struct { uint32_t op, path; uint64_t offset, length; } head = {
        (uint32_t)op, (uint32_t)strlen(path), offset, length};
    put(&head, sizeof head);
    put(path, head.path);
    if (data) put(data, length);
}

static const char *of(int file) {
    return file >= 0 && file < MOST_FILES ? path_of[file] : NULL;
}

void disk_fail(int op, int error, long after, long times) {
    pthread_mutex_lock(&lock);
    fail_op = op, fail_error = error, fail_after = after, fail_times = times;
    pthread_mutex_unlock(&lock);
}

long disk_calls(int op) { return calls[op]; }

/* --- calls of the C library ------------------------------------------------------------------ */

static int opened(const char *path, int flags, mode_t mode) {
    if (!watched(path)) return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    int made = (flags & O_CREAT) && access(path, F_OK) != 0, file = -1;
    if (!made || !fails(CREATE)) file = real_open(path, flags, mode);
    if (file >= 0 && file < MOST_FILES) {
        free(path_of[file]);
        path_of[file] = strdup(path);
        if (made) note(CREATE, path, 0, NULL, 0);
        if (flags & O_TRUNC) note(TRUNCATE, path, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return file;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return opened(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int file) {
    if (of(file)) {
        pthread_mutex_lock(&lock);
        free(path_of[file]);
        path_of[file] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real_close(file);
}

static ssize_t written(int file, const void *data, size_t length, off64_t offset, int at_end) {
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    if (of(file) && !fails(WRITE)) {
        if (at_end) offset = lseek64(file, 0, SEEK_END);
        done = at_end ? real_write(file, data, length) : real_pwrite(file, data, length, offset);
        if (done > 0) note(WRITE, of(file), (uint64_t)offset, data, (uint64_t)done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

/* Only files that grow at their end are written this way: a log of acknowledgements, a key. */
ssize_t write(int file, const void *data, size_t length) {
    return of(file) ? written(file, data, length, 0, 1) : real_write(file, data, length);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    return of(file) ? written(file, data, length, offset, 0)
                    : real_pwrite(file, data, length, offset);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return pwrite64(file, data, length, offset);
}

ssize_t pread64(int file, void *data, size_t length, off64_t offset) {
    if (of(file)) {
        pthread_mutex_lock(&lock);
        int failed = fails(READ);
        pthread_mutex_unlock(&lock);
        if (failed) return -1;
    }
    return real_pread(file, data, length, offset);
}

ssize_t pread(int file, void *data, size_t length, off_t offset) {
    return pread64(file, data, length, offset);
}

static int synced(int file) {
    if (!of(file)) return real_fsync(file);
    pthread_mutex_lock(&lock);
    int done = -1;
    /* Not passed on: what counts is the order, and the log itself survives this process. */
    if (of(file) && !fails(SYNC)) done = 0, note(SYNC, of(file), 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int file) { return synced(file); }
int fdatasync(int file) { return synced(file); }

int ftruncate64(int file, off64_t length) {
    if (!of(file)) return real_truncate(file, length);
    pthread_mutex_lock(&lock);
    int done = -1;
    if (of(file) && !fails(TRUNCATE) && (done = real_truncate(file, length)) == 0)
        note(TRUNCATE, of(file), (uint64_t)length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int unlink(const char *path) {
    if (!watched(path)) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int done = fails(REMOVE) ? -1 : real_unlink(path);
    if (done == 0) note(REMOVE, path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

static int named(int op, int (*real)(const char *, const char *), const char *from, const char *to) {
    if (!watched(from)) return real(from, to);
    pthread_mutex_lock(&lock);
    int done = fails(op) ? -1 : real(from, to);
    if (done == 0) note(op, from, 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) { return named(RENAME, real_rename, from, to); }
int link(const char *from, const char *to) { return named(LINK, real_link, from, to); }
