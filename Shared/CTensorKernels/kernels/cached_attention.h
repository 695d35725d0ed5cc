// Attention of one new token against its cache.
// One key-value head of one sequence: keys [head_dim][capacity], values [capacity][head_dim], `group` query heads.
// `capacity` is a multiple of 16, so that whole vectors may be read; scores beyond `length` are dropped.
static void CTK_T(cached_attention)(const float *queries, const float *keys, const float *values, float *y,
                                    float *scratch, long length, long capacity, long head_dim, long group,
                                    float factor) {
    for (long g = 0; g < group; g++, queries += head_dim, y += head_dim) {
        // Several independent sums at a time hide the latency of the additions; each is in the order of d, or of t.
        long t = 0;
        for (; t + 64 <= length; t += 64) {
            V s[4] = {};
            for (long d = 0; d < head_dim; d++) {
                const float *k = keys + d * capacity + t;
                CTK_UNROLL
                for (int i = 0; i < 4; i++) s[i] += LOAD(k + 16 * i) * queries[d];
            }
            CTK_UNROLL
            for (int i = 0; i < 4; i++) STORE(scratch + t + 16 * i, s[i]);
        }
        for (; t < length; t += 16) {
            V s = {};
            for (long d = 0; d < head_dim; d++) s += LOAD(keys + d * capacity + t) * queries[d];
            STORE(scratch + t, s);
        }
        CTK_T(causal_softmax_forward)(scratch, 1, length, length, factor, 0, 0);
        long d = 0;
        for (; d + 64 <= head_dim; d += 64) {
            V a[4] = {};
            for (t = 0; t < length; t++) {
                const float *v = values + t * head_dim + d;
                CTK_UNROLL
                for (int i = 0; i < 4; i++) a[i] += LOAD(v + 16 * i) * scratch[t];
            }
            CTK_UNROLL
            for (int i = 0; i < 4; i++) STORE(y + d + 16 * i, a[i]);
        }
        for (; d + 16 <= head_dim; d += 16) {
            V a = {};
            for (t = 0; t < length; t++) a += LOAD(values + t * head_dim + d) * scratch[t];
            STORE(y + d, a);
        }
        for (; d < head_dim; d++) {
            float a = 0;
            for (t = 0; t < length; t++) a += values[t * head_dim + d] * scratch[t];
            y[d] = a;
        }
    }
}
