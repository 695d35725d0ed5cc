// Products of large matrices, packed first: in float32, or with operands rounded to bfloat16 and sums in float32.
//
// Along the inner dimension operands are packed by units of 32 bits: one float, or a pair of neighbours in bfloat16, which
// one instruction multiplies and adds where the processor has it (AVX-512-BF16). Elsewhere pairs are widened.

// Rows of a tile: as many as fit into the registers with two vectors a row.
#ifdef CTK_WIDE
#define CTK_TILE_ROWS 14
#else
#define CTK_TILE_ROWS 3
#endif

// MARK: Packing

// 16 stored values, float32 rounded or bfloat16 as they are, each in the low half of its lane.
INLINE VU CTK_T(load_half16)(const void *x, long at, const int half) {
    if (half) return __builtin_convertvector(*(const VH *)((const uint16_t *)x + at), VU);
#ifdef CTK_BF16
    return (VU)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)LOAD((const float *)x + at)));
#else
    return CTK_T(narrow16)(LOAD((const float *)x + at));
#endif
}

INLINE uint32_t CTK_T(load_half1)(const void *x, long at, const int half) {
    return half ? ((const uint16_t *)x)[at] : CTK_T(narrow_one)(((const float *)x)[at]);
}

INLINE uint32_t CTK_T(load_bits1)(const void *x, long at, const int half) {
    if (half) return (uint32_t)((const uint16_t *)x)[at] << 16;
    uint32_t bits;
    __builtin_memcpy(&bits, (const float *)x + at, sizeof bits);
    return bits;
}

// Unit `unit` of 16 neighbouring columns of a source [inner, columns].
INLINE VU CTK_T(load_unit16)(const void *x, long ld, long unit, long column, long inner, const int half, const int pairs) {
    if (!pairs)
        return half ? CTK_T(as_bits)(CTK_T(widen16)((const uint16_t *)x + unit * ld + column))
                    : CTK_T(as_bits)(LOAD((const float *)x + unit * ld + column));
    VU low = CTK_T(load_half16)(x, 2 * unit * ld + column, half);
    if (2 * unit + 1 == inner) return low;
    return low | CTK_T(load_half16)(x, (2 * unit + 1) * ld + column, half) << 16;
}

INLINE uint32_t CTK_T(load_unit1)(const void *x, long ld, long unit, long column, long inner, const int half,
                                  const int pairs) {
    if (!pairs) return CTK_T(load_bits1)(x, unit * ld + column, half);
    uint32_t low = CTK_T(load_half1)(x, 2 * unit * ld + column, half);
    if (2 * unit + 1 == inner) return low;
    return low | CTK_T(load_half1)(x, (2 * unit + 1) * ld + column, half) << 16;
}

// x [count, inner] to rows of units, [count][stride].
INLINE void CTK_T(pack_rows)(const void *x, long ld, uint32_t *y, long stride, long inner, long count, const int half,
                             const int pairs) {
    for (long r = 0; r < count; r++) {
        long k = 0, at = r * ld;
        if (!pairs) {
            uint32_t *out = y + r * stride;
            for (; k + 16 <= inner; k += 16)
                *(VUM *)(out + k) = half ? CTK_T(as_bits)(CTK_T(widen16)((const uint16_t *)x + at + k))
                                         : CTK_T(as_bits)(LOAD((const float *)x + at + k));
            for (; k < inner; k++) out[k] = CTK_T(load_bits1)(x, at + k, half);
            continue;
        }
        uint16_t *out = (uint16_t *)(y + r * stride);
        for (; k + 16 <= inner; k += 16)
            *(VH *)(out + k) = __builtin_convertvector(CTK_T(load_half16)(x, at + k, half), VH);
        for (; k < inner; k++) out[k] = (uint16_t)CTK_T(load_half1)(x, at + k, half);
        if (inner & 1) out[inner] = 0;
    }
}

// x [inner, count] to tiles of columns, [tile][unit][width]; columns that are missing become zeros.
INLINE void CTK_T(pack_columns)(const void *x, long ld, uint32_t *y, long inner, long count, const int width,
                                const int half, const int pairs) {
    long units = pairs ? (inner + 1) / 2 : inner, tiles = (count + width - 1) / width;
    // A few tiles at a time, so that the source is read in stretches.
    for (long group = 0; group < tiles; group += 8)
        for (long unit = 0; unit < units; unit++)
            for (long tile = group; tile < tiles && tile < group + 8; tile++) {
                uint32_t *out = y + (tile * units + unit) * width;
                long column = tile * width;
                if (width == 32 && column + 32 <= count) {
                    *(VUM *)out = CTK_T(load_unit16)(x, ld, unit, column, inner, half, pairs);
                    *(VUM *)(out + 16) = CTK_T(load_unit16)(x, ld, unit, column + 16, inner, half, pairs);
                } else if (width <= 16 && column + 16 <= count) {
                    VU v = CTK_T(load_unit16)(x, ld, unit, column, inner, half, pairs);
                    __builtin_memcpy(out, &v, (size_t)width * sizeof *out);
                } else {
                    for (long j = 0; j < width; j++)
                        out[j] = column + j < count
                                     ? CTK_T(load_unit1)(x, ld, unit, column + j, inner, half, pairs) : 0;
                }
            }
}

// Transposes 16 × 16 lanes.
INLINE void CTK_T(transpose)(VU *v) {
    VU t[16];
#define CTK_MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
    for (int i = 0; i < 8; i++) {
        t[2 * i] = CTK_MIX(v[2 * i], v[2 * i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        t[2 * i + 1] = CTK_MIX(v[2 * i], v[2 * i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++) {
            v[4 * i + j] = CTK_MIX(t[4 * i + j], t[4 * i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            v[4 * i + j + 2] = CTK_MIX(t[4 * i + j], t[4 * i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++) {
            t[8 * i + j] = CTK_MIX(v[8 * i + j], v[8 * i + j + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            t[8 * i + j + 4] = CTK_MIX(v[8 * i + j], v[8 * i + j + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        }
    for (int j = 0; j < 8; j++) {
        v[j] = CTK_MIX(t[j], t[j + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        v[j + 8] = CTK_MIX(t[j], t[j + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
#undef CTK_MIX
}

// x [count, inner] to tiles of 32 columns, [tile][unit][32]; columns that are missing become zeros.
INLINE void CTK_T(pack_transposed)(const void *x, long ld, uint32_t *y, long inner, long count, const int half,
                                   const int pairs) {
    const long step = pairs ? 32 : 16;
    long units = pairs ? (inner + 1) / 2 : inner;
    for (long column = 0; column < (count + 31) / 32 * 32; column += 16) {
        uint32_t *out = y + column / 32 * 32 * units + column % 32;
        long k = 0, n = count - column < 16 ? count - column : 16;
        for (; k + step <= inner; k += step) {
            VU v[16];
            CTK_UNROLL
            for (int i = 0; i < 16; i++) {
                if (i >= n) { v[i] = (VU){}; continue; }
                long at = (column + i) * ld + k;
                if (!pairs)
                    v[i] = half ? CTK_T(as_bits)(CTK_T(widen16)((const uint16_t *)x + at))
                                : CTK_T(as_bits)(LOAD((const float *)x + at));
                else if (half) v[i] = (VU)(*(const VUM *)((const uint16_t *)x + at));
                else {
#ifdef CTK_BF16
                    v[i] = (VU)_mm512_cvtne2ps_pbh((__m512)LOAD((const float *)x + at + 16),
                                                   (__m512)LOAD((const float *)x + at));
#else
                    VH low = __builtin_convertvector(CTK_T(load_half16)(x, at, 0), VH);
                    VH high = __builtin_convertvector(CTK_T(load_half16)(x, at + 16, 0), VH);
                    __builtin_memcpy(&v[i], &low, sizeof low);
                    __builtin_memcpy((char *)&v[i] + sizeof low, &high, sizeof high);
#endif
                }
            }
            CTK_T(transpose)(v);
            CTK_UNROLL
            for (int i = 0; i < 16; i++) *(VUM *)(out + (k / (pairs ? 2 : 1) + i) * 32) = v[i];
        }
        for (; k < inner; k += pairs ? 2 : 1)
            for (long i = 0; i < 16; i++) {
                uint32_t unit = 0;
                if (i < n) {
                    long at = (column + i) * ld + k;
                    unit = pairs ? CTK_T(load_half1)(x, at, half) : CTK_T(load_bits1)(x, at, half);
                    if (pairs && k + 1 < inner) unit |= CTK_T(load_half1)(x, at + 1, half) << 16;
                }
                out[k / (pairs ? 2 : 1) * 32 + i] = unit;
            }
    }
}

static void CTK_T(pack)(const void *x, int half, int pairs, int form, long ld, uint32_t *y, long stride, long inner,
                        long count) {
#define CTK_FORM(h, p)                                                                                                 \
    do {                                                                                                               \
        if (form == CTK_PACK_ROWS) CTK_T(pack_rows)(x, ld, y, stride, inner, count, h, p);                             \
        else if (form == CTK_PACK_TILES) CTK_T(pack_columns)(x, ld, y, inner, count, CTK_TILE_ROWS, h, p);             \
        else if (form == CTK_PACK_PANELS) CTK_T(pack_columns)(x, ld, y, inner, count, 32, h, p);                       \
        else CTK_T(pack_transposed)(x, ld, y, inner, count, h, p);                                                     \
    } while (0)
    if (half && pairs) CTK_FORM(1, 1);
    else if (half) CTK_FORM(1, 0);
    else if (pairs) CTK_FORM(0, 1);
    else CTK_FORM(0, 0);
#undef CTK_FORM
}

// MARK: Multiplying

INLINE V CTK_T(add_unit)(V sum, uint32_t a, VU b, const int pairs) {
    if (!pairs) return sum + CTK_T(as_floats)(b) * CTK_T(as_float)(a);
#ifdef CTK_BF16
    return (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
#else
    sum += CTK_T(as_floats)(b << 16) * CTK_T(as_float)(a << 16);
    return sum + CTK_T(as_floats)(b & 0xffff0000u) * CTK_T(as_float)(a & 0xffff0000u);
#endif
}

INLINE void CTK_T(packed_tile)(const uint32_t *a, long row_stride, long unit_stride, const uint32_t *panel, long units,
                               float *c, long ldc, long columns, int accumulate, const int height, const int pairs) {
    V p[CTK_TILE_ROWS], q[CTK_TILE_ROWS];
    CTK_UNROLL
    for (int r = 0; r < height; r++) { p[r] = (V){}; q[r] = (V){}; }
    // Three rows a pointer, so that all addresses fit into the registers.
    const uint32_t *x[(CTK_TILE_ROWS + 2) / 3];
    CTK_UNROLL
    for (int i = 0; i < (height + 2) / 3; i++) x[i] = a + 3 * i * row_stride;
    for (long k = 0; k < units; k++) {
        VU b = *(const VUM *)(panel + k * 32), d = *(const VUM *)(panel + k * 32 + 16);
        CTK_UNROLL
        for (int r = 0; r < height; r++) {
            uint32_t v = x[r / 3][r % 3 * row_stride];
            p[r] = CTK_T(add_unit)(p[r], v, b, pairs);
            q[r] = CTK_T(add_unit)(q[r], v, d, pairs);
        }
        CTK_UNROLL
        for (int i = 0; i < (height + 2) / 3; i++) x[i] += unit_stride;
    }
    CTK_UNROLL
    for (int r = 0; r < height; r++) {
        float *out = c + r * ldc;
        if (columns == 32) {
            if (accumulate) { p[r] += LOAD(out); q[r] += LOAD(out + 16); }
            STORE(out, p[r]);
            STORE(out + 16, q[r]);
        } else {
            float t[32];
            STORE(t, p[r]);
            STORE(t + 16, q[r]);
            for (long j = 0; j < columns; j++) out[j] = accumulate ? out[j] + t[j] : t[j];
        }
    }
}

INLINE void CTK_T(packed_rows)(const uint32_t *a, long row_stride, long unit_stride, long tile_stride,
                               const uint32_t *panel, long units, float *c, long ldc, long rows, long columns,
                               int accumulate, const int pairs) {
#define CTK_BLOCK(from, height)                                                                                        \
    CTK_T(packed_tile)(a + (from) * row_stride, row_stride, unit_stride, panel, units, c + (from) * ldc, ldc, columns, \
                       accumulate, height, pairs)
    for (; rows >= CTK_TILE_ROWS; rows -= CTK_TILE_ROWS, a += tile_stride, c += CTK_TILE_ROWS * ldc)
        CTK_BLOCK(0, CTK_TILE_ROWS);
    long r = 0;
#ifdef CTK_WIDE
    if (rows - r >= 8) { CTK_BLOCK(r, 8); r += 8; }
    if (rows - r >= 4) { CTK_BLOCK(r, 4); r += 4; }
#endif
    if (rows - r >= 2) { CTK_BLOCK(r, 2); r += 2; }
    if (rows - r >= 1) CTK_BLOCK(r, 1);
#undef CTK_BLOCK
}

// c [rows, columns ≤ 32] = a · panel (+ c). Tiles of rows of the left operand lie `tile_stride` units apart.
static void CTK_T(packed_product)(const uint32_t *a, long row_stride, long unit_stride, long tile_stride,
                                  const uint32_t *panel, int pairs, long units, float *c, long ldc, long rows,
                                  long columns, int accumulate) {
    if (pairs)
        CTK_T(packed_rows)(a, row_stride, unit_stride, tile_stride, panel, units, c, ldc, rows, columns, accumulate, 1);
    else
        CTK_T(packed_rows)(a, row_stride, unit_stride, tile_stride, panel, units, c, ldc, rows, columns, accumulate, 0);
}
