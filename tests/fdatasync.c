/* Stands before fdatasync and fsync of the process that it is preloaded into: counts them in a shared file, makes them
   slow, or makes them fail. AXON_TEST_SYNC names that file, which the test made and filled with zeros. */
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
#include <time.h>
#include <unistd.h>

struct shared {
    _Atomic uint64_t log;    /* calls on a write-ahead log */
    _Atomic uint64_t other;  /* calls on any other file */
    _Atomic uint64_t failed; /* calls that were made to fail */
    _Atomic uint64_t micros; /* how long each call takes in addition */
    _Atomic uint64_t fail;   /* not 0: calls fail with EIO */
};
static struct shared *shared;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("AXON_TEST_SYNC");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *at = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at != MAP_FAILED) shared = at;
}

static int is_log(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 4) return 0;
    path[length] = 0;
    return strcmp(path + length - 4, "-wal") == 0;
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
