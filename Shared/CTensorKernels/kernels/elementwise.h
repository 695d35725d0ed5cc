// Norm, rotary, SwiGLU, sums, exponentials, AdamW, rows by index.
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

static void CTK_T(add_scaled_rows)(const float *x, const float *factors, float *y, long rows, long dim) {
    for (long r = 0; r < rows; r++, x += dim, y += dim) {
        long i = 0;
        for (; i + 16 <= dim; i += 16) STORE(y + i, LOAD(y + i) + LOAD(x + i) * factors[r]);
        for (; i < dim; i++) y[i] += x[i] * factors[r];
    }
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

// The largest value of each CTK_SEGMENT_WIDTH neighbours, the last ones maybe fewer; a NaN is passed over, and of NaNs alone
// it is minus infinity.
static void CTK_T(segment_maxima)(const float *x, float *maxima, long count) {
    const V lowest = SPLAT(-__builtin_inff());
    for (long i = 0; i < count; i += CTK_SEGMENT_WIDTH) {
        V m = lowest;
        for (long j = i; j < i + CTK_SEGMENT_WIDTH; j += 16) {
            if (j + 16 <= count) m = __builtin_elementwise_max(m, LOAD(x + j));
            else if (j < count) m = __builtin_elementwise_max(m, CTK_T(load_part)(x + j, count - j, -__builtin_inff()));
        }
        maxima[i / CTK_SEGMENT_WIDTH] = CTK_T(hmax)(m);
    }
}

// `is_finite` becomes 0 where a parameter or a moment is infinite or NaN after the update.
static void CTK_T(adamw)(float *parameter, const float *gradient, float *first, float *second, long count,
                         float gradient_scale, float decay, float beta1, float beta2, float step_size,
                         float inverse_sqrt_correction, float epsilon, int *is_finite) {
    // 0 times a value is 0 where that is finite, else NaN.
    V zeros = {};
    float zero = 0;
    long i = 0;
    for (; i + 16 <= count; i += 16) {
        V g = LOAD(gradient + i) * gradient_scale;
        V m = LOAD(first + i), v = LOAD(second + i);
        m = m + (g - m) * (1.0f - beta1);
        v = v * beta2 + g * g * (1.0f - beta2);
        STORE(first + i, m);
        STORE(second + i, v);
        V root = __builtin_elementwise_sqrt(v) * inverse_sqrt_correction + epsilon;
        V p = LOAD(parameter + i) * decay - m / root * step_size;
        STORE(parameter + i, p);
        zeros += p * 0.0f + v * 0.0f;
    }
    for (; i < count; i++) {
        float g = gradient[i] * gradient_scale;
        first[i] = first[i] + (g - first[i]) * (1.0f - beta1);
        second[i] = second[i] * beta2 + g * g * (1.0f - beta2);
        float root = __builtin_sqrtf(second[i]) * inverse_sqrt_correction + epsilon;
        parameter[i] = parameter[i] * decay - first[i] / root * step_size;
        zero += parameter[i] * 0.0f + second[i] * 0.0f;
    }
    if (CTK_T(hsum)(zeros) + zero != 0) *is_finite = 0;
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
