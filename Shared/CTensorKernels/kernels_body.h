// Included once an instruction set; CTK_SUFFIX names the variant. No include guard on purpose.
typedef float CTK_T(v16) __attribute__((vector_size(64), aligned(4)));
typedef float CTK_T(w16) __attribute__((vector_size(64)));
typedef int32_t CTK_T(i16) __attribute__((vector_size(64)));
#define V CTK_T(w16)
#define VI CTK_T(i16)
#define LOAD(p) ((V)(*(const CTK_T(v16) *)(p)))
#define STORE(p, v) (*(CTK_T(v16) *)(p) = (v))
// x - 0 is x for every x, so this folds to a broadcast; 0 + x would not (it turns -0 into 0).
#define SPLAT(s) ((s) - (V){})
#define INLINE static inline __attribute__((always_inline))

INLINE float CTK_T(hsum)(V v) {
    float t[16];
    STORE(t, v);
    float a = 0, b = 0;
    for (int i = 0; i < 8; i++) { a += t[i]; b += t[i + 8]; }
    return a + b;
}

INLINE float CTK_T(hmax)(V v) {
    float m = v[0];
    for (int i = 1; i < 16; i++) m = v[i] > m ? v[i] : m;
    return m;
}

/// exp, at most about 2 ulp off in [-87, 88]; clamped outside.
INLINE V CTK_T(vexp)(V x) {
    x = __builtin_elementwise_max(x, SPLAT(-87.0f));
    x = __builtin_elementwise_min(x, SPLAT(88.0f));
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
    VI e = __builtin_convertvector(n, VI);
    VI bits = (e + 127) << 23;
    V s;
    __builtin_memcpy(&s, &bits, sizeof s);
    return p * s;
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

static void CTK_T(rms_norm_forward)(const float *x, const float *weight, float *y, float *inverse_rms, long rows,
                                    long dim, float epsilon) {
    for (long r = 0; r < rows; r++, x += dim, y += dim) {
        V s = {};
        long i = 0;
        for (; i + 16 <= dim; i += 16) { V a = LOAD(x + i); s += a * a; }
        if (i < dim) { V a = CTK_T(load_part)(x + i, dim - i, 0); s += a * a; }
        float inverse = 1.0f / __builtin_sqrtf(CTK_T(hsum)(s) / (float)dim + epsilon);
        if (inverse_rms) inverse_rms[r] = inverse;
        for (i = 0; i + 16 <= dim; i += 16) STORE(y + i, LOAD(x + i) * inverse * LOAD(weight + i));
        for (; i < dim; i++) y[i] = x[i] * inverse * weight[i];
    }
}

static void CTK_T(rms_norm_backward)(const float *x, const float *weight, const float *inverse_rms, const float *dy,
                                     float *dx, int accumulate, float *dweight, long rows, long dim) {
    for (long r = 0; r < rows; r++, x += dim, dy += dim, dx += dim) {
        float inverse = inverse_rms[r];
        V s = {};
        long i = 0;
        for (; i + 16 <= dim; i += 16) s += LOAD(x + i) * LOAD(weight + i) * LOAD(dy + i);
        float dot = CTK_T(hsum)(s);
        for (; i < dim; i++) dot += x[i] * weight[i] * dy[i];
        float k = dot * inverse * inverse / (float)dim;
        for (i = 0; i + 16 <= dim; i += 16) {
            V a = LOAD(x + i), g = LOAD(dy + i);
            V d = (g * LOAD(weight + i) - a * k) * inverse;
            if (accumulate) d += LOAD(dx + i);
            STORE(dx + i, d);
            if (dweight) STORE(dweight + i, LOAD(dweight + i) + g * a * inverse);
        }
        for (; i < dim; i++) {
            float d = (dy[i] * weight[i] - x[i] * k) * inverse;
            dx[i] = accumulate ? dx[i] + d : d;
            if (dweight) dweight[i] += dy[i] * x[i] * inverse;
        }
    }
}

static void CTK_T(rope)(float *x, const int32_t *positions, const float *cosines, const float *sines, float sign,
                        long rows, long heads, long head_dim) {
    long half = head_dim / 2;
    for (long r = 0; r < rows; r++) {
        const float *c = cosines + positions[r] * half, *s = sines + positions[r] * half;
        for (long h = 0; h < heads; h++, x += head_dim) {
            float *a = x, *b = x + half;
            long i = 0;
            for (; i + 16 <= half; i += 16) {
                V p = LOAD(a + i), q = LOAD(b + i), cc = LOAD(c + i), ss = LOAD(s + i) * sign;
                STORE(a + i, p * cc - q * ss);
                STORE(b + i, q * cc + p * ss);
            }
            for (; i < half; i++) {
                float p = a[i], q = b[i], ss = s[i] * sign;
                a[i] = p * c[i] - q * ss;
                b[i] = q * c[i] + p * ss;
            }
        }
    }
}

static void CTK_T(swiglu_forward)(const float *gate, const float *up, float *y, long count) {
    for (long i = 0; i < count; i += 16) {
        if (i + 16 <= count) {
            V g = LOAD(gate + i);
            STORE(y + i, g / (1.0f + CTK_T(vexp)(-g)) * LOAD(up + i));
        } else {
            V g = CTK_T(load_part)(gate + i, count - i, 0), u = CTK_T(load_part)(up + i, count - i, 0);
            CTK_T(store_part)(y + i, g / (1.0f + CTK_T(vexp)(-g)) * u, count - i);
        }
    }
}

static void CTK_T(swiglu_backward)(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                                   long count) {
    for (long i = 0; i < count; i += 16) {
        int whole = i + 16 <= count;
        long n = count - i;
        V g = whole ? LOAD(gate + i) : CTK_T(load_part)(gate + i, n, 0);
        V u = whole ? LOAD(up + i) : CTK_T(load_part)(up + i, n, 0);
        V d = whole ? LOAD(dy + i) : CTK_T(load_part)(dy + i, n, 0);
        V s = 1.0f / (1.0f + CTK_T(vexp)(-g));
        V dg = d * u * s * (1.0f + g * (1.0f - s)), du = d * g * s;
        if (whole) { STORE(dgate + i, dg); STORE(dup + i, du); }
        else { CTK_T(store_part)(dgate + i, dg, n); CTK_T(store_part)(dup + i, du, n); }
    }
}

static void CTK_T(add)(float *y, const float *x, long count) {
    long i = 0;
    for (; i + 16 <= count; i += 16) STORE(y + i, LOAD(y + i) + LOAD(x + i));
    for (; i < count; i++) y[i] += x[i];
}

static void CTK_T(scale)(float *y, float factor, long count) {
    long i = 0;
    for (; i + 16 <= count; i += 16) STORE(y + i, LOAD(y + i) * factor);
    for (; i < count; i++) y[i] *= factor;
}

static void CTK_T(add_bias)(float *y, const float *bias, long rows, long dim) {
    for (long r = 0; r < rows; r++) CTK_T(add)(y + r * dim, bias, dim);
}

static void CTK_T(sum_rows)(const float *x, float *sums, long rows, long dim) {
    for (long r = 0; r < rows; r++) CTK_T(add)(sums, x + r * dim, dim);
}

static void CTK_T(exponentials)(const float *x, float *y, float subtract, float factor, long count) {
    for (long i = 0; i < count; i += 16) {
        if (i + 16 <= count) STORE(y + i, CTK_T(vexp)((LOAD(x + i) - subtract) * factor));
        else CTK_T(store_part)(y + i, CTK_T(vexp)((CTK_T(load_part)(x + i, count - i, 0) - subtract) * factor), count - i);
    }
}

INLINE float CTK_T(row_max)(const float *s, long n) {
    V m = SPLAT(s[0]);
    long i = 0;
    for (; i + 16 <= n; i += 16) m = __builtin_elementwise_max(m, LOAD(s + i));
    float best = CTK_T(hmax)(m);
    for (; i < n; i++) best = s[i] > best ? s[i] : best;
    return best;
}

// Row r sees its first `first_visible + r` columns; the rest up to `stride` becomes zero.
static void CTK_T(causal_softmax_forward)(float *scores, long rows, long stride, long first_visible, float factor,
                                          float *log_sum_exp, long lse_stride) {
    for (long r = 0; r < rows; r++) {
        float *s = scores + r * stride;
        long n = first_visible + r, i = 0;
        float best = CTK_T(row_max)(s, n);
        V sum = {};
        for (; i + 16 <= n; i += 16) {
            V e = CTK_T(vexp)((LOAD(s + i) - best) * factor);
            sum += e;
            STORE(s + i, e);
        }
        float total = CTK_T(hsum)(sum);
        if (i < n) {
            float t[16];
            STORE(t, CTK_T(vexp)((CTK_T(load_part)(s + i, n - i, best) - best) * factor));
            for (long j = i; j < n; j++) { s[j] = t[j - i]; total += t[j - i]; }
        }
        float inverse = 1.0f / total;
        for (i = 0; i + 16 <= n; i += 16) STORE(s + i, LOAD(s + i) * inverse);
        for (; i < n; i++) s[i] *= inverse;
        for (; i < stride; i++) s[i] = 0;
        if (log_sum_exp) log_sum_exp[r * lse_stride] = best * factor + __builtin_logf(total);
    }
}

static void CTK_T(causal_softmax_backward)(float *scores, float *dscores, long rows, long columns, long stride,
                                           long first_visible, float factor, const float *log_sum_exp,
                                           long lse_stride, const float *deltas) {
    for (long r = 0; r < rows; r++) {
        float *s = scores + r * stride, *d = dscores + r * stride;
        float lse = log_sum_exp[r * lse_stride], delta = deltas[r];
        long n = first_visible + r, i = 0;
        for (; i + 16 <= n; i += 16) {
            V p = CTK_T(vexp)(LOAD(s + i) * factor - lse);
            STORE(s + i, p);
            STORE(d + i, p * (LOAD(d + i) - delta) * factor);
        }
        if (i < n) {
            V p = CTK_T(vexp)(CTK_T(load_part)(s + i, n - i, 0) * factor - lse);
            V g = p * (CTK_T(load_part)(d + i, n - i, 0) - delta) * factor;
            CTK_T(store_part)(s + i, p, n - i);
            CTK_T(store_part)(d + i, g, n - i);
        }
        for (i = n; i < columns; i++) { s[i] = 0; d[i] = 0; }
    }
}

static void CTK_T(row_dots)(const float *a, const float *b, float *dots, long rows, long dim, long stride) {
    for (long r = 0; r < rows; r++) {
        const float *p = a + r * stride, *q = b + r * stride;
        V s = {};
        long i = 0;
        for (; i + 16 <= dim; i += 16) s += LOAD(p + i) * LOAD(q + i);
        float total = CTK_T(hsum)(s);
        for (; i < dim; i++) total += p[i] * q[i];
        dots[r] = total;
    }
}

static void CTK_T(token_log_probabilities)(const float *logits, const int32_t *targets, float *log_probabilities,
                                           float *log_sum_exp, long rows, long dim) {
    for (long r = 0; r < rows; r++) {
        const float *l = logits + r * dim;
        float best = CTK_T(row_max)(l, dim);
        V sum = {};
        long i = 0;
        for (; i + 16 <= dim; i += 16) sum += CTK_T(vexp)(LOAD(l + i) - best);
        float total = CTK_T(hsum)(sum);
        if (i < dim) {
            float t[16];
            STORE(t, CTK_T(vexp)(CTK_T(load_part)(l + i, dim - i, best) - best));
            for (long j = i; j < dim; j++) total += t[j - i];
        }
        float lse = best + __builtin_logf(total);
        log_sum_exp[r] = lse;
        log_probabilities[r] = l[targets[r]] - lse;
    }
}

// upstream is d(loss)/d(log p): d(logits) = upstream * (one_hot - softmax), in place of the logits.
static void CTK_T(token_log_probabilities_backward)(float *logits, const int32_t *targets, const float *log_sum_exp,
                                                    const float *upstream, long rows, long dim) {
    for (long r = 0; r < rows; r++) {
        float *l = logits + r * dim;
        float lse = log_sum_exp[r], u = upstream[r];
        for (long i = 0; i < dim; i += 16) {
            if (i + 16 <= dim) STORE(l + i, CTK_T(vexp)(LOAD(l + i) - lse) * -u);
            else CTK_T(store_part)(l + i, CTK_T(vexp)(CTK_T(load_part)(l + i, dim - i, lse) - lse) * -u, dim - i);
        }
        l[targets[r]] += u;
    }
}

static void CTK_T(adamw)(float *parameter, const float *gradient, float *first, float *second, long count,
                         float gradient_scale, float decay, float beta1, float beta2, float step_size,
                         float inverse_sqrt_correction, float epsilon) {
    long i = 0;
    for (; i + 16 <= count; i += 16) {
        V g = LOAD(gradient + i) * gradient_scale;
        V m = LOAD(first + i), v = LOAD(second + i);
        m = m + (g - m) * (1.0f - beta1);
        v = v * beta2 + g * g * (1.0f - beta2);
        STORE(first + i, m);
        STORE(second + i, v);
        V root = __builtin_elementwise_sqrt(v) * inverse_sqrt_correction + epsilon;
        STORE(parameter + i, LOAD(parameter + i) * decay - m / root * step_size);
    }
    for (; i < count; i++) {
        float g = gradient[i] * gradient_scale;
        first[i] = first[i] + (g - first[i]) * (1.0f - beta1);
        second[i] = second[i] * beta2 + g * g * (1.0f - beta2);
        float root = __builtin_sqrtf(second[i]) * inverse_sqrt_correction + epsilon;
        parameter[i] = parameter[i] * decay - first[i] / root * step_size;
    }
}

static void CTK_T(gather_rows)(const float *table, const int32_t *indices, float *y, long rows, long dim) {
    for (long r = 0; r < rows; r++)
        __builtin_memcpy(y + r * dim, table + (long)indices[r] * dim, (size_t)dim * sizeof(float));
}

static void CTK_T(scatter_add_rows)(const float *x, const int32_t *indices, float *table, long rows, long dim,
                                    long first, long columns) {
    for (long r = 0; r < rows; r++)
        CTK_T(add)(table + (long)indices[r] * dim + first, x + r * dim + first, columns);
}

// A tile of `height` rows times one panel: every output is one chain of fused multiply-adds over the inner dimension,
// so that a row's result never depends on how many other rows there are.
INLINE void CTK_T(tile)(const float *x, const float *panel, float *y, const float *bias, int accumulate, long inner,
                        long outputs, long columns, const int height) {
    V a[8], b[8];
    for (int r = 0; r < height; r++) { a[r] = (V){}; b[r] = (V){}; }
    for (long k = 0; k < inner; k++) {
        V p = LOAD(panel + k * 32), q = LOAD(panel + k * 32 + 16);
        for (int r = 0; r < height; r++) {
            V s = SPLAT(x[r * inner + k]);
            a[r] += s * p;
            b[r] += s * q;
        }
    }
    for (int r = 0; r < height; r++) {
        float *out = y + r * outputs;
        if (columns == 32) {
            if (bias) { a[r] += LOAD(bias); b[r] += LOAD(bias + 16); }
            if (accumulate) { a[r] += LOAD(out); b[r] += LOAD(out + 16); }
            STORE(out, a[r]);
            STORE(out + 16, b[r]);
        } else {
            float t[32];
            STORE(t, a[r]);
            STORE(t + 16, b[r]);
            for (long i = 0; i < columns; i++)
                out[i] = t[i] + (bias ? bias[i] : 0) + (accumulate ? out[i] : 0);
        }
    }
}

static void CTK_T(packed_product)(const float *x, const float *panels, float *y, const float *bias, int accumulate,
                                  long rows, long inner, long outputs, long first_panel, long last_panel) {
    for (long p = first_panel; p < last_panel; p++) {
        const float *panel = panels + p * 32 * inner, *c = bias ? bias + p * 32 : 0;
        long columns = outputs - p * 32 < 32 ? outputs - p * 32 : 32, r = 0;
        for (; r + 8 <= rows; r += 8)
            CTK_T(tile)(x + r * inner, panel, y + r * outputs + p * 32, c, accumulate, inner, outputs, columns, 8);
        const float *rest = x + r * inner;
        float *out = y + r * outputs + p * 32;
        if (rows - r >= 4) {
            CTK_T(tile)(rest, panel, out, c, accumulate, inner, outputs, columns, 4);
            r += 4, rest += 4 * inner, out += 4 * outputs;
        }
        if (rows - r >= 2) {
            CTK_T(tile)(rest, panel, out, c, accumulate, inner, outputs, columns, 2);
            r += 2, rest += 2 * inner, out += 2 * outputs;
        }
        if (rows - r >= 1) CTK_T(tile)(rest, panel, out, c, accumulate, inner, outputs, columns, 1);
    }
}

// A block of `height` rows and 32 columns of c += a · b, b read in rows of 32 at stride ldb.
INLINE void CTK_T(block)(const float *a, long row_stride, long inner_stride, const float *b, long ldb, float *c,
                         long ldc, long k, long columns, int accumulate, const int height) {
    V p[8], q[8];
    for (int r = 0; r < height; r++) { p[r] = (V){}; q[r] = (V){}; }
    const float *rows[8];
    for (int r = 0; r < height; r++) rows[r] = a + r * row_stride;
    for (long i = 0; i < k; i++) {
        V x = LOAD(b + i * ldb), y = LOAD(b + i * ldb + 16);
        for (int r = 0; r < height; r++) {
            V v = SPLAT(rows[r][i * inner_stride]);
            p[r] += v * x;
            q[r] += v * y;
        }
    }
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

// c [m, n] = a · b (+ c): a by explicit strides, b [k, n] or, transposed, [n, k]. Panels of b that are transposed or
// narrower than 32 are copied to the stack, 256 inner steps at a time.
static void CTK_T(product)(const float *a, long row_stride, long inner_stride, const float *b, long ldb,
                           int transpose_b, float *c, long ldc, long m, long n, long k, int accumulate) {
    float panel[256 * 32] __attribute__((aligned(64)));
    if (k <= 0 && !accumulate)
        for (long r = 0; r < m; r++)
            for (long j = 0; j < n; j++) c[r * ldc + j] = 0;
    for (long first = 0; first < k; first += 256) {
        long inner = k - first < 256 ? k - first : 256;
        int add = accumulate || first > 0;
        const float *x = a + first * inner_stride;
        for (long column = 0; column < n; column += 32) {
            long columns = n - column < 32 ? n - column : 32, stride = ldb;
            const float *source;
            // Rows of b at a power-of-two stride would share a few cache sets: a panel that is used often is copied.
            if (transpose_b || columns < 32 || (m >= 32 && ldb > 32)) {
                if (columns < 32) __builtin_memset(panel, 0, (size_t)inner * 32 * sizeof(float));
                if (transpose_b)
                    for (long j = 0; j < columns; j++) {
                        const float *from = b + (column + j) * ldb + first;
                        for (long i = 0; i < inner; i++) panel[i * 32 + j] = from[i];
                    }
                else
                    for (long i = 0; i < inner; i++)
                        __builtin_memcpy(panel + i * 32, b + (first + i) * ldb + column, (size_t)columns * sizeof(float));
                source = panel;
                stride = 32;
            } else {
                source = b + first * ldb + column;
            }
            float *out = c + column;
            long r = 0;
#define CTK_BLOCK(height)                                                                                              \
    CTK_T(block)(x + r * row_stride, row_stride, inner_stride, source, stride, out + r * ldc, ldc, inner, columns, add, \
                 height)
            for (; r + 8 <= m; r += 8) CTK_BLOCK(8);
            if (m - r >= 4) { CTK_BLOCK(4); r += 4; }
            if (m - r >= 2) { CTK_BLOCK(2); r += 2; }
            if (m - r >= 1) CTK_BLOCK(1);
#undef CTK_BLOCK
        }
    }
}

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

#define CTK_ENTRY(name, params, args) .name = CTK_T(name),
static const ctk_table CTK_T(table) = {CTK_KERNELS(CTK_ENTRY)};
#undef CTK_ENTRY
#undef V
#undef VI
#undef LOAD
#undef STORE
#undef SPLAT
#undef INLINE
