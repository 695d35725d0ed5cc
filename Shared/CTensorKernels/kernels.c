#include "CTensorKernels.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__clang__)
// Every helper that passes a vector is always inlined, so its calling convention never shows.
#pragma clang diagnostic ignored "-Wpsabi"
#endif

#define CTK_MEMBER(name, params, args) void (*name) params;
typedef struct { CTK_KERNELS(CTK_MEMBER) } ctk_table;

#define CTK_JOIN2(a, b) a##b
#define CTK_JOIN(a, b) CTK_JOIN2(a, b)
#define CTK_T(name) CTK_JOIN(name, CTK_SUFFIX)

#define CTK_UNROLL _Pragma("clang loop unroll(full)")

#define CTK_SUFFIX _baseline
#include "kernels/variant.h"
#undef CTK_SUFFIX

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define CTK_SUFFIX _v3
#include "kernels/variant.h"
#undef CTK_SUFFIX
#pragma clang attribute pop

#define CTK_WIDE
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"), min_vector_width(512))), apply_to = function)
#define CTK_SUFFIX _v4
#include "kernels/variant.h"
#undef CTK_SUFFIX
#pragma clang attribute pop

#define CTK_BF16
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"), min_vector_width(512))), \
                             apply_to = function)
#define CTK_SUFFIX _v4_bf16
#include "kernels/variant.h"
#undef CTK_SUFFIX
#pragma clang attribute pop
#endif

static const ctk_table *ctk_selected = &table_baseline;
static const char *ctk_selected_name = "baseline";

#if defined(__x86_64__)
__attribute__((constructor)) static void ctk_select(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2")) {
        int bf16 = __builtin_cpu_supports("avx512bf16");
        ctk_selected = bf16 ? &table_v4_bf16 : &table_v4;
        ctk_selected_name = bf16 ? "x86-64-v4 with bf16" : "x86-64-v4";
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
        ctk_selected = &table_v3;
        ctk_selected_name = "x86-64-v3";
    }
}
#endif

const char *ctk_instruction_set(void) { return ctk_selected_name; }

#define CTK_WRAPPER(name, params, args) \
    void ctk_##name params { ctk_selected->name args; }
CTK_KERNELS(CTK_WRAPPER)

int ctk_has_wide_registers(void) { return strncmp(ctk_selected_name, "x86-64-v4", 9) == 0; }

double ctk_sum_of_squares(const float *x, long count) {
    double s[8] = {0};
    long i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) s[j] += (double)x[i + j] * x[i + j];
    for (; i < count; i++) s[0] += (double)x[i] * x[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
