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
    X(add_scaled_rows, (const float *x, const float *factors, float *y, long rows, long dim),                          \
      (x, factors, y, rows, dim))                                                                                      \
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
    X(token_statistics,                                                                                                \
      (const float *logits, const int32_t *targets, float *log_probabilities, float *log_sum_exp, float *statistics,   \
       long rows, long dim),                                                                                           \
      (logits, targets, log_probabilities, log_sum_exp, statistics, rows, dim))                                        \
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
    X(widen, (const uint16_t *x, float *y, long count), (x, y, count))                                                 \
    X(narrow, (const float *x, uint16_t *y, long count), (x, y, count))                                                \
    X(gather_half_rows, (const uint16_t *table, const int32_t *indices, float *y, long rows, long dim),                \
      (table, indices, y, rows, dim))                                                                                  \
    X(row_products,                                                                                                    \
      (const float *x, const void *weight, int half, float *y, const float *bias, int accumulate, long rows,           \
       long inner, long stride, long first, long last),                                                                \
      (x, weight, half, y, bias, accumulate, rows, inner, stride, first, last))                                        \
    X(tile_rows, (long *rows), (rows))                                                                                 \
    X(pack,                                                                                                            \
      (const void *x, int half, int pairs, int form, long ld, uint32_t *y, long stride, long inner, long count),       \
      (x, half, pairs, form, ld, y, stride, inner, count))                                                             \
    X(packed_product,                                                                                                  \
      (const uint32_t *a, long row_stride, long unit_stride, long tile_stride, const uint32_t *panel, int pairs,       \
       long units, float *c, long ldc, long rows, long columns, int accumulate),                                       \
      (a, row_stride, unit_stride, tile_stride, panel, pairs, units, c, ldc, rows, columns, accumulate))               \
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

/// Columns of a panel of the right operand of `ctk_packed_product`.
#define CTK_PANEL_WIDTH 32

/// What `ctk_pack` makes of the `count` rows or columns of a matrix, along `inner` in units of 32 bits.
enum {
    /// [count, inner] to rows of the left operand, [count][stride].
    CTK_PACK_ROWS,
    /// [inner, count] to tiles of the left operand, [tile][unit][tile_rows].
    CTK_PACK_TILES,
    /// [inner, count] to panels of the right operand, [panel][unit][CTK_PANEL_WIDTH].
    CTK_PACK_PANELS,
    /// [count, inner] to panels of the right operand.
    CTK_PACK_TRANSPOSED,
};

/// Whether `ctk_packed_product` has the registers to outdo a BLAS that knows the processor (AVX-512).
int ctk_has_wide_registers(void);
/// Sum of squares in double precision, in a fixed order.
double ctk_sum_of_squares(const float *x, long count);
/// The instruction set in use: "x86-64-v4 with bf16", "x86-64-v4", "x86-64-v3" or "baseline".
const char *ctk_instruction_set(void);

typedef struct ctk_pool ctk_pool;
typedef void (*ctk_task)(void *context, long index, long worker);
/// A pool with `threads` workers, the caller included; NULL when a thread cannot be made.
ctk_pool *ctk_pool_create(int threads);
void ctk_pool_destroy(ctk_pool *pool);
/// Runs `task` for every index below `count` and returns when all are done. Only one caller at a time.
void ctk_pool_run(ctk_pool *pool, long count, ctk_task task, void *context);
