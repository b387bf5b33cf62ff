// Runs every kernel with every set of instructions on odd shapes, in memory of the exact size, so
// that the address sanitizer sees each step beyond it. Prints how many jobs were done.

#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "leadline_kernels.cpp"

namespace {

int jobs_done = 0;

template <class Job> void share(void (*work)(Job *), Job &job) {
  std::thread other(work, &job);
  work(&job);
  other.join();
}

std::vector<uint8_t> numbers(int32_t type, int64_t count, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<uint8_t> bytes(static_cast<size_t>(count * (type == kFloat32 ? 4 : 2)));
  for (int64_t place = 0; place < count; ++place) {
    const float number = static_cast<float>(random() % 2001) / 1000 - 1;
    if (type == kFloat32) {
      std::memcpy(bytes.data() + place * 4, &number, 4);
    } else {
      const uint16_t half = to_bfloat16(number);
      std::memcpy(bytes.data() + place * 2, &half, 2);
    }
  }
  return bytes;
}

void attention(int32_t instructions, int32_t type, int64_t rows, int64_t columns, int64_t width,
               bool causal, bool skip) {
  const int64_t heads = 4, key_heads = 2;
  const auto query = numbers(type, heads * rows * width, 1);
  const auto key = numbers(type, key_heads * columns * width, 2);
  const auto value = numbers(type, key_heads * columns * width, 3);
  std::vector<uint8_t> attended(query.size());
  std::vector<float> sums(static_cast<size_t>(heads * rows)), extra(sums.size(), 0.5f);
  const int64_t down = (rows + kMaskRows - 1) / kMaskRows;
  const int64_t across = (columns + kMaskColumns - 1) / kMaskColumns;
  std::vector<uint8_t> blocks(static_cast<size_t>(heads * down * across), 1);
  if (skip && across > 1) blocks[0] = 0;
  Sequence sequence{};
  sequence.query = query.data();
  sequence.key = key.data();
  sequence.value = value.data();
  sequence.attended = attended.data();
  sequence.logsumexp = sums.data();
  sequence.blocks = skip ? blocks.data() : nullptr;
  sequence.rows = rows;
  sequence.columns = columns;
  sequence.query_head = sequence.attended_head = rows * width;
  sequence.key_head = sequence.value_head = columns * width;
  sequence.query_row = sequence.key_row = sequence.value_row = sequence.attended_row = width;
  sequence.logsumexp_head = rows;
  const int64_t bytes = leadline_packed_bytes(instructions, type, key_heads, columns, width);
  std::vector<uint8_t> packed(static_cast<size_t>(bytes));
  AttentionJob job{};
  job.sequences = &sequence;
  job.count = 1;
  job.packed = packed.data();
  job.query_heads = heads;
  job.key_heads = key_heads;
  job.width = width;
  job.scale = kLog2e;
  job.type = type;
  job.causal = causal;
  job.instructions = instructions;
  share(leadline_pack, job);
  share(leadline_attend, job);
  const int32_t chosen[] = {3, 0};
  const std::vector<float> weights(static_cast<size_t>(rows), 0.5f);
  job.heads = chosen;
  job.head_count = 2;
  job.row_weights = weights.data();
  job.first_column = columns / 3;
  job.last_column = columns;
  std::vector<float> scores(static_cast<size_t>(2 * (columns - columns / 3)));
  job.scores = scores.data();
  job.next_item = 0;
  sequence.extra = causal ? nullptr : extra.data();
  share(leadline_score, job);
  if (job.status != kDone) std::abort();
  ++jobs_done;
}

void linear(int32_t instructions, int32_t type, int64_t rows, int64_t inputs, int64_t outputs) {
  const auto input = numbers(type, rows * inputs, 4);
  std::vector<uint8_t> output(static_cast<size_t>(rows * outputs * (type == kFloat32 ? 4 : 2)));
  std::vector<int8_t> weights(static_cast<size_t>(outputs * inputs), -127);
  std::vector<int8_t> packed(
      static_cast<size_t>(round_up(outputs, kOutputGroup) * round_up(inputs, 4)));
  leadline_pack_linear(weights.data(), outputs, inputs, packed.data());
  const std::vector<float> scales(static_cast<size_t>(outputs), 0.01f);
  const std::vector<int32_t> sums(static_cast<size_t>(outputs), static_cast<int32_t>(-127 * inputs));
  const int32_t outlier = static_cast<int32_t>(inputs - 1);
  std::vector<uint8_t> quantized(static_cast<size_t>(rows * round_up(inputs, 4)));
  std::vector<float> row_scales(static_cast<size_t>(rows)), apart(static_cast<size_t>(rows));
  LinearJob job{};
  job.input = input.data();
  job.output = output.data();
  job.weights = packed.data();
  job.weight_scales = job.bias = job.outlier_weights = scales.data();
  job.weight_sums = sums.data();
  job.outliers = &outlier;
  job.outlier_count = 1;
  job.quantized = quantized.data();
  job.row_scales = row_scales.data();
  job.outlier_values = apart.data();
  job.rows = rows;
  job.inputs = job.input_row = inputs;
  job.outputs = job.output_row = outputs;
  job.type = type;
  job.instructions = instructions;
  share(leadline_quantize, job);
  share(leadline_multiply, job);
  if (job.status != kDone) std::abort();
  ++jobs_done;
}

}  // namespace

int main() {
  for (int32_t instructions = 0; instructions <= leadline_instructions(); ++instructions)
    for (int32_t type : {kFloat32, kBFloat16}) {
      for (int64_t width : {1, 7, 16, 64, 80, 256})
        for (int64_t rows : {1, 25, 200})
          for (int64_t before : {0, 1, 300}) {
            attention(instructions, type, rows, rows + before, width, true, false);
            attention(instructions, type, rows, before + 3, width, false, false);
            attention(instructions, type, rows, rows + before, width, true, rows + before > 400);
          }
      for (int64_t rows : {1, 6, 17, 200})
        for (int64_t inputs : {1, 4, 63, 1030})
          for (int64_t outputs : {1, 64, 70}) linear(instructions, type, rows, inputs, outputs);
      leadline_peak(instructions, type, 10);
    }
  leadline_peak(leadline_instructions(), 2, 10);
  std::printf("%d\n", jobs_done);
}
