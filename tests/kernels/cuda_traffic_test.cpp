// What the kernels ask of the memory system, counted by the emulated device's checker
// (tests/cuda_emulation/counters.h): bytes between a small cache and memory against the fewest
// possible, and the sectors that the accesses of a warp touch against those they could.
#if defined(DITTO_HAS_CUDA) && defined(DITTO_CUDA_EMULATED)

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/on_device.h"
#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/binary_math.h"
#include "kernels/elementwise.h"
#include "kernels/gather_scatter.h"
#include "kernels/l2_normalize.h"
#include "kernels/map_back.h"
#include "kernels/mix.h"
#include "kernels/optim.h"
#include "kernels/paste.h"
#include "kernels/pool2d.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "kernels/unary_math.h"
#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/counters.h"
#include "tests/kernels/cuda_parity.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace ditto::testing {
namespace {

using kernels::Pool2dParams;

// Every tensor that is streamed is larger than the counters' cache.
constexpr int64_t kRows = 1024, kColumns = 64;

// Device tensors of one test.
class Tensors {
 public:
  View operator()(const Shape& shape, Dtype dtype) {
    return keep(random_array(shape, dtype, 1 + arrays_.size()));
  }
  View indices(const Shape& shape, Dtype dtype, int64_t n) {
    return keep(random_indices(shape, dtype, 1 + arrays_.size(), n));
  }
  // 0 ... n - 1, far from their neighbours.
  View permutation(int64_t n) {
    Array array = random_indices({n}, Dtype::I64, 1, n);
    for (int64_t i = 0; i < n; ++i)
      reinterpret_cast<int64_t*>(array.bytes.data())[i] = i * 613 % n;  // n a power of two
    return keep(std::move(array));
  }
  View positive(const Shape& shape, Dtype dtype) {
    return keep(random_array(shape, dtype, 1 + arrays_.size(), 0.1, 2.0));
  }

 private:
  View keep(Array array) {
    arrays_.push_back(std::make_unique<Array>(std::move(array)));
    memory_.push_back(std::make_unique<OnDevice>(cuda_context(0), *arrays_.back(), 0));
    return memory_.back()->view();
  }
  std::vector<std::unique_ptr<Array>> arrays_;
  std::vector<std::unique_ptr<OnDevice>> memory_;
};

// Neighbouring blocks run about together on a GPU; a shuffled order would ask more of the cache.
struct InOrder {
  const uint64_t before = emulation::schedule_seed();
  InOrder() { emulation::set_schedule_seed(0); }
  ~InOrder() { emulation::set_schedule_seed(before); }
};

// Kernels that expect_streaming has seen.
std::set<std::string> measured;

// The others, and why they are not bounded. The file of each says what it reads.
const std::map<std::string, std::string> kUnbounded = {
    {"batch_norm_finish", "a few numbers per channel, once per layer"},
    {"pick_label", "one element per row"},
    {"put_label", "one element per row"},
    {"max_backward", "one element per row"},
    {"mix_labels", "rows of a few floats, picked by their labels"},
    {"scatter_add_rows", "each row looks through the list of ids, which stays in the caches"},
    {"group_anchor", "each row looks through the list of ids, which stays in the caches"},
    {"group_mean", "each row looks through the list of ids, which stays in the caches"},
    {"group_kl_backward", "each row looks through the list of ids, which stays in the caches"},
    {"nearest_rows", "tiles of a product"},
    {"squared_distances", "tiles of a product"},
    {"pair_loss_forward", "tiles of a product"},
    {"pair_loss_coefficients", "tiles of a product"},
    {"pair_loss_add_rows", "tiles of a product"},
    {"triplet_all_forward", "tiles of a product"},
    {"triplet_all_coefficients", "tiles of a product"},
    {"triplet_column_sums", "tiles of a product"},
    {"triplet_own_part", "sums of the tiles, one per row"},
    {"pair_boxes", "a few thousand boxes"},
    {"align_star", "a few thousand boxes"},
    {"conv2d_forward", "f64 only, for gradient checks: weights and pixels come from the caches"},
    {"conv2d_backward_data", "f64 only"},
    {"conv2d_backward_weights", "f64 only"},
    {"change_colours", "pixels of 12 bytes"},
    {"change_colours_mean", "pixels of 12 bytes"},
    {"augment_footprints", "resamples: as many reads as the footprint has samples"},
    {"blur_lines", "reads as many neighbours as the blur is wide"},
    {"blur_columns", "reads as many neighbours as the blur is wide"},
    {"dense_append", "prefixes of rows"},
    {"dense_complete", "prefixes of rows"},
    {"dense_normalize", "prefixes of rows"},
    {"dense_normalize_backward", "prefixes of rows"},
    {"dense_finish_backward", "prefixes of rows"},
};

int64_t bytes_of(const std::vector<View>& views) {
  int64_t bytes = 0;
  for (const View& view : views) bytes += view.numel() * size_of(view.dtype);
  return bytes;
}

// Runs `call` and compares what it moved with the views that it must at least read or write once
// (twice, if named twice). Sums over all kernels of the call; the efficiency is that of the worst.
void expect_streaming(const std::string& what, const std::vector<View>& views,
                      const std::function<void(CudaContext&)>& call, double efficiency = 0.9) {
  CudaContext& ctx = cuda_context(0);
  emulation::clear_counters();
  emulation::enable_counters(true);
  call(ctx);
  ctx.synchronize();
  emulation::enable_counters(false);
  INFO(what << "\n" << emulation::counters_table());
  const auto least = static_cast<double>(bytes_of(views));
  uint64_t moved = 0;
  for (const auto& [name, counters] : emulation::kernel_counters()) {
    INFO("kernel " << name);
    measured.insert(name);
    moved += counters.memory_bytes();
    // Not of a launch that sums the partial sums of another: a few bytes.
    if (static_cast<double>(counters.memory_bytes()) > 0.01 * least)
      CHECK(counters.sector_efficiency() >= efficiency);
  }
  INFO("moved " << moved << " bytes, at least " << least);
  CHECK(static_cast<double>(moved) >= 0.99 * least);  // else a bound below would mean nothing
  CHECK(static_cast<double>(moved) <= 1.1 * least);
}

}  // namespace

TEST_CASE("CUDA kernels read inputs once, write outputs once, and use whole sectors") {
  if (!emulation::checker::active()) DITTO_SKIP("kernels are not instrumented in this build");
  const InOrder in_order;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16}) {
    INFO(to_string(dtype));
    Tensors make;
    // bf16: larger than the cache, too, and what belongs to channels is f32.
    const int64_t rows_of_all = dtype == Dtype::BF16 ? 2 * kRows : kRows;
    const Dtype kept = kept_dtype(dtype);
    const Shape shape{rows_of_all, kColumns}, channels{kColumns};
    const View a = make(shape, dtype), b = make(shape, dtype), y = make(shape, dtype);
    const View mean = make(channels, kept), gamma = make(channels, kept);
    const View beta = make(channels, kept), invstd = make.positive(channels, kept);
    const View variance = make.positive(channels, kept);

    SECTION("elementwise " + to_string(dtype)) {
      expect_streaming("relu", {a, y},
                       [&](auto& ctx) { kernels::unary_forward(ctx, unary_id<math::Relu>, a, y); });
      expect_streaming("relu backward", {a, b, y}, [&](auto& ctx) {
        kernels::unary_backward(ctx, unary_id<math::Relu>, a, b, y);
      });
      expect_streaming("add", {a, b, y}, [&](auto& ctx) {
        kernels::binary_forward(ctx, binary_id<math::Add>, a, b, y);
      });
      expect_streaming("scale", {a, y}, [&](auto& ctx) { kernels::scale(ctx, a, 2.0, y); });
      expect_streaming("fill", {y}, [&](auto& ctx) { kernels::fill(ctx, 1.0, y); });
      expect_streaming("accumulate", {a, y, y},
                       [&](auto& ctx) { kernels::accumulate(ctx, a, 1.0, y); });
      const View row = make(channels, dtype), column = make({rows_of_all, 1}, dtype);
      View rows = row, columns = column;
      rows.shape = columns.shape = shape;
      rows.strides = {0, 1};
      columns.strides = {1, 0};
      expect_streaming("multiply by a row", {a, row, y}, [&](auto& ctx) {
        kernels::binary_forward(ctx, binary_id<math::Mul>, a, rows, y);
      });
      expect_streaming("multiply by a column", {a, column, y}, [&](auto& ctx) {
        kernels::binary_forward(ctx, binary_id<math::Mul>, a, columns, y);
      });
      const View dy = make(shape, dtype);
      expect_streaming("multiply backward", {dy, b, y}, [&](auto& ctx) {
        kernels::binary_backward(ctx, binary_id<math::Mul>, kernels::Side::A, dy, a, b, y);
      });
      expect_streaming("divide backward by the dividend", {dy, b, y}, [&](auto& ctx) {
        kernels::binary_backward(ctx, binary_id<math::Div>, kernels::Side::A, dy, a, b, y);
      });
      expect_streaming("divide backward", {dy, a, b, y}, [&](auto& ctx) {
        kernels::binary_backward(ctx, binary_id<math::Div>, kernels::Side::B, dy, a, b, y);
      });
      expect_streaming("divide by a row backward", {dy, a, row, y}, [&](auto& ctx) {
        kernels::binary_backward(ctx, binary_id<math::Div>, kernels::Side::B, dy, a, rows, y);
      });
      View left = a, half = make({rows_of_all, kColumns / 2}, dtype);
      left.shape = half.shape;
      expect_streaming("copy of a slice", {half, half},
                       [&](auto& ctx) { kernels::copy(ctx, left, half); });
      const View f32 = make(shape, Dtype::F32);
      if (dtype == Dtype::BF16) {
        expect_streaming("cast down", {f32, y}, [&](auto& ctx) { kernels::copy(ctx, f32, y); });
        expect_streaming("cast up", {y, f32}, [&](auto& ctx) { kernels::copy(ctx, y, f32); });
      }
    }
    SECTION("batch norm " + to_string(dtype)) {
      expect_streaming("statistics", {a},
                       [&](auto& ctx) { kernels::batch_norm_statistics(ctx, a, mean, variance); });
      expect_streaming("apply", {a, y}, [&](auto& ctx) {
        kernels::batch_norm_apply(ctx, a, mean, invstd, gamma, beta, {}, true, y);
      });
      expect_streaming("apply and add", {a, b, y}, [&](auto& ctx) {
        kernels::batch_norm_apply(ctx, a, mean, invstd, gamma, beta, b, true, y);
      });
      // The sums over a channel must be known before the first dx: dy, x and y are read twice.
      const View dy = make(shape, dtype), dx = make(shape, dtype);
      const View dgamma = make(channels, kept), dbeta = make(channels, kept);
      expect_streaming("backward", {dy, a, y, dy, a, y, dx}, [&](auto& ctx) {
        kernels::batch_norm_backward(ctx, dy, a, y, mean, invstd, gamma, true, dx, dgamma, dbeta,
                                     {});
      });
      const View dresidual = make(shape, dtype);
      expect_streaming("backward and add", {dy, a, y, dy, a, y, dx, dresidual}, [&](auto& ctx) {
        kernels::batch_norm_backward(ctx, dy, a, y, mean, invstd, gamma, true, dx, dgamma, dbeta,
                                     dresidual);
      });
    }
    // Losses and optimizers keep to f32 where activations are bf16.
    if (dtype != Dtype::BF16) SECTION("softmax and cross-entropy " + to_string(dtype)) {
        for (const int64_t classes : {10, 100}) {
          const int64_t rows = kRows * kColumns / classes / 2;
          const View logits = make({rows, classes}, dtype), out = make({rows, classes}, dtype);
          const View labels = make.indices({rows}, Dtype::I64, classes);
          const View loss = make({rows}, dtype), lse = make({rows}, Dtype::F64);
          expect_streaming("softmax", {logits, out},
                           [&](auto& ctx) { kernels::softmax_forward(ctx, logits, out); });
          expect_streaming("cross_entropy", {logits, labels, loss, lse}, [&](auto& ctx) {
            kernels::cross_entropy_forward(ctx, logits, labels, {}, loss, lse, {});
          });
          const View soft = make({rows, classes}, dtype);
          expect_streaming("softmax backward", {logits, soft, out},
                           [&](auto& ctx) { kernels::softmax_backward(ctx, logits, soft, out); });
          expect_streaming("log_softmax", {logits, out},
                           [&](auto& ctx) { kernels::log_softmax_forward(ctx, logits, out); });
          expect_streaming("log_softmax backward", {logits, soft, out}, [&](auto& ctx) {
            kernels::log_softmax_backward(ctx, logits, soft, out);
          });
          expect_streaming("cross_entropy of soft targets", {logits, soft, loss, lse},
                           [&](auto& ctx) {
                             kernels::cross_entropy_forward(ctx, logits, {}, soft, loss, lse, {});
                           });
          expect_streaming(
              "cross_entropy backward", {loss, logits, labels, lse, out}, [&](auto& ctx) {
                kernels::cross_entropy_backward(ctx, loss, logits, labels, {}, lse, out, {});
              });
          expect_streaming("cross_entropy of soft targets backward", {loss, logits, soft, lse, out},
                           [&](auto& ctx) {
                             kernels::cross_entropy_backward(ctx, loss, logits, {}, soft, lse, out,
                                                             {});
                           });
        }
      }
    if (dtype != Dtype::BF16) SECTION("optimizers " + to_string(dtype)) {
        const View weight = make(shape, dtype), first = make(shape, dtype);
        const View second = make.positive(shape, dtype);
        expect_streaming("sgd", {weight, weight, a, first, first}, [&](auto& ctx) {
          const kernels::SgdSlot slot{weight, a, first};
          kernels::sgd_update(ctx, std::span(&slot, 1), {0.1, 0.9, 1e-4, true, false});
        });
        expect_streaming("adam", {weight, weight, a, first, first, second, second}, [&](auto& ctx) {
          const kernels::AdamSlot slot{weight, a, first, second};
          kernels::adam_update(ctx, std::span(&slot, 1), {0.1, 0.9, 0.99, 1e-8, 0, false, 1, 1});
        });
        expect_streaming("sum_of_squares", {a},
                         [&](auto& ctx) { kernels::sum_of_squares(ctx, std::span(&a, 1)); });
        expect_streaming("average", {a, first, first}, [&](auto& ctx) {
          const kernels::EmaSlot slot{a, first};
          kernels::ema_update(ctx, std::span(&slot, 1), {0.9});
        });
      }
    SECTION("reductions and pooling " + to_string(dtype)) {
      const View column_sums = make(channels, dtype);
      expect_streaming("sum of columns", {a}, [&](auto& ctx) {
        kernels::reduce_sum(ctx, a, column_sums, {1, rows_of_all, kColumns}, 1.0);
      });
      const View row_sums = make({rows_of_all}, dtype);
      expect_streaming("sum of rows", {a, row_sums}, [&](auto& ctx) {
        kernels::reduce_sum(ctx, a, row_sums, {rows_of_all, kColumns, 1}, 1.0);
      });
      const View largest = make({rows_of_all}, dtype);
      const View places = make.indices({rows_of_all}, Dtype::I64, kColumns);
      expect_streaming("maximum of rows", {a, largest, places}, [&](auto& ctx) {
        kernels::reduce_max(ctx, a, largest, places, {rows_of_all, kColumns, 1});
      });
      // A thread per row of a few elements: an access uses few bytes of each sector, the cache
      // has the rest for the next ones.
      const int64_t many = 8 * rows_of_all;
      const View few = make({many, 10}, dtype), sums = make({many}, dtype);
      const View indices = make.indices({many}, Dtype::I64, 10);
      expect_streaming(
          "sum of short rows", {few, sums},
          [&](auto& ctx) {
            kernels::reduce_sum(ctx, few, sums, {many, 10, 1}, 1.0);
          },
          0.09);
      expect_streaming(
          "maximum of short rows", {few, sums, indices},
          [&](auto& ctx) {
            kernels::reduce_max(ctx, few, sums, indices, {many, 10, 1});
          },
          0.09);
      const int64_t n = 4 * rows_of_all / kRows;
      const View images = make({n, 16, 16, kColumns}, dtype);
      const View pooled = make({n, 8, 8, kColumns}, dtype);
      const View winners = make.indices({n, 8, 8, kColumns}, Dtype::I32, 256);
      const View means = make({n, kColumns}, dtype);
      expect_streaming("max_pool2d", {images, pooled, winners}, [&](auto& ctx) {
        kernels::max_pool2d_forward(ctx, images, pooled, winners, Pool2dParams{});
      });
      expect_streaming("avg_pool2d", {images, pooled}, [&](auto& ctx) {
        kernels::avg_pool2d_forward(ctx, images, pooled, Pool2dParams{});
      });
      expect_streaming("avg_pool2d backward", {images, pooled}, [&](auto& ctx) {
        kernels::avg_pool2d_backward(ctx, pooled, images, Pool2dParams{});
      });
      expect_streaming("global_avg_pool2d", {images, means},
                       [&](auto& ctx) { kernels::global_avg_pool2d_forward(ctx, images, means); });
      expect_streaming("max_pool2d backward", {pooled, winners, images}, [&](auto& ctx) {
        kernels::max_pool2d_backward(ctx, pooled, winners, images, Pool2dParams{});
      });
      expect_streaming("global_avg_pool2d backward", {means, images},
                       [&](auto& ctx) { kernels::global_avg_pool2d_backward(ctx, means, images); });
    }
  }
}

TEST_CASE("CUDA kernels of rows and of random numbers read inputs once and write outputs once") {
  if (!emulation::checker::active()) DITTO_SKIP("kernels are not instrumented in this build");
  const InOrder in_order;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    INFO(to_string(dtype));
    Tensors make;
    const Shape shape{kRows, kColumns}, rows{kRows};
    const View x = make(shape, dtype), y = make(shape, dtype), dy = make(shape, dtype);
    const View lengths = make.positive(rows, dtype);
    const View order = make.permutation(kRows);
    expect_streaming("l2_normalize", {x, y, lengths},
                     [&](auto& ctx) { kernels::l2_normalize_forward(ctx, x, 1e-12, y, lengths); });
    expect_streaming("l2_normalize backward", {dy, x, lengths, y}, [&](auto& ctx) {
      kernels::l2_normalize_backward(ctx, dy, x, lengths, 1e-12, y);
    });
    expect_streaming("uniform", {y},
                     [&](auto& ctx) { kernels::fill_uniform(ctx, {.seed = 1}, -1, 1, y); });
    expect_streaming("normal", {y},
                     [&](auto& ctx) { kernels::fill_normal(ctx, {.seed = 1}, 0, 1, y); });
    expect_streaming("dropout mask", {y},
                     [&](auto& ctx) { kernels::fill_dropout_mask(ctx, {.seed = 1}, 0.5, y); });
    expect_streaming("gather_rows", {order, x, y},
                     [&](auto& ctx) { kernels::gather_rows(ctx, x, order, y); });
  }
}

TEST_CASE("CUDA kernels for images read and write each pixel once") {
  if (!emulation::checker::active()) DITTO_SKIP("kernels are not instrumented in this build");
  Tensors make;
  const Shape shape{16, 32, 32, 3};
  const View stored = make.indices(shape, Dtype::U8, 256), images = make(shape, Dtype::F32),
             out = make(shape, Dtype::F32);
  std::vector<kernels::AugmentRow> rows(16);
  std::vector<kernels::MixRow> mixed(16);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].source = static_cast<int64_t>(i);
    if (i % 2 == 1) rows[i].inverse = {-1, 0, 32, 0, 1, 0};  // mirrored
    mixed[i].kind = i % 2 == 1 ? kernels::MixKind::CutMix : kernels::MixKind::None;
    mixed[i].partner = static_cast<int64_t>(15 - i);
    mixed[i].box = {3, 5, 20, 28};
  }
  expect_streaming("mix", {images, out},
                   [&](auto& ctx) { kernels::mix_images(ctx, images, mixed, out); });
  // A warp reads 32 bytes of a stored image, which start anywhere in a sector and end in the next;
  // what it leaves the next warp takes from the cache.
  expect_streaming(
      "augment", {stored, out}, [&](auto& ctx) { kernels::augment(ctx, stored, rows, out); }, 0.75);
}

TEST_CASE("CUDA kernels that bring maps back or paste read and write each element once") {
  if (!emulation::checker::active()) DITTO_SKIP("kernels are not instrumented in this build");
  const InOrder in_order;
  Tensors make;
  const std::vector<Frame> flips(8, Frame::identity(64, 64).then({-1, 0, 64, 0, 1, 0}, 64, 64));
  const Shape pixels{8, 64, 64, 4}, image{8, 64, 64}, masks{8, 32, 28, 28};
  const View maps = make(pixels, Dtype::F32), out = make(pixels, Dtype::F32),
             seen = make.indices(image, Dtype::U8, 2), labels = make.indices(image, Dtype::I64, 9),
             kinds = make.indices(image, Dtype::I64, 9), weights = make.positive(image, Dtype::F32),
             roi = make(masks, Dtype::F32), reversed = make(masks, Dtype::F32);
  // The second neighbour of a pixel lies 16 bytes further, in a fifth sector.
  expect_streaming(
      "class maps", {maps, out, seen},
      [&](auto& ctx) { kernels::class_maps_back(ctx, maps, flips, out, seen); }, 0.75);
  expect_streaming("label maps", {labels, kinds},
                   [&](auto& ctx) { kernels::label_maps_back(ctx, labels, flips, 0, kinds); });
  // Lines of 28 floats: a warp reads the ends of two, which need not start with a sector.
  expect_streaming(
      "masks", {roi, reversed},
      [&](auto& ctx) { kernels::roi_masks_back(ctx, roi, flips, reversed); }, 0.75);
  expect_streaming("paste", {maps, weights, out, out},
                   [&](auto& ctx) { kernels::paste(ctx, maps, weights, out); });
}

TEST_CASE("CUDA kernels: each is bounded above, or has a reason") {
  if (measured.empty()) DITTO_SKIP("needs the tests above, in one process");
  const std::regex named("launch\\(\\s*ctx,\\s*\"([a-z0-9_]+)\"");
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("kernels"))) {
    if (entry.path().extension() != ".cu" && entry.path().extension() != ".cuh") continue;
    const std::string text = read_file(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), named), end; at != end; ++at, ++found) {
      const std::string name = (*at)[1];
      INFO(name << " in " << entry.path());
      CHECK(measured.contains(name) != kUnbounded.contains(name));
    }
  }
  CHECK(found > 60);
}

}  // namespace ditto::testing

#endif
