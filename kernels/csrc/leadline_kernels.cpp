// Attention and int8 matrix kernels for CPUs. No dependency beyond the C++ library, no threads.
//
// The file includes itself once per instruction set; the second half below is compiled each time
// into a namespace of its own, with per-function target attributes, and the exported functions
// choose among them by what the processor says it has. Callers bring the threads: every exported
// kernel takes a job whose items are taken, by an atomic counter, by as many threads as call it, and
// an item's result does not depend on which thread takes it.
//
// Attention is FlashAttention-2 (arXiv 2307.08691): blocks of keys, a running maximum and sum per
// row, no map of probabilities. Scores are natural logits times log2(e), exponentials base 2.

#ifndef LEADLINE_SET

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE __attribute__((always_inline)) inline

extern "C" {

enum ElementType : int32_t { kFloat32 = 0, kBFloat16 = 1 };
enum Status : int32_t { kDone = 0, kNotFinite = 1, kNoMemory = 2, kUnsupported = 3 };

// One sequence: rows of queries over columns of keys. Strides are in elements; the last dimension
// is contiguous.
struct Sequence {
  const void *query, *key, *value;
  void *attended;      // of the queries' type
  float *logsumexp;    // (heads, rows), natural; may be null
  const float *extra;  // (heads, rows), natural: log of the sum over columns elsewhere; may be null
  const uint8_t *blocks;  // (heads, row blocks, column blocks), 0: skipped; may be null
  int64_t rows, columns;
  int64_t query_head, query_row, key_head, key_row, value_head, value_row;
  int64_t attended_head, attended_row;
  int64_t logsumexp_head;
  int64_t packed;      // where its packed keys and values start, in bytes
  int64_t pack_item, row_item;  // its first item of each kind
};

struct AttentionJob {
  const Sequence *sequences;
  int64_t count;
  uint8_t *packed;
  const int32_t *heads;      // of score_rows: which heads
  const float *row_weights;  // of score_rows: (rows,)
  float *scores;             // of score_rows: (head_count, last_column - first_column)
  int64_t first_column, last_column;
  int64_t query_heads, key_heads, width, head_count;
  float scale;               // of the logits, log2(e) included
  int32_t type, causal, instructions;
  int64_t next_pack, next_item;
  int32_t status;
};

struct LinearJob {
  const void *input;         // (rows, inputs)
  void *output;              // (rows, outputs), of the input's type
  const int8_t *weights;     // packed by leadline_pack_linear
  const float *weight_scales;   // (outputs,)
  const int32_t *weight_sums;   // (outputs,): of the int8 weights
  const float *bias;         // (outputs,); may be null
  const int32_t *outliers;   // columns of the input that stay out of int8
  const float *outlier_weights;  // (outlier_count, outputs)
  uint8_t *quantized;        // (rows, padded inputs)
  float *row_scales;         // (rows,)
  float *outlier_values;     // (rows, outlier_count)
  int64_t rows, inputs, outputs, outlier_count, input_row, output_row;
  int32_t type, instructions;
  int64_t next_row, next_tile;
  int32_t status;
};

}  // extern "C"

namespace {

constexpr int64_t kRowBlock = 24;      // query rows that share a pass over the keys
constexpr int64_t kTileRows = 6;       // rows of a register tile
constexpr int64_t kColumnBlock = 256;  // keys between two updates of the running maximum
constexpr int64_t kMaskColumns = 128;  // columns of a block that can be skipped
constexpr int64_t kMaskRows = 192;     // rows of one
constexpr int64_t kItemRows = 96;      // rows of an item of work
constexpr int64_t kKeyGroup = 64;      // keys are packed in groups
constexpr int64_t kPackKeys = 512;     // keys of an item of packing
constexpr int64_t kMaxWidth = 256;
constexpr int64_t kOutputGroup = 64;   // outputs of a packed group of weights
constexpr int64_t kQuantizeRows = 16;  // rows of an item of quantising
constexpr float kHidden = -1e30f;      // finite, so that differences of it are no NaN
constexpr float kLn2 = 0.69314718056f;
constexpr float kLog2e = 1.44269504089f;

typedef uint32_t AliasedWord __attribute__((may_alias));

INLINE int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

INLINE uint32_t bits(float value) {
  uint32_t result;
  std::memcpy(&result, &value, 4);
  return result;
}
INLINE float real(uint32_t value) {
  float result;
  std::memcpy(&result, &value, 4);
  return result;
}
INLINE float from_bfloat16(uint16_t value) { return real(uint32_t{value} << 16); }
INLINE uint16_t to_bfloat16(float value) {  // to the nearest, ties to even; no NaN comes here
  const uint32_t word = bits(value);
  return static_cast<uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}
template <class T> INLINE float to_float(T value);
template <> INLINE float to_float<float>(float value) { return value; }
template <> INLINE float to_float<uint16_t>(uint16_t value) { return from_bfloat16(value); }
template <class T> INLINE T from_float(float value);
template <> INLINE float from_float<float>(float value) { return value; }
template <> INLINE uint16_t from_float<uint16_t>(float value) { return to_bfloat16(value); }

// Whether exponent bits are all ones: NaN or infinite.
template <class T> INLINE uint32_t not_finite(T value) {
  return (bits(to_float(value)) & 0x7f800000u) == 0x7f800000u;
}

// Scratch memory of a thread: of the C library alone, so that no C++ runtime is needed.
struct Free {
  void operator()(void *place) const { std::free(place); }
};
template <class T> using Owned = std::unique_ptr<T, Free>;
template <class T> Owned<T> allocate(int64_t count) {
  const size_t bytes = static_cast<size_t>(round_up(count * static_cast<int64_t>(sizeof(T)), 64));
  return Owned<T>(static_cast<T *>(std::aligned_alloc(64, bytes)));
}

INLINE void fail(int32_t *status, int32_t reason) {
  __atomic_store_n(status, reason, __ATOMIC_RELAXED);
}
INLINE int64_t take(int64_t *next) { return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED); }

// The sequence that an item belongs to: the last one that starts at or before it.
template <int64_t Sequence::*First>
const Sequence &owner(const AttentionJob &job, int64_t item) {
  int64_t low = 0, high = job.count - 1;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (job.sequences[middle].*First <= item) low = middle;
    else high = middle - 1;
  }
  return job.sequences[low];
}

INLINE int64_t pack_items(const AttentionJob &job, const Sequence &sequence) {
  return job.key_heads * ((sequence.columns + kPackKeys - 1) / kPackKeys);
}
INLINE int64_t row_items(const AttentionJob &job, const Sequence &sequence) {
  return job.query_heads * ((sequence.rows + kItemRows - 1) / kItemRows);
}

}  // namespace

#if defined(__x86_64__)
#define LEADLINE_SET avx512
#define TARGET __attribute__((target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,avx2,fma")))
#define LANES 16
#define TILE_VECTORS 4
#define MAXIMUM(a, b) ((Vector)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define MULTIPLY_ADD(a, b, c) ((Vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#include "leadline_kernels.cpp"
#undef LEADLINE_SET
#undef TARGET
#undef LANES
#undef TILE_VECTORS
#undef MAXIMUM
#undef MULTIPLY_ADD

#define LEADLINE_SET avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define TILE_VECTORS 2
#define MAXIMUM(a, b) ((Vector)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define MULTIPLY_ADD(a, b, c) ((Vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#include "leadline_kernels.cpp"
#undef LEADLINE_SET
#undef TARGET
#undef LANES
#undef TILE_VECTORS
#undef MAXIMUM
#undef MULTIPLY_ADD
#endif

#define LEADLINE_SET baseline
#define TARGET
#define LANES 4
#define TILE_VECTORS 2
#define MAXIMUM(a, b) ((a) > (b) ? (a) : (b))
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#include "leadline_kernels.cpp"
#undef TARGET
#undef LANES
#undef TILE_VECTORS
#undef MAXIMUM
#undef MULTIPLY_ADD

extern "C" {

#define EXPORT __attribute__((visibility("default")))

enum Instructions : int32_t { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };

// The best instruction set of this processor, as its operating system lets it be used.
EXPORT int32_t leadline_instructions() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni"))
    return kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx2;
#endif
  return kBaseline;
}

// Sizes of the structures, so that a caller with other ones is noticed.
EXPORT int64_t leadline_layout(int32_t structure) {
  return structure == 0 ? sizeof(Sequence)
       : structure == 1 ? sizeof(AttentionJob) : sizeof(LinearJob);
}

// Constants that a caller must know: 0 kMaskRows, 1 kMaskColumns, 2 kItemRows, 3 kPackKeys,
// 4 kMaxWidth, 5 kOutputGroup.
EXPORT int64_t leadline_constant(int32_t which) {
  const int64_t values[] = {kMaskRows, kMaskColumns, kItemRows, kPackKeys, kMaxWidth, kOutputGroup};
  return which < 0 || which > 5 ? -1 : values[which];
}

#if defined(__x86_64__)
#define DISPATCH(instructions, call)                  \
  switch (instructions) {                             \
    case kAvx512: return avx512::call;                \
    case kAvx2: return avx2::call;                    \
    default: return baseline::call;                   \
  }
#else
#define DISPATCH(instructions, call) return baseline::call
#endif

// Bytes that the packed keys and values of one sequence need.
EXPORT int64_t leadline_packed_bytes(int32_t instructions, int32_t type, int64_t key_heads,
                                     int64_t columns, int64_t width) {
  DISPATCH(instructions, packed_bytes(type, columns, width) * key_heads);
}
// First every thread calls this, then, when all are back, one of the three that follow.
EXPORT void leadline_pack(AttentionJob *job) { DISPATCH(job->instructions, pack(*job)); }
EXPORT void leadline_attend(AttentionJob *job) { DISPATCH(job->instructions, attend(*job)); }
EXPORT void leadline_score(AttentionJob *job) { DISPATCH(job->instructions, score(*job)); }

// First every thread calls leadline_quantize, then, when all are back, leadline_multiply.
EXPORT void leadline_quantize(LinearJob *job) { DISPATCH(job->instructions, quantize(*job)); }
EXPORT void leadline_multiply(LinearJob *job) { DISPATCH(job->instructions, multiply(*job)); }

// Weights (outputs, inputs) of int8, row by row, into groups of kOutputGroup outputs, within a group
// four inputs of each output together; zeros fill up. `packed` holds
// round_up(outputs, kOutputGroup) * round_up(inputs, 4) bytes.
EXPORT void leadline_pack_linear(const int8_t *weights, int64_t outputs, int64_t inputs,
                                 int8_t *packed) {
  const int64_t padded = round_up(inputs, 4);
  std::memset(packed, 0, static_cast<size_t>(round_up(outputs, kOutputGroup) * padded));
  for (int64_t output = 0; output < outputs; ++output) {
    int8_t *group = packed + output / kOutputGroup * kOutputGroup * padded;
    for (int64_t input = 0; input < inputs; ++input)
      group[(input / 4 * kOutputGroup + output % kOutputGroup) * 4 + input % 4] =
          weights[output * inputs + input];
  }
}

// Does 48 * `rounds` multiply-adds of whole registers, of the kind: 0 float32, 1 bfloat16, 2 int8.
// Returns how many operations (a product and a sum are two) that were, 0 where there are no such
// instructions. How long it takes says what the processor can do at most.
EXPORT int64_t leadline_peak(int32_t instructions, int32_t kind, int64_t rounds) {
  DISPATCH(instructions, peak(kind, rounds));
}

}  // extern "C"

#else  // LEADLINE_SET: what follows is compiled once per instruction set

namespace {
namespace LEADLINE_SET {

typedef float Vector __attribute__((vector_size(LANES * 4), may_alias));
typedef int32_t Integers __attribute__((vector_size(LANES * 4), may_alias));

constexpr int64_t kTileColumns = LANES * TILE_VECTORS;
constexpr bool kNative = LANES == 16;  // bfloat16 and int8 products are instructions

TARGET INLINE Vector splat(float value) { return Vector{} + value; }
TARGET INLINE Vector load(const float *place) {
  Vector result;
  std::memcpy(&result, place, sizeof result);
  return result;
}
TARGET INLINE void store(float *place, Vector value) { std::memcpy(place, &value, sizeof value); }

TARGET INLINE float largest(Vector value) {
#if LANES == 16
  return _mm512_reduce_max_ps((__m512)value);
#else
  float result = value[0];
  for (int lane = 1; lane < LANES; ++lane) result = value[lane] > result ? value[lane] : result;
  return result;
#endif
}
TARGET INLINE float total(Vector value) {
#if LANES == 16
  return _mm512_reduce_add_ps((__m512)value);
#else
  float result = 0;
  for (int lane = 0; lane < LANES; ++lane) result += value[lane];
  return result;
#endif
}

// 2^x for x <= 0 with a relative error of 1e-7, 1 for 0, 0 below -126.5, NaN for NaN.
TARGET INLINE Vector exp2(Vector x) {
#if LANES == 16
  const __m512 whole = _mm512_roundscale_ps((__m512)x, 0);
  const Vector part = x - (Vector)whole;
#else
  x = MAXIMUM(splat(-127.0f), x);
  const Vector shifted = x + 12582912.0f;  // 1.5 * 2^23: the last bits hold the rounded number
  const Vector part = x - (shifted - 12582912.0f);
#endif
  Vector power = splat(1.3264727213953133e-3f);
  power = MULTIPLY_ADD(power, part, splat(9.67151281259575e-3f));
  power = MULTIPLY_ADD(power, part, splat(5.550733744824673e-2f));
  power = MULTIPLY_ADD(power, part, splat(2.4022242082675851e-1f));
  power = MULTIPLY_ADD(power, part, splat(6.931469775973303e-1f));
  power = MULTIPLY_ADD(power, part, splat(1.0f));
#if LANES == 16
  return (Vector)_mm512_scalef_ps((__m512)power, whole);
#else
  return power * (Vector)(((Integers)shifted << 23) + 0x3f800000);
#endif
}

// Packed keys: groups of kTileColumns keys, each `width` times kTileColumns numbers; bfloat16 where
// its products are instructions: pairs of channels of each key side by side. Packed values: rows
// of `value_width` floats; of bfloat16: pairs of keys side by side.
TARGET INLINE bool paired(int32_t type) { return kNative && type == kBFloat16; }
INLINE int64_t value_width(int64_t width) { return round_up(width, 16); }
INLINE int64_t key_width(int64_t width) { return round_up(width, 2); }
TARGET INLINE int64_t key_bytes(int32_t type, int64_t columns, int64_t width) {
  return round_up(columns, kKeyGroup) * key_width(width) * (paired(type) ? 2 : 4);
}
TARGET int64_t packed_bytes(int32_t type, int64_t columns, int64_t width) {
  const int64_t values =
      round_up(columns, kKeyGroup) * value_width(width) * (paired(type) ? 2 : 4);
  return key_bytes(type, columns, width) + values;
}

template <class T>
TARGET uint32_t pack_floats(const T *key, int64_t key_row, const T *value, int64_t value_row,
                            int64_t first, int64_t last, int64_t columns, int64_t width,
                            float *packed_key, float *packed_value) {
  const int64_t value_step = value_width(width), end = least(last, columns);
  uint32_t bad = 0;
  for (int64_t column = first; column < end; ++column) {
    float *tile = packed_key + column / kTileColumns * kTileColumns * key_width(width) +
                  column % kTileColumns;
    const T *source = key + column * key_row;
    for (int64_t channel = 0; channel < width; ++channel) {
      bad |= not_finite(source[channel]);
      tile[channel * kTileColumns] = to_float(source[channel]);
    }
  }
  for (int64_t column = end; column < last; ++column) {
    float *tile = packed_key + column / kTileColumns * kTileColumns * key_width(width) +
                  column % kTileColumns;
    for (int64_t channel = 0; channel < width; ++channel) tile[channel * kTileColumns] = 0;
  }
  if (!value) return bad;
  for (int64_t column = first; column < last; ++column) {
    float *target = packed_value + column * value_step;
    int64_t channel = 0;
    if (column < columns) {
      const T *source = value + column * value_row;
      for (; channel < width; ++channel) {
        bad |= not_finite(source[channel]);
        target[channel] = to_float(source[channel]);
      }
    }
    for (; channel < value_step; ++channel) target[channel] = 0;
  }
  return bad;
}

#if LANES == 16
TARGET INLINE uint32_t pack_key_pairs(const uint16_t *key, int64_t key_row, int64_t first,
                                      int64_t last, int64_t columns, int64_t width,
                                      uint16_t *packed) {
  uint32_t bad = 0;
  const int64_t pairs = width / 2;
  for (int64_t column = first; column < last; ++column) {
    uint16_t *tile = packed + column / kTileColumns * kTileColumns * key_width(width) +
                     column % kTileColumns * 2;
    if (column >= columns) {
      for (int64_t pair = 0; pair < key_width(width) / 2; ++pair)
        std::memset(tile + pair * kTileColumns * 2, 0, 4);
      continue;
    }
    const uint16_t *source = key + column * key_row;
    for (int64_t channel = 0; channel < width; ++channel) bad |= not_finite(source[channel]);
    for (int64_t pair = 0; pair < pairs; ++pair)
      std::memcpy(tile + pair * kTileColumns * 2, source + pair * 2, 4);
    if (width % 2) {
      uint16_t *target = tile + pairs * kTileColumns * 2;
      target[0] = source[width - 1];
      target[1] = 0;
    }
  }
  return bad;
}

TARGET INLINE uint32_t pack_value_pairs(const uint16_t *value, int64_t value_row, int64_t first,
                                        int64_t last, int64_t columns, int64_t width,
                                        uint16_t *packed) {
  uint32_t bad = 0;
  const int64_t step = value_width(width);
  uint16_t zeros[kMaxWidth] = {};
  for (int64_t column = first; column < last; column += 2) {
    const uint16_t *even = column < columns ? value + column * value_row : zeros;
    const uint16_t *odd = column + 1 < columns ? value + (column + 1) * value_row : zeros;
    uint16_t *target = packed + column * step;
    for (int64_t channel = 0; channel < width; ++channel) {
      bad |= not_finite(even[channel]) | not_finite(odd[channel]);
      target[channel * 2] = even[channel];
      target[channel * 2 + 1] = odd[channel];
    }
    std::memset(target + width * 2, 0, static_cast<size_t>(step - width) * 4);
  }
  return bad;
}
#endif

TARGET void pack(AttentionJob &job) {
  const Sequence &end = job.sequences[job.count - 1];
  const int64_t items = end.pack_item + pack_items(job, end);
  for (int64_t item = take(&job.next_pack); item < items; item = take(&job.next_pack)) {
    const Sequence &sequence = owner<&Sequence::pack_item>(job, item);
    const int64_t parts = pack_items(job, sequence) / job.key_heads;
    const int64_t head = (item - sequence.pack_item) / parts;
    const int64_t first = (item - sequence.pack_item) % parts * kPackKeys;
    const int64_t last = least(first + kPackKeys, round_up(sequence.columns, kKeyGroup));
    uint8_t *keys = job.packed + sequence.packed +
                    head * packed_bytes(job.type, sequence.columns, job.width);
    uint8_t *values = keys + key_bytes(job.type, sequence.columns, job.width);
    uint32_t bad = 0;
    const int64_t key_start = head * sequence.key_head, value_start = head * sequence.value_head;
    if (job.type == kFloat32) {
      const float *value = static_cast<const float *>(sequence.value);
      bad = pack_floats(static_cast<const float *>(sequence.key) + key_start, sequence.key_row,
                        value ? value + value_start : nullptr, sequence.value_row, first, last,
                        sequence.columns, job.width, reinterpret_cast<float *>(keys),
                        reinterpret_cast<float *>(values));
    } else {
      const uint16_t *key = static_cast<const uint16_t *>(sequence.key) + key_start;
      const uint16_t *value = static_cast<const uint16_t *>(sequence.value);
      if (value) value += value_start;
#if LANES == 16
      bad = pack_key_pairs(key, sequence.key_row, first, last, sequence.columns, job.width,
                           reinterpret_cast<uint16_t *>(keys));
      if (value)
        bad |= pack_value_pairs(value, sequence.value_row, first, last, sequence.columns, job.width,
                                reinterpret_cast<uint16_t *>(values));
#else
      bad = pack_floats(key, sequence.key_row, value, sequence.value_row, first, last,
                        sequence.columns, job.width, reinterpret_cast<float *>(keys),
                        reinterpret_cast<float *>(values));
#endif
    }
    if (bad) fail(&job.status, kNotFinite);
  }
}

// What a block of query rows is worked out in.
struct Scratch {
  alignas(64) float scores[kRowBlock * kColumnBlock];  // then, in place, the probabilities
  alignas(64) float queries[kRowBlock * kMaxWidth];
  alignas(64) float attended[kRowBlock * kMaxWidth];
  float maximum[kRowBlock], sum[kRowBlock], decay[kRowBlock];
};

// Products of float32: queries are rows of `width` floats, probabilities rows of floats.
struct FloatProducts {
  template <class T>
  static TARGET INLINE uint32_t take_queries(const T *query, int64_t row, int64_t rows,
                                             int64_t width, float *target) {
    uint32_t bad = 0;
    for (int64_t place = 0; place < rows; ++place)
      for (int64_t channel = 0; channel < width; ++channel) {
        bad |= not_finite(query[place * row + channel]);
        target[place * kMaxWidth + channel] = to_float(query[place * row + channel]);
      }
    for (int64_t place = rows; place < round_up(rows, kTileRows); ++place)
      std::memset(target + place * kMaxWidth, 0, static_cast<size_t>(width) * 4);
    return bad;
  }

  static TARGET INLINE void score_tile(const float *query, const uint8_t *keys, int64_t width,
                                       float *scores) {
    const float *key = reinterpret_cast<const float *>(keys);
    Vector sums[kTileRows][TILE_VECTORS] = {};
    for (int64_t channel = 0; channel < width; ++channel, key += kTileColumns) {
      Vector part[TILE_VECTORS];
      for (int vector = 0; vector < TILE_VECTORS; ++vector) part[vector] = load(key + vector * LANES);
#pragma GCC unroll 6
      for (int row = 0; row < kTileRows; ++row) {
        const Vector factor = splat(query[row * kMaxWidth + channel]);
#pragma GCC unroll 4
        for (int vector = 0; vector < TILE_VECTORS; ++vector)
          sums[row][vector] = MULTIPLY_ADD(factor, part[vector], sums[row][vector]);
      }
    }
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < TILE_VECTORS; ++vector)
        store(scores + row * kColumnBlock + vector * LANES, sums[row][vector]);
  }

  static TARGET INLINE int64_t tile_bytes(int64_t width) {
    return kTileColumns * key_width(width) * 4;
  }
  static TARGET INLINE int64_t value_bytes(int64_t columns, int64_t width) {
    return columns * value_width(width) * 4;
  }

  // `columns` is a multiple of 2 * LANES.
  static TARGET INLINE float to_probabilities(float *scores, int64_t columns, float scale,
                                              float maximum) {
    Vector sums = {};
    for (int64_t column = 0; column < columns; column += LANES) {
      const Vector shares = exp2((load(scores + column) - maximum) * scale);
      sums += shares;
      store(scores + column, shares);
    }
    return total(sums);
  }

  template <int Vectors>
  static TARGET INLINE void attend_tile(const float *shares, const uint8_t *values, int64_t step,
                                        int64_t columns, const float *decay, float *attended) {
    const float *value = reinterpret_cast<const float *>(values);
    Vector sums[kTileRows][Vectors];
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < Vectors; ++vector)
        sums[row][vector] = load(attended + row * kMaxWidth + vector * LANES) * decay[row];
    for (int64_t column = 0; column < columns; ++column, value += step) {
      Vector part[Vectors];
      for (int vector = 0; vector < Vectors; ++vector) part[vector] = load(value + vector * LANES);
#pragma GCC unroll 6
      for (int row = 0; row < kTileRows; ++row) {
        const Vector factor = splat(shares[row * kColumnBlock + column]);
#pragma GCC unroll 4
        for (int vector = 0; vector < Vectors; ++vector)
          sums[row][vector] = MULTIPLY_ADD(factor, part[vector], sums[row][vector]);
      }
    }
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < Vectors; ++vector)
        store(attended + row * kMaxWidth + vector * LANES, sums[row][vector]);
  }
  static constexpr int64_t kChannelBytes = 4;
};

#if LANES == 16
// Products of bfloat16 pairs: queries are rows of words, a pair each; so are probabilities.
struct PairProducts {
  static TARGET INLINE uint32_t take_queries(const uint16_t *query, int64_t row, int64_t rows,
                                             int64_t width, float *target) {
    uint32_t bad = 0;
    const size_t bytes = static_cast<size_t>(width) * 2;
    for (int64_t place = 0; place < rows; ++place) {
      const uint16_t *source = query + place * row;
      for (int64_t channel = 0; channel < width; ++channel) bad |= not_finite(source[channel]);
      target[place * kMaxWidth + (width - 1) / 2] = 0;
      std::memcpy(target + place * kMaxWidth, source, bytes);
    }
    for (int64_t place = rows; place < round_up(rows, kTileRows); ++place)
      std::memset(target + place * kMaxWidth, 0, bytes + 2);
    return bad;
  }

  static TARGET INLINE __m512bh pair(const float *place) {
    return (__m512bh)_mm512_set1_epi32(
        static_cast<int32_t>(*reinterpret_cast<const AliasedWord *>(place)));
  }
  static TARGET INLINE __m512bh pairs(const uint8_t *place) {
    return (__m512bh)_mm512_loadu_si512(place);
  }

  static TARGET INLINE void score_tile(const float *query, const uint8_t *key, int64_t width,
                                       float *scores) {
    __m512 sums[kTileRows][4];
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < 4; ++vector) sums[row][vector] = _mm512_setzero_ps();
    for (int64_t place = 0; place < key_width(width) / 2; ++place, key += 256) {
      const __m512bh part[4] = {pairs(key), pairs(key + 64), pairs(key + 128), pairs(key + 192)};
#pragma GCC unroll 6
      for (int row = 0; row < kTileRows; ++row) {
        const __m512bh factor = pair(query + row * kMaxWidth + place);
#pragma GCC unroll 4
        for (int vector = 0; vector < 4; ++vector)
          sums[row][vector] = _mm512_dpbf16_ps(sums[row][vector], factor, part[vector]);
      }
    }
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < 4; ++vector)
        _mm512_storeu_ps(scores + row * kColumnBlock + vector * 16, sums[row][vector]);
  }

  static TARGET INLINE int64_t tile_bytes(int64_t width) {
    return kTileColumns * key_width(width) * 2;
  }
  static TARGET INLINE int64_t value_bytes(int64_t columns, int64_t width) {
    return columns * value_width(width) * 2;
  }

  static TARGET INLINE float to_probabilities(float *scores, int64_t columns, float scale,
                                              float maximum) {
    Vector sums = {}, more = {};
    uint8_t *target = reinterpret_cast<uint8_t *>(scores);
    for (int64_t column = 0; column < columns; column += 32) {
      const Vector first = exp2((load(scores + column) - maximum) * scale);
      const Vector second = exp2((load(scores + column + 16) - maximum) * scale);
      sums += first;
      more += second;
      _mm512_storeu_si512(target + column * 2,
                          (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
    }
    return total(sums + more);
  }

  template <int Vectors>
  static TARGET INLINE void attend_tile(const float *shares, const uint8_t *value, int64_t step,
                                        int64_t columns, const float *decay, float *attended) {
    __m512 sums[kTileRows][Vectors];
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < Vectors; ++vector)
        sums[row][vector] = _mm512_mul_ps(_mm512_loadu_ps(attended + row * kMaxWidth + vector * 16),
                                          _mm512_set1_ps(decay[row]));
    for (int64_t place = 0; place < (columns + 1) / 2; ++place, value += step * 4) {
      __m512bh part[Vectors];
#pragma GCC unroll 4
      for (int vector = 0; vector < Vectors; ++vector) part[vector] = pairs(value + vector * 64);
#pragma GCC unroll 6
      for (int row = 0; row < kTileRows; ++row) {
        const __m512bh factor = pair(shares + row * kColumnBlock + place);
#pragma GCC unroll 4
        for (int vector = 0; vector < Vectors; ++vector)
          sums[row][vector] = _mm512_dpbf16_ps(sums[row][vector], factor, part[vector]);
      }
    }
#pragma GCC unroll 6
    for (int row = 0; row < kTileRows; ++row)
#pragma GCC unroll 4
      for (int vector = 0; vector < Vectors; ++vector)
        _mm512_storeu_ps(attended + row * kMaxWidth + vector * 16, sums[row][vector]);
  }
  static constexpr int64_t kChannelBytes = 4;
};
#endif

// Logits, not yet scaled, of rows over the columns [first, last) into the scratch; the rest of the
// last tile is filled, of keys that are zero or of the caller's.
template <class Products>
TARGET INLINE void block_scores(Scratch &scratch, int64_t rows, const uint8_t *keys, int64_t first,
                                int64_t last, int64_t width) {
  for (int64_t column = first; column < last; column += kTileColumns) {
    const uint8_t *tile = keys + column / kTileColumns * Products::tile_bytes(width);
    for (int64_t row = 0; row < rows; row += kTileRows)
      Products::score_tile(scratch.queries + row * kMaxWidth, tile, width,
                           scratch.scores + row * kColumnBlock + (column - first));
  }
}

// Hides what lies at or behind `visible`, up to `columns`; the largest of what is left.
TARGET INLINE float hide_and_find_largest(float *scores, int64_t visible, int64_t columns) {
  for (int64_t column = visible; column < columns; ++column) scores[column] = kHidden;
  Vector found = splat(kHidden);
  for (int64_t column = 0; column < columns; column += LANES)
    found = MAXIMUM(found, load(scores + column));
  return largest(found);
}

template <class Products>
TARGET INLINE void attend_block(Scratch &scratch, int64_t rows, const uint8_t *values,
                                int64_t columns, int64_t width) {
  const int64_t step = value_width(width);
  for (int64_t row = 0; row < rows; row += kTileRows) {
    const float *shares = scratch.scores + row * kColumnBlock, *decay = scratch.decay + row;
    float *attended = scratch.attended + row * kMaxWidth;
    int64_t channel = 0;
    for (; channel + kTileColumns <= step; channel += kTileColumns)
      Products::template attend_tile<TILE_VECTORS>(
          shares, values + channel * Products::kChannelBytes, step, columns, decay,
          attended + channel);
    for (; channel + 2 * LANES <= step; channel += 2 * LANES)
      Products::template attend_tile<2>(shares, values + channel * Products::kChannelBytes, step,
                                        columns, decay, attended + channel);
    for (; channel < step; channel += LANES)
      Products::template attend_tile<1>(shares, values + channel * Products::kChannelBytes, step,
                                        columns, decay, attended + channel);
  }
}

// How many columns the row sees: all, or those up to its own place.
INLINE int64_t seen(const AttentionJob &job, const Sequence &sequence, int64_t row) {
  return job.causal ? sequence.columns - sequence.rows + row + 1 : sequence.columns;
}

// Rows [first, first + rows) of one head, at most kRowBlock.
template <class T, class Products>
TARGET void attend_rows(AttentionJob &job, const Sequence &sequence, Scratch &scratch, int64_t head,
                        int64_t first, int64_t rows) {
  const int64_t width = job.width, key_head = head / (job.query_heads / job.key_heads);
  const uint8_t *keys = job.packed + sequence.packed +
                        key_head * packed_bytes(job.type, sequence.columns, width);
  const uint8_t *values = keys + key_bytes(job.type, sequence.columns, width);
  const T *query = static_cast<const T *>(sequence.query) + head * sequence.query_head +
                   first * sequence.query_row;
  uint32_t bad =
      Products::take_queries(query, sequence.query_row, rows, width, scratch.queries);
  const int64_t padded = round_up(rows, kTileRows);
  std::memset(scratch.attended, 0, sizeof(float) * static_cast<size_t>(padded * kMaxWidth));
  for (int64_t row = 0; row < kRowBlock; ++row) {
    scratch.maximum[row] = kHidden;
    scratch.sum[row] = scratch.decay[row] = 0;
  }
  const int64_t limit = seen(job, sequence, first + rows - 1);
  const uint8_t *blocks = nullptr;
  int64_t advance = kColumnBlock;
  if (sequence.blocks) {
    const int64_t across = (sequence.columns + kMaskColumns - 1) / kMaskColumns;
    const int64_t down = (sequence.rows + kMaskRows - 1) / kMaskRows;
    blocks = sequence.blocks + (head * down + first / kMaskRows) * across;
    advance = kMaskColumns;
  }
  for (int64_t start = 0; start < limit; start += advance) {
    if (blocks && !blocks[start / kMaskColumns]) continue;
    const int64_t stop = least(start + advance, limit);
    const int64_t columns = round_up(stop - start, 2 * LANES > kTileColumns ? 2 * LANES : kTileColumns);
    block_scores<Products>(scratch, rows, keys, start, start + columns, width);
    for (int64_t row = 0; row < padded; ++row) {
      float *scores = scratch.scores + row * kColumnBlock;
      const int64_t visible =
          most(0, least(seen(job, sequence, first + least(row, rows - 1)) - start, stop - start));
      if (visible == 0) {
        std::memset(scores, 0, sizeof(float) * static_cast<size_t>(columns));
        scratch.decay[row] = 1;
        continue;
      }
      const float highest = hide_and_find_largest(scores, visible, columns);
      const float before = scratch.maximum[row], after = highest > before ? highest : before;
      scratch.maximum[row] = after;
      const float decay = exp2(splat((before - after) * job.scale))[0];
      const float sum = Products::to_probabilities(scores, columns, job.scale, after);
      scratch.decay[row] = decay;
      scratch.sum[row] = scratch.sum[row] * decay + sum;
    }
    attend_block<Products>(scratch, rows, values + Products::value_bytes(start, width), stop - start,
                           width);
  }
  for (int64_t row = 0; row < rows; ++row) {
    const float sum = scratch.sum[row];
    T *target = static_cast<T *>(sequence.attended) + head * sequence.attended_head +
                (first + row) * sequence.attended_row;
    const float *attended = scratch.attended + row * kMaxWidth;
    const float factor = 1 / sum;
    for (int64_t channel = 0; channel < width; ++channel) {
      const float result = attended[channel] * factor;
      bad |= not_finite(result);
      target[channel] = from_float<T>(result);
    }
    if (sequence.logsumexp)
      sequence.logsumexp[head * sequence.logsumexp_head + first + row] =
          (scratch.maximum[row] * job.scale + std::log2(sum)) * kLn2;
  }
  if (bad) fail(&job.status, kNotFinite);
}

TARGET void attend(AttentionJob &job) {
  const Owned<Scratch> scratch = allocate<Scratch>(1);
  if (!scratch) return fail(&job.status, kNoMemory);
  const Sequence &end = job.sequences[job.count - 1];
  const int64_t items = end.row_item + row_items(job, end);
  for (int64_t taken = take(&job.next_item); taken < items; taken = take(&job.next_item)) {
    const int64_t item = items - 1 - taken;
    const Sequence &sequence = owner<&Sequence::row_item>(job, item);
    // The last rows, which see most, first: the threads then end together.
    const int64_t head = (item - sequence.row_item) % job.query_heads;
    const int64_t start = (item - sequence.row_item) / job.query_heads * kItemRows;
    const int64_t stop = least(start + kItemRows, sequence.rows);
    for (int64_t row = start; row < stop; row += kRowBlock) {
      const int64_t rows = least(kRowBlock, stop - row);
      if (job.type == kFloat32)
        attend_rows<float, FloatProducts>(job, sequence, *scratch, head, row, rows);
      else
#if LANES == 16
        attend_rows<uint16_t, PairProducts>(job, sequence, *scratch, head, row, rows);
#else
        attend_rows<uint16_t, FloatProducts>(job, sequence, *scratch, head, row, rows);
#endif
    }
  }
}

// Adds the weighted probabilities of rows [first, first + rows) of one head to its scores.
template <class T, class Products>
TARGET void add_row_scores(AttentionJob &job, const Sequence &sequence, Scratch &scratch,
                           int64_t head, int64_t first, int64_t rows, float *scores) {
  const int64_t width = job.width, key_head = head / (job.query_heads / job.key_heads);
  const uint8_t *keys = job.packed + sequence.packed +
                        key_head * packed_bytes(job.type, sequence.columns, width);
  const T *query = static_cast<const T *>(sequence.query) + head * sequence.query_head +
                   first * sequence.query_row;
  if (Products::take_queries(query, sequence.query_row, rows, width, scratch.queries))
    fail(&job.status, kNotFinite);
  constexpr int64_t multiple = 2 * LANES > kTileColumns ? 2 * LANES : kTileColumns;
  const int64_t limit = seen(job, sequence, first + rows - 1);
  for (int64_t row = 0; row < rows; ++row) {
    scratch.maximum[row] = kHidden;
    scratch.sum[row] = 0;
  }
  for (int64_t start = 0; start < limit; start += kColumnBlock) {
    const int64_t stop = least(start + kColumnBlock, limit);
    const int64_t columns = round_up(stop - start, multiple);
    block_scores<Products>(scratch, rows, keys, start, start + columns, width);
    for (int64_t row = 0; row < rows; ++row) {
      const float *logits = scratch.scores + row * kColumnBlock;
      const int64_t visible = most(0, least(seen(job, sequence, first + row) - start, stop - start));
      if (visible == 0) continue;
      const float highest =
          hide_and_find_largest(scratch.scores + row * kColumnBlock, visible, columns);
      const float before = scratch.maximum[row], after = highest > before ? highest : before;
      Vector sums = {};
      for (int64_t column = 0; column < columns; column += LANES)
        sums += exp2((load(logits + column) - after) * job.scale);
      scratch.sum[row] = scratch.sum[row] * exp2(splat((before - after) * job.scale))[0] + total(sums);
      scratch.maximum[row] = after;
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    float sum = std::log2(scratch.sum[row]);
    if (sequence.extra) {
      const float other = sequence.extra[head * sequence.rows + first + row] * kLog2e -
                          scratch.maximum[row] * job.scale;
      const float high = sum > other ? sum : other, low = sum > other ? other : sum;
      sum = high + std::log2(1 + std::exp2(low - high));
    }
    scratch.sum[row] = sum;  // from here on the logarithm, relative to the maximum
  }
  const int64_t begin = job.first_column / kColumnBlock * kColumnBlock;
  for (int64_t start = begin; start < least(limit, job.last_column); start += kColumnBlock) {
    const int64_t stop = least(start + kColumnBlock, limit);
    const int64_t columns = round_up(stop - start, multiple);
    block_scores<Products>(scratch, rows, keys, start, start + columns, width);
    const int64_t from = most(0, job.first_column - start);
    const int64_t to = least(job.last_column, stop) - start;
    for (int64_t row = 0; row < rows; ++row) {
      float *logits = scratch.scores + row * kColumnBlock;
      const int64_t visible = most(0, least(seen(job, sequence, first + row) - start, stop - start));
      for (int64_t column = visible; column < columns; ++column) logits[column] = kHidden;
      for (int64_t column = 0; column < columns; column += LANES)
        store(logits + column,
              exp2((load(logits + column) - scratch.maximum[row]) * job.scale - scratch.sum[row]));
      const float weight = job.row_weights[first + row];
      float *target = scores + start - job.first_column;
      for (int64_t column = from; column < to; ++column) target[column] += weight * logits[column];
    }
  }
}

TARGET void score(AttentionJob &job) {
  const Owned<Scratch> scratch = allocate<Scratch>(1);
  if (!scratch) return fail(&job.status, kNoMemory);
  const Sequence &sequence = job.sequences[0];
  const int64_t columns = job.last_column - job.first_column;
  for (int64_t item = take(&job.next_item); item < job.head_count; item = take(&job.next_item)) {
    float *scores = job.scores + item * columns;
    std::memset(scores, 0, sizeof(float) * static_cast<size_t>(columns));
    for (int64_t row = 0; row < sequence.rows; row += kRowBlock) {
      const int64_t rows = least(kRowBlock, sequence.rows - row);
      if (job.type == kFloat32)
        add_row_scores<float, FloatProducts>(job, sequence, *scratch, job.heads[item], row, rows,
                                             scores);
      else
#if LANES == 16
        add_row_scores<uint16_t, PairProducts>(job, sequence, *scratch, job.heads[item], row, rows,
                                               scores);
#else
        add_row_scores<uint16_t, FloatProducts>(job, sequence, *scratch, job.heads[item], row, rows,
                                                scores);
#endif
    }
    for (int64_t column = 0; column < columns; ++column)
      if (not_finite(scores[column])) fail(&job.status, kNotFinite);
  }
}

// Each row to unsigned bytes around 128, by its own scale; outlier columns are set aside as floats.
template <class T>
TARGET void quantize_row(LinearJob &job, int64_t row, float *numbers) {
  const T *source = static_cast<const T *>(job.input) + row * job.input_row;
  const int64_t padded = round_up(job.inputs, 4);
  for (int64_t input = 0; input < job.inputs; ++input) numbers[input] = to_float(source[input]);
  uint32_t bad = 0;
  for (int64_t place = 0; place < job.outlier_count; ++place) {
    float &number = numbers[job.outliers[place]];
    bad |= not_finite(number);
    job.outlier_values[row * job.outlier_count + place] = number;
    number = 0;
  }
  int32_t highest = 0;  // of the bits without the sign: as integers they are ordered as the numbers
  for (int64_t input = 0; input < job.inputs; ++input) {
    const int32_t size = static_cast<int32_t>(bits(numbers[input]) & 0x7fffffffu);
    highest = size > highest ? size : highest;
  }
  if (bad || highest >= 0x7f800000) fail(&job.status, kNotFinite);
  const float largest_size = real(static_cast<uint32_t>(highest));
  const float scale = largest_size / 127;
  // A row of zeros, or of numbers too small to be divided by, has the factor 0.
  const float factor = largest_size > 1e-30f ? 127 / largest_size : 0;
  job.row_scales[row] = scale;
  uint8_t *target = job.quantized + row * padded;
  for (int64_t input = 0; input < job.inputs; ++input)
    target[input] =
        static_cast<uint8_t>(bits(numbers[input] * factor + 12582912.0f) + 128u);
  for (int64_t input = job.inputs; input < padded; ++input) target[input] = 128;
}

TARGET void quantize(LinearJob &job) {
  const Owned<float> numbers = allocate<float>(job.inputs);
  if (!numbers) return fail(&job.status, kNoMemory);
  const int64_t items = (job.rows + kQuantizeRows - 1) / kQuantizeRows;
  for (int64_t item = take(&job.next_row); item < items; item = take(&job.next_row))
    for (int64_t row = item * kQuantizeRows; row < least((item + 1) * kQuantizeRows, job.rows); ++row)
      if (job.type == kFloat32) quantize_row<float>(job, row, numbers.get());
      else quantize_row<uint16_t>(job, row, numbers.get());
}

// Sums over all inputs for kTileRows rows (or as many as there are) and one group of outputs.
template <int Rows>
TARGET INLINE void integer_tile(const uint8_t *rows, int64_t step, const int8_t *weights,
                                int32_t *sums) {
#if LANES == 16
  __m512i found[Rows][4];
#pragma GCC unroll 6
  for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 4
    for (int vector = 0; vector < 4; ++vector) found[row][vector] = _mm512_setzero_si512();
  for (int64_t input = 0; input < step; input += 4, weights += 256) {
    const __m512i part[4] = {_mm512_loadu_si512(weights), _mm512_loadu_si512(weights + 64),
                             _mm512_loadu_si512(weights + 128), _mm512_loadu_si512(weights + 192)};
#pragma GCC unroll 6
    for (int row = 0; row < Rows; ++row) {
      int32_t word;
      std::memcpy(&word, rows + row * step + input, 4);
      const __m512i factor = _mm512_set1_epi32(word);
#pragma GCC unroll 4
      for (int vector = 0; vector < 4; ++vector)
        found[row][vector] = _mm512_dpbusd_epi32(found[row][vector], factor, part[vector]);
    }
  }
#pragma GCC unroll 6
  for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 4
    for (int vector = 0; vector < 4; ++vector)
      _mm512_storeu_si512(sums + row * kOutputGroup + vector * 16, found[row][vector]);
#else
  for (int row = 0; row < Rows; ++row) {
    int32_t *target = sums + row * kOutputGroup;
    std::memset(target, 0, sizeof(int32_t) * kOutputGroup);
    const int8_t *weight = weights;
    for (int64_t input = 0; input < step; input += 4, weight += 256) {
      const uint8_t *factor = rows + row * step + input;
      for (int64_t output = 0; output < kOutputGroup; ++output)
        target[output] += factor[0] * weight[output * 4] + factor[1] * weight[output * 4 + 1] +
                          factor[2] * weight[output * 4 + 2] + factor[3] * weight[output * 4 + 3];
    }
  }
#endif
}

template <class T>
TARGET INLINE void finish_outputs(LinearJob &job, int64_t row, int64_t first, int64_t outputs,
                                  const int32_t *sums) {
  float results[kOutputGroup];
  const float row_scale = job.row_scales[row];
  for (int64_t output = 0; output < outputs; ++output)
    results[output] = static_cast<float>(sums[output] - 128 * job.weight_sums[first + output]) *
                      (row_scale * job.weight_scales[first + output]);
  const float *values = job.outlier_values + row * job.outlier_count;
  for (int64_t place = 0; place < job.outlier_count; ++place) {
    const float *weights = job.outlier_weights + place * job.outputs + first;
    for (int64_t output = 0; output < outputs; ++output)
      results[output] += values[place] * weights[output];
  }
  if (job.bias)
    for (int64_t output = 0; output < outputs; ++output) results[output] += job.bias[first + output];
  T *target = static_cast<T *>(job.output) + row * job.output_row + first;
  for (int64_t output = 0; output < outputs; ++output)
    target[output] = from_float<T>(results[output]);
}

// Rows that go through a group of weights together: as many as keep their bytes in the second cache.
INLINE int64_t panel_rows(int64_t padded) {
  return most(kTileRows, least(192, (256 << 10) / padded / kTileRows * kTileRows));
}

TARGET void multiply(LinearJob &job) {
  const int64_t padded = round_up(job.inputs, 4), panel = panel_rows(padded);
  const int64_t groups = (job.outputs + kOutputGroup - 1) / kOutputGroup;
  const int64_t items = (job.rows + panel - 1) / panel * groups;
  alignas(64) int32_t sums[kTileRows * kOutputGroup];
  for (int64_t item = take(&job.next_tile); item < items; item = take(&job.next_tile)) {
    const int64_t start = item / groups * panel, group = item % groups;
    const int64_t stop = least(start + panel, job.rows), first = group * kOutputGroup;
    const int64_t outputs = least(kOutputGroup, job.outputs - first);
    const int8_t *weights = job.weights + group * kOutputGroup * padded;
    for (int64_t row = start; row < stop; row += kTileRows) {
      const uint8_t *rows = job.quantized + row * padded;
      const int64_t count = least(kTileRows, stop - row);
      switch (count) {
        case 6: integer_tile<6>(rows, padded, weights, sums); break;
        case 5: integer_tile<5>(rows, padded, weights, sums); break;
        case 4: integer_tile<4>(rows, padded, weights, sums); break;
        case 3: integer_tile<3>(rows, padded, weights, sums); break;
        case 2: integer_tile<2>(rows, padded, weights, sums); break;
        default: integer_tile<1>(rows, padded, weights, sums);
      }
      for (int64_t place = 0; place < count; ++place)
        if (job.type == kFloat32)
          finish_outputs<float>(job, row + place, first, outputs, sums + place * kOutputGroup);
        else
          finish_outputs<uint16_t>(job, row + place, first, outputs, sums + place * kOutputGroup);
    }
  }
}

TARGET int64_t peak(int32_t kind, int64_t rounds) {
  Vector sums[12] = {};
  const Vector factor = splat(0.5f);
#if LANES == 16
  if (kind == 1 || kind == 2) {
    __m512i found[12] = {};
    const __m512i part = _mm512_set1_epi32(0x01010101);
    for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 4
      for (int repeat = 0; repeat < 4; ++repeat)
#pragma GCC unroll 12
        for (int place = 0; place < 12; ++place) {
          if (kind == 1)
            found[place] = (__m512i)_mm512_dpbf16_ps((__m512)found[place], (__m512bh)part,
                                                     (__m512bh)part);
          else
            found[place] = _mm512_dpbusd_epi32(found[place], part, part);
          __asm__ volatile("" : "+v"(found[place]));
        }
    return rounds * 48 * 16 * (kind == 1 ? 4 : 8);
  }
#endif
  if (kind != 0) return 0;
  for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 4
    for (int repeat = 0; repeat < 4; ++repeat)
#pragma GCC unroll 12
      for (int place = 0; place < 12; ++place) {
        sums[place] = MULTIPLY_ADD(sums[place], factor, factor);
#if defined(__x86_64__)
        __asm__ volatile("" : "+v"(sums[place]));
#else
        __asm__ volatile("" : "+w"(sums[place]));
#endif
      }
  return rounds * 48 * LANES * 2;
}

}  // namespace LEADLINE_SET
}  // namespace

#endif  // LEADLINE_SET
