#include "CTensorKernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__clang__)
// Every helper that passes a vector is always inlined, so its calling convention never shows.
#pragma clang diagnostic ignored "-Wpsabi"
#endif

#define CTK_JOIN2(a, b) a##b
#define CTK_JOIN(a, b) CTK_JOIN2(a, b)
#define CTK_T(name) CTK_JOIN(name, CTK_SUFFIX)

#define CTK_UNROLL _Pragma("clang loop unroll(full)")

#define CTK_SUFFIX _baseline
#if defined(__aarch64__)
#define CTK_NAME "neon"
#else
#define CTK_NAME "baseline"
#endif
#include "kernels/variant.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define CTK_SUFFIX _avx2
#define CTK_NAME "avx2"
#include "kernels/variant.h"
#pragma clang attribute pop

#define CTK_WIDE
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"), min_vector_width(512))), apply_to = function)
#define CTK_SUFFIX _avx512
#define CTK_NAME "avx512"
#include "kernels/variant.h"
#pragma clang attribute pop

#define CTK_BF16
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"), min_vector_width(512))), \
                             apply_to = function)
#define CTK_SUFFIX _avx512_bf16
#define CTK_NAME "avx512-bf16"
#include "kernels/variant.h"
#pragma clang attribute pop
#endif

static const ctk_table *const tables[] = {
    &table_baseline,
#if defined(__x86_64__)
    &table_avx2,
    &table_avx512,
    &table_avx512_bf16,
#endif
};

const ctk_table *ctk_table_at(int index) {
    return index >= 0 && index < (int)(sizeof tables / sizeof *tables) ? tables[index] : NULL;
}

int ctk_can_run(const ctk_table *table) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vl");
    if (table == &table_avx2) return avx2;
    if (table == &table_avx512) return avx512;
    if (table == &table_avx512_bf16) return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
    return table == &table_baseline;
}

double ctk_sum_of_squares(const float *x, long count) {
    double s[8] = {0};
    long i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) s[j] += (double)x[i + j] * x[i + j];
    for (; i < count; i++) s[0] += (double)x[i] * x[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
