// bfloat16: the upper half of a float. Narrowing rounds to nearest, ties to even; a NaN stays one.

INLINE uint32_t CTK_T(narrow_one)(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (bits >> 16) | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// Each result in the low half of its lane.
INLINE VU CTK_T(narrow16)(V v) {
    VU bits = CTK_T(as_bits)(v);
    VU rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    VU nan = (VU)((bits & 0x7fffffff) > 0x7f800000);
    return (rounded & ~nan) | ((bits >> 16 | 0x40) & nan);
}

INLINE V CTK_T(widen16)(const uint16_t *x) {
    return CTK_T(as_floats)(__builtin_convertvector(*(const VH *)x, VU) << 16);
}

static void CTK_T(widen)(const uint16_t *x, float *y, long count) {
    long i = 0;
    for (; i + 16 <= count; i += 16) STORE(y + i, CTK_T(widen16)(x + i));
    for (; i < count; i++) y[i] = CTK_T(as_float)((uint32_t)x[i] << 16);
}

static void CTK_T(narrow)(const float *x, uint16_t *y, long count) {
    long i = 0;
    for (; i + 16 <= count; i += 16) *(VH *)(y + i) = __builtin_convertvector(CTK_T(narrow16)(LOAD(x + i)), VH);
    for (; i < count; i++) y[i] = (uint16_t)CTK_T(narrow_one)(x[i]);
}

static void CTK_T(gather_half_rows)(const uint16_t *table, const int32_t *indices, float *y, long rows, long dim) {
    for (long r = 0; r < rows; r++) CTK_T(widen)(table + (long)indices[r] * dim, y + r * dim, dim);
}
