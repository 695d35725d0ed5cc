// Products of small blocks in float32, the left operand read where it lies.

// c [m, n] = a · b (+ c): a by explicit strides, b [k, n] or, transposed, [n, k]. Panels of 32 columns of b are copied to
// the stack, 256 inner steps at a time: rows of b at a power-of-two stride would share a few cache sets.
static void CTK_T(product)(const float *a, long row_stride, long inner_stride, const float *b, long ldb,
                           int transpose_b, float *c, long ldc, long m, long n, long k, int accumulate) {
    uint32_t panel[256 * 32] __attribute__((aligned(64)));
    if (k <= 0 && !accumulate)
        for (long r = 0; r < m; r++)
            for (long j = 0; j < n; j++) c[r * ldc + j] = 0;
    for (long first = 0; first < k; first += 256) {
        long inner = k - first < 256 ? k - first : 256;
        const uint32_t *x = (const uint32_t *)(a + first * inner_stride);
        for (long column = 0; column < n; column += 32) {
            long columns = n - column < 32 ? n - column : 32;
            if (transpose_b) CTK_T(pack_transposed)(b + column * ldb + first, ldb, panel, inner, columns, 0, 0);
            else CTK_T(pack_columns)(b + first * ldb + column, ldb, panel, inner, columns, 32, 0, 0);
            CTK_T(packed_rows)(x, row_stride, inner_stride, CTK_TILE_ROWS * row_stride, panel, inner, c + column, ldc, m,
                               columns, accumulate || first > 0, 0);
        }
    }
}
