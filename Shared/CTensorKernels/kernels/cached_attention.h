// Attention of one new token against its cache.
// One key-value head of one sequence: keys [head_dim][capacity], values [capacity][head_dim], `group` query heads.
// `capacity` is a multiple of 16, so that whole vectors may be read; scores beyond `length` are dropped.
static void CTK_T(cached_attention)(const float *queries, const float *keys, const float *values, float *y,
                                    float *scratch, long length, long capacity, long head_dim, long group,
                                    float factor) {
    for (long g = 0; g < group; g++, queries += head_dim, y += head_dim) {
        for (long t = 0; t < length; t += 16) {
            V s = {};
            for (long d = 0; d < head_dim; d++) s += LOAD(keys + d * capacity + t) * queries[d];
            STORE(scratch + t, s);
        }
        CTK_T(causal_softmax_forward)(scratch, 1, length, length, factor, 0, 0);
        long d = 0;
        for (; d + 32 <= head_dim; d += 32) {
            V a = {}, b = {};
            for (long t = 0; t < length; t++) {
                const float *v = values + t * head_dim + d;
                a += LOAD(v) * scratch[t];
                b += LOAD(v + 16) * scratch[t];
            }
            STORE(y + d, a);
            STORE(y + d + 16, b);
        }
        for (; d + 16 <= head_dim; d += 16) {
            V a = {};
            for (long t = 0; t < length; t++) a += LOAD(values + t * head_dim + d) * scratch[t];
            STORE(y + d, a);
        }
        for (; d < head_dim; d++) {
            float a = 0;
            for (long t = 0; t < length; t++) a += values[t * head_dim + d] * scratch[t];
            y[d] = a;
        }
    }
}
