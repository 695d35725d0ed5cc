// All kernels for one instruction set, and the table of them. CTK_SUFFIX names the variant; no include guard on purpose.
// CTK_WIDE: 32 registers of 16 floats. CTK_BF16: the bfloat16 instructions.
#include "vectors.h"

#include "elementwise.h"
#include "half.h"

#include "softmax.h"

#include "cached_attention.h"
#include "packed_product.h"
#include "row_products.h"

#include "small_product.h"

#define CTK_ENTRY(name, params, args) .name = CTK_T(name),
static const ctk_table CTK_T(table) = {CTK_KERNELS(CTK_ENTRY)};
#undef CTK_ENTRY
#undef V
#undef VI
#undef VU
#undef VUM
#undef VH
#undef LOAD
#undef STORE
#undef SPLAT
#undef INLINE
