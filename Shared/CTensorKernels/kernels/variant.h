// All kernels for one instruction set, and the table of them, under the name CTK_NAME and with CTK_SUFFIX on all symbols;
// no include guard on purpose.
// CTK_WIDE: 32 registers of 16 floats. CTK_BF16: the bfloat16 instructions.
#include "vectors.h"

#include "elementwise.h"
#include "half.h"

#include "softmax.h"

#include "cached_attention.h"
#include "packed_product.h"
#include "row_products.h"

#include "small_product.h"

#ifdef CTK_WIDE
#define CTK_IS_WIDE 1
#else
#define CTK_IS_WIDE 0
#endif
#define CTK_ENTRY(name, params) .name = CTK_T(name),
static const ctk_table CTK_T(table) = {
    .name = CTK_NAME,
    .is_wide = CTK_IS_WIDE,
    .tile_rows = CTK_TILE_ROWS,
    CTK_KERNELS(CTK_ENTRY)
};
#undef CTK_ENTRY
#undef CTK_IS_WIDE
#undef CTK_TILE_ROWS
#undef CTK_NAME
#undef CTK_SUFFIX
#undef V
#undef VI
#undef VU
#undef VUM
#undef VH
#undef LOAD
#undef STORE
#undef SPLAT
#undef INLINE
