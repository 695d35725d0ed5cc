// A small persistent thread pool. Workers spin briefly for the next region, then sleep; indices are handed out one by one,
// so a slow core takes fewer. A region is over when its last index is done, whether or not every worker came to it: one
// that sleeps, or whose core is taken by another program, holds nobody up. What an index computes never depends on which
// worker takes it.
#define _GNU_SOURCE
#include "CTensorKernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define CTK_SPINS 4000

struct worker {
    ctk_pool *pool;
    long number;
    pthread_t thread;
};

// The region's number in the upper half, the next index to hand out in the lower one.
typedef unsigned long long ticket;
#define CTK_CLOSED 0xffffffffull
#define CTK_REGION(t) ((t) >> 32)
#define CTK_INDEX(t) ((long)((t) & CTK_CLOSED))

struct ctk_pool {
    int threads;
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_int stopping;
    _Atomic ticket next;
    atomic_long done;
    // Of the open region. They change only after it was closed, and whoever sees a change sees the closing: a ticket that
    // can still be taken vouches for them.
    atomic_long count;
    _Atomic(ctk_task) task;
    _Atomic(void *) context;
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// The pool whose task this thread is computing, and as which worker.
struct place { const ctk_pool *pool; long worker; };
static _Thread_local struct place inside;

static void drain(ctk_pool *pool, long worker) {
    // A task of another pool may have opened this one's region.
    struct place before = inside;
    inside = (struct place){pool, worker};
    for (;;) {
        ticket t = atomic_load_explicit(&pool->next, memory_order_acquire);
        ctk_task task = atomic_load_explicit(&pool->task, memory_order_acquire);
        void *context = atomic_load_explicit(&pool->context, memory_order_acquire);
        if (CTK_INDEX(t) >= atomic_load_explicit(&pool->count, memory_order_acquire)) break;
        if (!atomic_compare_exchange_weak_explicit(&pool->next, &t, t + 1, memory_order_acq_rel, memory_order_relaxed))
            continue;
        task(context, CTK_INDEX(t), worker);
        atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
    }
    inside = before;
}

static void *work(void *argument) {
    struct worker *self = argument;
    ctk_pool *pool = self->pool;
    ticket seen = 0;
    for (;;) {
        int spins = 0;
        while (CTK_REGION(atomic_load_explicit(&pool->next, memory_order_acquire)) == seen) {
            if (++spins < CTK_SPINS) { relax(); continue; }
            pthread_mutex_lock(&pool->lock);
            while (CTK_REGION(atomic_load(&pool->next)) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
            pthread_mutex_unlock(&pool->lock);
        }
        if (atomic_load(&pool->stopping)) return NULL;
        seen = CTK_REGION(atomic_load_explicit(&pool->next, memory_order_acquire));
        drain(pool, self->number);
    }
}

ctk_pool *ctk_pool_create(int threads) {
    if (threads < 1) threads = 1;
    ctk_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    if (!pool->workers) { free(pool); return NULL; }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->threads = 1;
    for (int i = 1; i < threads; i++) {
        struct worker *w = &pool->workers[i];
        w->pool = pool;
        w->number = i;
        if (pthread_create(&w->thread, NULL, work, w) != 0) { ctk_pool_destroy(pool); return NULL; }
        pool->threads = i + 1;
    }
    return pool;
}

// Opens the next region at an index.
static void announce(ctk_pool *pool, ticket index) {
    pthread_mutex_lock(&pool->lock);
    ticket region = CTK_REGION(atomic_load(&pool->next)) + 1;
    atomic_store_explicit(&pool->next, region << 32 | index, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

void ctk_pool_destroy(ctk_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stopping, 1);
    announce(pool, CTK_CLOSED);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

void ctk_pool_run(ctk_pool *pool, long count, ctk_task task, void *context) {
    if (count <= 0) return;
    struct place before = inside;
    // Inside a region of its own: to open another would overwrite the one that this task belongs to.
    if (before.pool == pool || pool->threads == 1 || count == 1) {
        if (before.pool != pool) inside = (struct place){pool, 0};
        for (long i = 0; i < count; i++) task(context, i, inside.worker);
        inside = before;
        return;
    }
    atomic_fetch_or_explicit(&pool->next, CTK_CLOSED, memory_order_acq_rel);
    atomic_store_explicit(&pool->count, count, memory_order_release);
    atomic_store_explicit(&pool->task, task, memory_order_release);
    atomic_store_explicit(&pool->context, context, memory_order_release);
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    announce(pool, 0);
    drain(pool, 0);
    int spins = 0;
    while (atomic_load_explicit(&pool->done, memory_order_acquire) != count) {
        relax();
        if (++spins > CTK_SPINS) { sched_yield(); spins = 0; }
    }
}

int ctk_processor_count(void) {
    long count = 0;
#if defined(__linux__)
    // The mask of a large machine does not fit into the fixed type; the kernel says so by EINVAL.
    for (int bits = 1024; bits <= 1 << 20 && count <= 0; bits *= 2) {
        cpu_set_t *set = CPU_ALLOC(bits);
        if (!set) break;
        if (sched_getaffinity(0, CPU_ALLOC_SIZE(bits), set) == 0) count = CPU_COUNT_S(CPU_ALLOC_SIZE(bits), set);
        CPU_FREE(set);
    }
#endif
    if (count <= 0) count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}
