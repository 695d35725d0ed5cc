// Hot loops of TensorEngine and its thread pool, in C so that one generic binary carries the kernels of several
// instruction sets, a table of them each; whoever computes says which table.
// All matrices are row-major float32; `rows` counts packed tokens. Functions are pure over the ranges they are given,
// so that the caller decides how to split rows over threads. None hides a NaN: what depends on one is one.
#pragma once
#include <stddef.h>
#include <stdint.h>

// X(name, parameters): one line a kernel; expands to the members of a table.
#define CTK_KERNELS(X)                                                                                                 \
    X(rms_norm_forward, (const float *x, const float *weight, float *y, float *inverse_rms, long rows, long dim,       \
                         float epsilon))                                                                               \
    X(rms_norm_backward, (const float *x, const float *weight, const float *inverse_rms, const float *dy, float *dx,   \
                          int accumulate, float *dweight, long rows, long dim))                                        \
    X(rope, (float *x, const int32_t *positions, const float *cosines, const float *sines, float sign, long rows,      \
             long heads, long head_dim))                                                                               \
    X(swiglu_forward, (const float *gate, const float *up, float *y, long count))                                      \
    X(swiglu_backward, (const float *gate, const float *up, const float *dy, float *dgate, float *dup, long count))    \
    X(add, (float *y, const float *x, long count))                                                                     \
    X(scale, (float *y, float factor, long count))                                                                     \
    X(add_scaled_rows, (const float *x, const float *factors, float *y, long rows, long dim))                          \
    X(add_bias, (float *y, const float *bias, long rows, long dim))                                                    \
    X(sum_rows, (const float *x, float *sums, long rows, long dim))                                                    \
    X(causal_softmax_forward, (float *scores, long rows, long stride, long first_visible, float factor,                \
                               float *log_sum_exp, long lse_stride))                                                   \
    X(causal_softmax_backward, (float *scores, float *dscores, long rows, long columns, long stride,                   \
                                long first_visible, float factor, const float *log_sum_exp, long lse_stride,           \
                                const float *deltas))                                                                  \
    X(row_dots, (const float *a, const float *b, float *dots, long rows, long dim, long stride))                       \
    X(token_log_probabilities, (const float *logits, const int32_t *targets, float *log_probabilities,                 \
                                float *log_sum_exp, long rows, long dim))                                              \
    X(token_statistics, (const float *logits, const int32_t *targets, float *log_probabilities, float *log_sum_exp,    \
                         float *statistics, long rows, long dim))                                                      \
    X(token_log_probabilities_backward, (float *logits, const int32_t *targets, const float *log_sum_exp,              \
                                         const float *upstream, long rows, long dim))                                  \
    X(adamw, (float *parameter, const float *gradient, float *first, float *second, long count, float gradient_scale,  \
              float decay, float beta1, float beta2, float step_size, float inverse_sqrt_correction, float epsilon,    \
              int *is_finite))                                                                                         \
    X(gather_rows, (const float *table, const int32_t *indices, float *y, long rows, long dim))                        \
    X(scatter_add_rows, (const float *x, const int32_t *indices, float *table, long rows, long dim, long first,        \
                         long columns))                                                                                \
    X(widen, (const uint16_t *x, float *y, long count))                                                                \
    X(narrow, (const float *x, uint16_t *y, long count))                                                               \
    X(gather_half_rows, (const uint16_t *table, const int32_t *indices, float *y, long rows, long dim))                \
    X(row_products, (const float *x, const void *weight, int half, float *y, const float *bias, int accumulate,        \
                     long rows, long inner, long stride, long first, long last))                                       \
    X(pack, (const void *x, int half, int pairs, int form, long ld, uint32_t *y, long stride, long inner,              \
             long count))                                                                                              \
    X(packed_product, (const uint32_t *a, long row_stride, long unit_stride, long tile_stride, const uint32_t *panel,  \
                       int pairs, long units, float *c, long ldc, long rows, long columns, int accumulate))            \
    X(product, (const float *a, long row_stride, long inner_stride, const float *b, long ldb, int transpose_b,         \
                float *c, long ldc, long m, long n, long k, int accumulate))                                           \
    X(cached_attention, (const float *queries, const float *keys, const float *values, float *y, float *scratch,       \
                         long length, long capacity, long head_dim, long group, float factor))                         \
    X(exponentials, (const float *x, float *y, float subtract, float factor, long count))                              \
    X(segment_maxima, (const float *x, float *maxima, long count))

#define CTK_MEMBER(name, params) void (*name) params;
/// The kernels of one instruction set.
typedef struct {
    /// "baseline", "avx2", "avx512" or "avx512-bf16"; "neon" on ARM.
    const char *name;
    /// Whether `packed_product` has the registers to outdo a BLAS that knows the processor (AVX-512).
    int is_wide;
    /// Rows of a tile of the left operand of `packed_product`.
    long tile_rows;
    CTK_KERNELS(CTK_MEMBER)
} ctk_table;
#undef CTK_MEMBER

/// The tables of this build, the plainest first; NULL from their number on.
const ctk_table *ctk_table_at(int index);
/// Whether this processor has the instructions of a table.
int ctk_can_run(const ctk_table *table);

/// Values of a segment of `segment_maxima`.
#define CTK_SEGMENT_WIDTH 64

/// Columns of a panel of the right operand of `packed_product`.
#define CTK_PANEL_WIDTH 32

/// What `pack` makes of the `count` rows or columns of a matrix, along `inner` in units of 32 bits.
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

/// Sum of squares in double precision, in a fixed order.
double ctk_sum_of_squares(const float *x, long count);

typedef struct ctk_pool ctk_pool;
typedef void (*ctk_task)(void *context, long index, long worker);
/// A pool with `threads` workers, the caller included; NULL when a thread cannot be made.
ctk_pool *ctk_pool_create(int threads);
void ctk_pool_destroy(ctk_pool *pool);
/// Runs `task` for every index below `count` and returns when all are done. Only one caller at a time; a task that calls
/// it runs all indices itself, as the worker that it is.
void ctk_pool_run(ctk_pool *pool, long count, ctk_task task, void *context);

/// Processors that the scheduler lets this process run on (its affinity), at least 1.
int ctk_processor_count(void);
