// Random chains on the device: the same pixels as on the CPU, to roundings.
#include "tests/data/random_chain.h"
#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

TEST_CASE("property: chains of up to six transforms, CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const int64_t channels : {1, 3})
    for (uint64_t seed = 0; seed < 4; ++seed) {
      INFO("channels " << channels << " seed " << seed);
      Rng rng(seed, Purpose::User, static_cast<uint64_t>(channels));
      const ImageInfo info = random_info(rng, static_cast<int>(channels));
      std::vector<Transform> chains;
      for (int i = 0; i < 8; ++i) {
        Transform t = i % 2 == 0 ? random_chain(rng, Chain::Any)->draw(rng, info)
                                 : joined(oblique_chain(rng, info));
        // Chains with a resize are averaged, the others are sampled bilinearly.
        if (i % 4 < 2)
          t.append(Resize(24, 20).draw(rng, t.canvas()));
        else
          t.append(Transform::geometric(t.canvas(), Affine{}, 24, 20));
        chains.push_back(std::move(t));
      }
      std::vector<kernels::AugmentRow> rows;
      for (size_t i = 0; i < chains.size(); ++i)
        rows.push_back(chains[i].row(static_cast<int64_t>(i % 3)));
      const Array images =
          random_indices({3, info.height, info.width, channels}, Dtype::U8, seed, 256);
      const Array out({8, 20, 24, channels}, Dtype::F32);
      expect_same_on_cuda({images}, {out}, 3e-6, [&](auto& ctx, const Views& in, const Views& to) {
        kernels::augment(ctx, in[0], rows, to[0]);
      });
    }
}

#endif  // DITTO_HAS_CUDA
