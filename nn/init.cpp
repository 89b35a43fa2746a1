#include "nn/init.h"

#include <cmath>

#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "kernels/random.h"

namespace ditto::nn {

Initializer kaiming_normal(int64_t fan, double gain) {
  check(fan > 0, "[init] fan must be positive:", fan);
  return normal(gain / std::sqrt(static_cast<double>(fan)));
}
Initializer kaiming_uniform(int64_t fan, double gain) {
  check(fan > 0, "[init] fan must be positive:", fan);
  return uniform(gain * std::sqrt(3.0 / static_cast<double>(fan)));
}
Initializer xavier_normal(int64_t fan_in, int64_t fan_out) {
  check(fan_in + fan_out > 0, "[init] fans must be positive:", fan_in, fan_out);
  return normal(std::sqrt(2.0 / static_cast<double>(fan_in + fan_out)));
}
Initializer xavier_uniform(int64_t fan_in, int64_t fan_out) {
  check(fan_in + fan_out > 0, "[init] fans must be positive:", fan_in, fan_out);
  return uniform(std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)));
}
Initializer normal(double stddev) { return {Initializer::Kind::Normal, stddev}; }
Initializer uniform(double half_width) { return {Initializer::Kind::Uniform, half_width}; }
Initializer zeros() { return {Initializer::Kind::Zeros, 0}; }
Initializer ones() { return {Initializer::Kind::Ones, 0}; }

void init(Module& module, uint64_t seed) {
  module.visit([seed](const std::string& name, Module& m) { m.seed(seed ^ hash_name(name)); });
  for (const NamedParameter& p : module.named_parameters()) {
    // The name enters key and counter, 64 + 32 bits: streams of two parameters do not meet.
    const uint64_t hash = hash_name(p.name);
    const kernels::RandomStream stream{
        .seed = seed ^ hash, .purpose = Purpose::Init, .sample = static_cast<uint32_t>(hash >> 32)};
    Tensor values = p.tensor.detach();
    on_device(values.device(), [&](auto& ctx) {
      switch (p.init.kind) {
        case Initializer::Kind::Zeros:
          kernels::fill(ctx, 0.0, values.view());
          break;
        case Initializer::Kind::Ones:
          kernels::fill(ctx, 1.0, values.view());
          break;
        case Initializer::Kind::Normal:
          kernels::fill_normal(ctx, stream, 0.0, p.init.scale, values.view());
          break;
        case Initializer::Kind::Uniform:
          kernels::fill_uniform(ctx, stream, -p.init.scale, p.init.scale, values.view());
          break;
      }
    });
    values.storage()->bump_version();
  }
}

}  // namespace ditto::nn
