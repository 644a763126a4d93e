/* Stands before fdatasync and fsync of the process that it is preloaded into: counts them in a shared file, makes them
   slow, or makes them fail. AXON_TEST_SYNC names that file, which the test made and filled with zeros.
   Stands before writes too, for a disk that is full under AXON_TEST_STORE_FILE: the files whose names begin with the
   store's take nothing, and those in folders of such a name (the spool) only what fits the room that they have. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct shared {
    _Atomic uint64_t log;    /* calls on a write-ahead log */
    _Atomic uint64_t other;  /* calls on any other file */
    _Atomic uint64_t failed; /* calls that were made to fail */
    _Atomic uint64_t micros; /* how long each call takes in addition */
    _Atomic uint64_t fail;   /* not 0: calls fail with EIO */
    _Atomic uint64_t full;   /* not 0: the disk under the store is full */
    _Atomic uint64_t refused; /* writes that were refused with ENOSPC */
};
static struct shared *shared;
static const char *store;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("AXON_TEST_SYNC");
    store = getenv("AXON_TEST_STORE_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *at = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at != MAP_FAILED) shared = at;
}

static ssize_t path_of(int file, char path[4096]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, 4095);
    path[length < 0 ? 0 : length] = 0;
    return length;
}

static int is_log(int file) {
    char path[4096];
    ssize_t length = path_of(file, path);
    return length >= 4 && strcmp(path + length - 4, "-wal") == 0;
}

static int synchronise(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!shared) return real(file);
    uint64_t micros = shared->micros;
    if (micros) {
        struct timespec wait = {micros / 1000000, (micros % 1000000) * 1000};
        nanosleep(&wait, NULL);
    }
    if (shared->fail) {
        shared->failed++;
        errno = EIO;
        return -1;
    }
    int result = real(file);
    if (is_log(file)) shared->log++; else shared->other++;
    return result;
}

int fdatasync(int file) { return synchronise("fdatasync", file); }
int fsync(int file) { return synchronise("fsync", file); }

/* Whether there is no room for a file that would end here. */
static int no_room(int file, off_t end) {
    char path[4096];
    struct stat is;
    if (!shared || !shared->full || !store || path_of(file, path) <= 0) return 0;
    if (strncmp(path, store, strlen(store)) != 0) return 0;
    int in_folder = strchr(path + strlen(store), '/') != NULL;
    if (in_folder && fstat(file, &is) == 0 && end <= is.st_size) return 0;
    shared->refused++;
    errno = ENOSPC;
    return 1;
}

static off_t here(int file) {
    int flags = fcntl(file, F_GETFL);
    return lseek(file, 0, flags >= 0 && flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

#define REAL(result, name, ...) ((result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t at) {
    if (no_room(file, at + (off_t)count)) return -1;
    return REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t)(file, bytes, count, at);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { return pwrite64(file, bytes, count, at); }

ssize_t write(int file, const void *bytes, size_t count) {
    if (shared && shared->full && no_room(file, here(file) + (off_t)count)) return -1;
    return REAL(ssize_t, "write", int, const void *, size_t)(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (shared && shared->full) {
        off_t end = here(file);
        for (int n = 0; n < count; n++) end += (off_t)parts[n].iov_len;
        if (no_room(file, end)) return -1;
    }
    return REAL(ssize_t, "writev", int, const struct iovec *, int)(file, parts, count);
}

/* A file that becomes shorter needs no room. */
int ftruncate64(int file, off_t length) {
    struct stat is;
    if (fstat(file, &is) == 0 && length > is.st_size && no_room(file, length)) return -1;
    return REAL(int, "ftruncate64", int, off_t)(file, length);
}
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int posix_fallocate64(int file, off_t from, off_t length) {
    if (no_room(file, from + length)) return ENOSPC;
    return REAL(int, "posix_fallocate64", int, off_t, off_t)(file, from, length);
}
int posix_fallocate(int file, off_t from, off_t length) { return posix_fallocate64(file, from, length); }
int fallocate64(int file, int mode, off_t from, off_t length) {
    if (no_room(file, from + length)) return -1;
    return REAL(int, "fallocate64", int, int, off_t, off_t)(file, mode, from, length);
}
int fallocate(int file, int mode, off_t from, off_t length) { return fallocate64(file, mode, from, length); }
