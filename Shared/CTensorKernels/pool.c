// A small persistent thread pool. Workers spin briefly for the next region, then sleep; indices are handed out by an
// atomic counter, so a slow core takes fewer. What an index computes never depends on which worker takes it.
#include "CTensorKernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CTK_SPINS 4000

struct worker {
    ctk_pool *pool;
    long number;
    pthread_t thread;
};

struct ctk_pool {
    int threads;
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_long generation;
    atomic_long next;
    atomic_int running;
    atomic_int stopping;
    long count;
    ctk_task task;
    void *context;
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void drain(ctk_pool *pool, long worker) {
    for (;;) {
        long index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->count) return;
        pool->task(pool->context, index, worker);
    }
}

static void *work(void *argument) {
    struct worker *self = argument;
    ctk_pool *pool = self->pool;
    long seen = 0;
    for (;;) {
        int spins = 0;
        while (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen) {
            if (++spins < CTK_SPINS) { relax(); continue; }
            pthread_mutex_lock(&pool->lock);
            while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
            pthread_mutex_unlock(&pool->lock);
        }
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (atomic_load(&pool->stopping)) return NULL;
        drain(pool, self->number);
        atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
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

static void announce(ctk_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

void ctk_pool_destroy(ctk_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stopping, 1);
    announce(pool);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

void ctk_pool_run(ctk_pool *pool, long count, ctk_task task, void *context) {
    if (count <= 0) return;
    if (pool->threads == 1 || count == 1) {
        for (long i = 0; i < count; i++) task(context, i, 0);
        return;
    }
    pool->count = count;
    pool->task = task;
    pool->context = context;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->running, pool->threads - 1, memory_order_relaxed);
    announce(pool);
    drain(pool, 0);
    int spins = 0;
    while (atomic_load_explicit(&pool->running, memory_order_acquire) != 0) {
        relax();
        if (++spins > CTK_SPINS * 8) { sched_yield(); spins = 0; }
    }
}
