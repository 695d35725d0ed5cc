// Hot loops of TensorEngine and its thread pool, in C so that one generic binary carries a variant for each
// instruction set (baseline, x86-64-v3 with AVX2, x86-64-v4 with AVX-512) and chooses one when it loads.
// All matrices are row-major float32; `rows` counts packed tokens. Functions are pure over the ranges they are given,
// so that the caller decides how to split rows over threads.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define CTK_PARAMS(...) (__VA_ARGS__)

// X(name, parameters, arguments): one line a kernel; expands to the prototypes, the dispatch table and the wrappers.
#define CTK_KERNELS(X)                                                                                                 \
    X(rms_norm_forward,                                                                                                \
      (const float *x, const float *weight, float *y, float *inverse_rms, long rows, long dim, float epsilon),         \
      (x, weight, y, inverse_rms, rows, dim, epsilon))                                                                 \
    X(rms_norm_backward,                                                                                               \
      (const float *x, const float *weight, const float *inverse_rms, const float *dy, float *dx, int accumulate,      \
       float *dweight, long rows, long dim),                                                                           \
      (x, weight, inverse_rms, dy, dx, accumulate, dweight, rows, dim))                                                \
    X(rope, (float *x, const int32_t *positions, const float *cosines, const float *sines, float sign, long rows,      \
             long heads, long head_dim),                                                                               \
      (x, positions, cosines, sines, sign, rows, heads, head_dim))                                                     \
    X(swiglu_forward, (const float *gate, const float *up, float *y, long count), (gate, up, y, count))                \
    X(swiglu_backward,                                                                                                 \
      (const float *gate, const float *up, const float *dy, float *dgate, float *dup, long count),                     \
      (gate, up, dy, dgate, dup, count))                                                                               \
    X(add, (float *y, const float *x, long count), (y, x, count))                                                      \
    X(scale, (float *y, float factor, long count), (y, factor, count))                                                 \
    X(add_bias, (float *y, const float *bias, long rows, long dim), (y, bias, rows, dim))                              \
    X(sum_rows, (const float *x, float *sums, long rows, long dim), (x, sums, rows, dim))                              \
    X(causal_softmax_forward,                                                                                          \
      (float *scores, long rows, long stride, long first_visible, float factor, float *log_sum_exp, long lse_stride),  \
      (scores, rows, stride, first_visible, factor, log_sum_exp, lse_stride))                                          \
    X(causal_softmax_backward,                                                                                         \
      (float *scores, float *dscores, long rows, long columns, long stride, long first_visible, float factor,          \
       const float *log_sum_exp, long lse_stride, const float *deltas),                                                \
      (scores, dscores, rows, columns, stride, first_visible, factor, log_sum_exp, lse_stride, deltas))                \
    X(row_dots, (const float *a, const float *b, float *dots, long rows, long dim, long stride),                       \
      (a, b, dots, rows, dim, stride))                                                                                 \
    X(token_log_probabilities,                                                                                         \
      (const float *logits, const int32_t *targets, float *log_probabilities, float *log_sum_exp, long rows,           \
       long dim),                                                                                                      \
      (logits, targets, log_probabilities, log_sum_exp, rows, dim))                                                    \
    X(token_log_probabilities_backward,                                                                                \
      (float *logits, const int32_t *targets, const float *log_sum_exp, const float *upstream, long rows, long dim),   \
      (logits, targets, log_sum_exp, upstream, rows, dim))                                                             \
    X(adamw,                                                                                                           \
      (float *parameter, const float *gradient, float *first, float *second, long count, float gradient_scale,         \
       float decay, float beta1, float beta2, float step_size, float inverse_sqrt_correction, float epsilon),          \
      (parameter, gradient, first, second, count, gradient_scale, decay, beta1, beta2, step_size,                      \
       inverse_sqrt_correction, epsilon))                                                                              \
    X(gather_rows, (const float *table, const int32_t *indices, float *y, long rows, long dim),                        \
      (table, indices, y, rows, dim))                                                                                  \
    X(scatter_add_rows,                                                                                                \
      (const float *x, const int32_t *indices, float *table, long rows, long dim, long first, long columns),           \
      (x, indices, table, rows, dim, first, columns))                                                                  \
    X(packed_product,                                                                                                  \
      (const float *x, const float *panels, float *y, const float *bias, int accumulate, long rows, long inner,        \
       long outputs, long first_panel, long last_panel),                                                               \
      (x, panels, y, bias, accumulate, rows, inner, outputs, first_panel, last_panel))                                 \
    X(product,                                                                                                         \
      (const float *a, long row_stride, long inner_stride, const float *b, long ldb, int transpose_b, float *c,        \
       long ldc, long m, long n, long k, int accumulate),                                                              \
      (a, row_stride, inner_stride, b, ldb, transpose_b, c, ldc, m, n, k, accumulate))                                 \
    X(cached_attention,                                                                                                \
      (const float *queries, const float *keys, const float *values, float *y, float *scratch, long length,            \
       long capacity, long head_dim, long group, float factor),                                                        \
      (queries, keys, values, y, scratch, length, capacity, head_dim, group, factor))                                  \
    X(exponentials, (const float *x, float *y, float subtract, float factor, long count),                              \
      (x, y, subtract, factor, count))

#define CTK_PROTOTYPE(name, params, args) void ctk_##name params;
CTK_KERNELS(CTK_PROTOTYPE)

/// Columns of a panel in the packed weight layout of `ctk_packed_product`.
#define CTK_PANEL_WIDTH 32

/// Floats that the packed form of a [outputs, inner] weight takes.
long ctk_packed_size(long outputs, long inner);
/// Packs a row-major [outputs, inner] weight into panels [panel][inner][CTK_PANEL_WIDTH], zero-padded.
void ctk_pack(const float *weight, float *panels, long outputs, long inner);
/// Sum of squares in double precision, in a fixed order.
double ctk_sum_of_squares(const float *x, long count);
/// The instruction set in use: "x86-64-v4", "x86-64-v3" or "baseline".
const char *ctk_instruction_set(void);

typedef struct ctk_pool ctk_pool;
typedef void (*ctk_task)(void *context, long index, long worker);
/// A pool with `threads` workers, the caller included; NULL when a thread cannot be made.
ctk_pool *ctk_pool_create(int threads);
void ctk_pool_destroy(ctk_pool *pool);
/// Runs `task` for every index below `count` and returns when all are done. Only one caller at a time.
void ctk_pool_run(ctk_pool *pool, long count, ctk_task task, void *context);
