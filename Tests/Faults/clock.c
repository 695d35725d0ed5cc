/* The clock of the database's server processes, moved: loaded into them by LD_PRELOAD, and idle in all other programs.
 *
 * FAULT_CLOCK names a file of eight bytes, the microseconds to add to the wall clock. What counts time that passes
 * (CLOCK_MONOTONIC) is left alone, as where an administrator or a time server sets a machine's clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_day)(struct timeval *, void *);
static volatile int64_t *moved;

__attribute__((constructor)) static void begin(void) {
    real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    real_day = dlsym(RTLD_NEXT, "gettimeofday");
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length < 0 ? 0 : length] = 0;
    const char *name = strrchr(program, '/'), *file = getenv("FAULT_CLOCK");
    if (!file || !name || strcmp(name, "/postgres")) return;
    int descriptor = open(file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    void *map = mmap(NULL, sizeof *moved, PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (map != MAP_FAILED) moved = map;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!real_clock) begin();
    int result = real_clock(clock, time);
    if (result || !moved || clock != CLOCK_REALTIME) return result;
    int64_t nanoseconds = time->tv_nsec + *moved % 1000000 * 1000;
    time->tv_sec += *moved / 1000000 + (nanoseconds < 0 ? -1 : nanoseconds / 1000000000);
    time->tv_nsec = (nanoseconds + 1000000000) % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *time, void *zone) {
    if (!real_day) begin();
    int result = real_day(time, zone);
    if (result || !moved) return result;
    int64_t microseconds = time->tv_usec + *moved % 1000000;
    time->tv_sec += *moved / 1000000 + (microseconds < 0 ? -1 : microseconds / 1000000);
    time->tv_usec = (microseconds + 1000000) % 1000000;
    return 0;
}
