// Vectors of 16 floats and the helpers of all kernels; included once an instruction set.
typedef float CTK_T(v16) __attribute__((vector_size(64), aligned(4)));
typedef float CTK_T(w16) __attribute__((vector_size(64)));
// For comparisons, which choose lane by lane in this kind of vector only.
typedef float CTK_T(c16) __attribute__((ext_vector_type(16)));
typedef int32_t CTK_T(i16) __attribute__((vector_size(64)));
typedef uint32_t CTK_T(u16) __attribute__((vector_size(64)));
typedef uint32_t CTK_T(m16) __attribute__((vector_size(64), aligned(2)));
typedef uint16_t CTK_T(h16) __attribute__((vector_size(32), aligned(2)));
#define V CTK_T(w16)
#define VI CTK_T(i16)
// Bit patterns: 16 of 32 bits, the same in memory, and 16 of 16 bits in memory.
#define VU CTK_T(u16)
#define VUM CTK_T(m16)
#define VH CTK_T(h16)
#define LOAD(p) ((V)(*(const CTK_T(v16) *)(p)))
#define STORE(p, v) (*(CTK_T(v16) *)(p) = (v))
// x - 0 is x for every x, so this folds to a broadcast; 0 + x would not (it turns -0 into 0).
#define SPLAT(s) ((s) - (V){})
#define INLINE static inline __attribute__((always_inline))

INLINE V CTK_T(as_floats)(VU bits) {
    V v;
    __builtin_memcpy(&v, &bits, sizeof v);
    return v;
}

INLINE VU CTK_T(as_bits)(V v) {
    VU bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    return bits;
}

INLINE float CTK_T(as_float)(uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE float CTK_T(hsum)(V v) {
    float t[16];
    STORE(t, v);
    float a = 0, b = 0;
    for (int i = 0; i < 8; i++) { a += t[i]; b += t[i + 8]; }
    return a + b;
}

// The largest value; a NaN may be passed over.
INLINE float CTK_T(hmax)(V v) {
    float m = v[0];
    for (int i = 1; i < 16; i++) m = v[i] > m ? v[i] : m;
    return m;
}

// x, but at least `low` and at most `high`; a NaN stays one. (__builtin_elementwise_max would drop it. Where one side is a
// NaN the comparison is false and the second is taken, which is x86's maximum and minimum as well: an instruction each.)
INLINE V CTK_T(clamped)(V x, float low, float high) {
    const CTK_T(c16) lows = (CTK_T(c16))SPLAT(low), highs = (CTK_T(c16))SPLAT(high);
    CTK_T(c16) v = (CTK_T(c16))x;
    v = lows > v ? lows : v;
    v = highs < v ? highs : v;
    return (V)v;
}

// exp, at most about 2 ulp off in [-87, 88]; clamped outside. Of a NaN a NaN.
INLINE V CTK_T(vexp)(V x) {
    x = CTK_T(clamped)(x, -87.0f, 88.0f);
    V n = __builtin_elementwise_roundeven(x * 1.44269504088896341f);
    V r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    V p = SPLAT(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    // 1.5 · 2^23 puts n, a small whole number, into the lowest bits; to convert a NaN to an integer would be undefined.
    return p * CTK_T(as_floats)((CTK_T(as_bits)(n + 12582912.0f) + 127) << 23);
}

INLINE V CTK_T(load_part)(const float *p, long n, float fill) {
    float t[16];
    for (int i = 0; i < 16; i++) t[i] = fill;
    for (long i = 0; i < n; i++) t[i] = p[i];
    return LOAD(t);
}

INLINE void CTK_T(store_part)(float *p, V v, long n) {
    float t[16];
    STORE(t, v);
    for (long i = 0; i < n; i++) p[i] = t[i];
}
