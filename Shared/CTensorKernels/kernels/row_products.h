// Products of a few rows with a weight as it lies in its file, [outputs, inner], float32 or bfloat16.
//
// Every output is summed in the same order, 16 partial sums along `inner` and then a tree over them, whichever tile it
// falls in: a row's result does not depend on the other rows, nor on how outputs are spread over threads.

INLINE V CTK_T(load_weight)(const void *weight, long index, const int half) {
    return half ? CTK_T(widen16)((const uint16_t *)weight + index) : LOAD((const float *)weight + index);
}

INLINE V CTK_T(load_weight_part)(const void *weight, long index, long n, const int half) {
    if (!half) return CTK_T(load_part)((const float *)weight + index, n, 0);
    uint16_t t[16] = {0};
    for (long i = 0; i < n; i++) t[i] = ((const uint16_t *)weight)[index + i];
    return CTK_T(widen16)(t);
}

// The sums over the lanes of 16 vectors.
INLINE V CTK_T(lane_sums)(const V *v) {
    V a[8], b[4], c[2];
    for (int i = 0; i < 8; i++)
        a[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
               __builtin_shufflevector(v[2 * i], v[2 * i + 1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    for (int i = 0; i < 4; i++)
        b[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
               __builtin_shufflevector(a[2 * i], a[2 * i + 1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    for (int i = 0; i < 2; i++)
        c[i] = __builtin_shufflevector(b[2 * i], b[2 * i + 1], 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +
               __builtin_shufflevector(b[2 * i], b[2 * i + 1], 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
    return __builtin_shufflevector(c[0], c[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
           __builtin_shufflevector(c[0], c[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

// The sums of `height` rows times `width` outputs of a tile, the outputs from `first` on; of the tile's only `columns` exist.
INLINE void CTK_T(row_sums)(V *out, const float *x, const void *weight, long inner, int first, long columns,
                            long ahead, const int height, const int width, const int stride, const int half) {
    V sums[16], w[16];
    long at[16], k = 0;
    CTK_UNROLL
    for (int i = 0; i < height * width; i++) sums[i] = (V){};
    CTK_UNROLL
    for (int o = 0; o < width; o++) at[o] = (first + o < columns ? first + o : columns - 1) * inner;
    for (; k + 16 <= inner; k += 16) {
        CTK_UNROLL
        for (int o = 0; o < width; o++) w[o] = CTK_T(load_weight)(weight, at[o] + k, half);
        if (ahead) {
            const char *next = (const char *)weight + ahead + ((long)first * inner + k * width) * (half ? 2 : 4);
            CTK_UNROLL
            for (int i = 0; i < width * (half ? 32 : 64); i += 64) __builtin_prefetch(next + i, 0, 2);
        }
        CTK_UNROLL
        for (int r = 0; r < height; r++) {
            V v = LOAD(x + r * inner + k);
            CTK_UNROLL
            for (int o = 0; o < width; o++) sums[r * width + o] += v * w[o];
        }
    }
    if (k < inner) {
        CTK_UNROLL
        for (int o = 0; o < width; o++) w[o] = CTK_T(load_weight_part)(weight, at[o] + k, inner - k, half);
        CTK_UNROLL
        for (int r = 0; r < height; r++) {
            V v = CTK_T(load_part)(x + r * inner + k, inner - k, 0);
            CTK_UNROLL
            for (int o = 0; o < width; o++) sums[r * width + o] += v * w[o];
        }
    }
    CTK_UNROLL
    for (int r = 0; r < height; r++)
        CTK_UNROLL
        for (int o = 0; o < width; o++) out[r * stride + o] = sums[r * width + o];
}

// `height` rows times `width` outputs, height · width = 16; of the outputs only `columns` exist.
//
// The weights of a tile are rows too short for the processor to foresee, so those `ahead` bytes on are asked for in the
// order of their addresses; 0 for none.
INLINE void CTK_T(row_tile)(const float *x, const void *weight, float *y, const float *bias, int accumulate, long inner,
                            long stride, long columns, long ahead, const int height, const int width, const int half) {
    V sums[16];
#ifdef CTK_WIDE
    const int group = width;
#else
    // Sixteen sums need 32 registers of 16 floats; with fewer the tile is taken by four sums or less at a time.
    const int group = height == 1 ? 4 : 1;
#endif
    CTK_UNROLL
    for (int first = 0; first < width; first += group)
        CTK_T(row_sums)(sums + first, x, weight, inner, first, columns, ahead, height, group, width, half);
    float t[16], part[16];
    V total = CTK_T(lane_sums)(sums);
    if (columns >= width) {
        const size_t row = (size_t)width * sizeof *y;
        if (bias) {
            CTK_UNROLL
            for (int r = 0; r < height; r++) __builtin_memcpy(part + r * width, bias, row);
            total += LOAD(part);
        }
        if (accumulate) {
            CTK_UNROLL
            for (int r = 0; r < height; r++) __builtin_memcpy(part + r * width, y + r * stride, row);
            total += LOAD(part);
        }
        STORE(t, total);
        CTK_UNROLL
        for (int r = 0; r < height; r++) __builtin_memcpy(y + r * stride, t + r * width, row);
        return;
    }
    STORE(t, total);
    for (int r = 0; r < height; r++)
        for (int o = 0; o < columns; o++) {
            float *out = y + r * stride + o, value = t[r * width + o] + (bias ? bias[o] : 0);
            *out = accumulate ? *out + value : value;
        }
}

INLINE void CTK_T(row_products_of)(const float *x, const void *weight, float *y, const float *bias, int accumulate,
                                   long rows, long inner, long stride, long first, long last, const int half) {
    const long size = inner * (half ? 2 : 4);
    // Rows by blocks that stay in the second-level cache beside the weights that pass.
    const long block = inner > 4096 ? 32 : inner > 1024 ? 64 : 128;
    for (long begin = 0; begin < rows; begin += block) {
        long end = rows - begin < block ? rows : begin + block;
        // The first tiles of a block bring the weights into the caches for those that follow.
#define CTK_TILE(row, height, width, reach)                                                                            \
    CTK_T(row_tile)(x + (row) * inner, (const char *)weight + o * size, y + (row) * stride + o, bias ? bias + o : 0,   \
                    accumulate, inner, stride, last - o, (row) == begin ? (reach) * size : 0, height, width, half)
        long rest = begin + (end - begin) / 4 * 4;
        for (long o = first; o < last && rest > begin; o += 4)
            for (long r = begin; r < rest; r += 4) CTK_TILE(r, 4, 4, 4);
        if (end - rest >= 2) {
            for (long o = first; o < last; o += 8) CTK_TILE(rest, 2, 8, 16);
            rest += 2;
        }
        if (end > rest)
            for (long o = first; o < last; o += 16) CTK_TILE(rest, 1, 16, 16);
#undef CTK_TILE
    }
}

// y [rows, stride] = x [rows, inner] · weightᵀ + bias (+ y), for the outputs from `first` to before `last`.
static void CTK_T(row_products)(const float *x, const void *weight, int half, float *y, const float *bias,
                                int accumulate, long rows, long inner, long stride, long first, long last) {
    if (half) CTK_T(row_products_of)(x, weight, y, bias, accumulate, rows, inner, stride, first, last, 1);
    else CTK_T(row_products_of)(x, weight, y, bias, accumulate, rows, inner, stride, first, last, 0);
}
