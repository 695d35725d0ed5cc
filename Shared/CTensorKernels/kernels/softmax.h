// Softmax: of attention scores, and of logits as log-probabilities of targets. A row with a NaN, or with nothing above
// minus infinity, gives NaN.

// The largest value of a row, for its exponentials to be relative to. A NaN may be passed over here: its own exponential
// is one, and so is their sum.
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

// log p of one row's target, and log Σ exp. `statistics`, where wanted: entropy, whether the target is the first of the
// likeliest (1 or 0), and the mean logit; computed beside the sum, whose bits they do not change.
INLINE float CTK_T(token_log_probability)(const float *l, int32_t target, float *log_sum_exp, float *statistics,
                                          long dim) {
    float best = CTK_T(row_max)(l, dim);
    V sum = {}, distances = {}, moments = {};
    long i = 0;
    if (statistics) {
        for (; i + 16 <= dim; i += 16) {
            V x = LOAD(l + i) - best;
            V e = CTK_T(vexp)(x);
            sum += e;
            distances += x;
            moments += x * e;
        }
    } else {
        for (; i + 16 <= dim; i += 16) sum += CTK_T(vexp)(LOAD(l + i) - best);
    }
    float total = CTK_T(hsum)(sum), distance = CTK_T(hsum)(distances), moment = CTK_T(hsum)(moments);
    if (i < dim) {
        float t[16];
        STORE(t, CTK_T(vexp)(CTK_T(load_part)(l + i, dim - i, best) - best));
        for (long j = i; j < dim; j++) {
            float x = l[j] - best;
            total += t[j - i];
            distance += x;
            moment += x * t[j - i];
        }
    }
    float log_total = __builtin_logf(total);
    *log_sum_exp = best + log_total;
    if (statistics) {
        statistics[0] = log_total - moment / total;
        // No token is the likeliest where there are no probabilities.
        statistics[1] = log_total == log_total && l[target] == best &&
                        (target == 0 || CTK_T(row_max)(l, target) < best);
        statistics[2] = best + distance / dim;
    }
    return l[target] - *log_sum_exp;
}

static void CTK_T(token_log_probabilities)(const float *logits, const int32_t *targets, float *log_probabilities,
                                           float *log_sum_exp, long rows, long dim) {
    for (long r = 0; r < rows; r++)
        log_probabilities[r] = CTK_T(token_log_probability)(logits + r * dim, targets[r], log_sum_exp + r, 0, dim);
}

static void CTK_T(token_statistics)(const float *logits, const int32_t *targets, float *log_probabilities,
                                    float *log_sum_exp, float *statistics, long rows, long dim) {
    for (long r = 0; r < rows; r++)
        log_probabilities[r] =
            CTK_T(token_log_probability)(logits + r * dim, targets[r], log_sum_exp + r, statistics + 3 * r, dim);
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

