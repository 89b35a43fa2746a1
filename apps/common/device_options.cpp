#include "apps/common/device_options.h"

#include "core/context.h"

namespace ditto::apps {

void declare(Config& config, DeviceOptions& options) {
  config.add("device", &options.device, "cpu, cuda or cuda:1; auto: a GPU where there is one");
  config.add("tf32", &options.tf32, "GPU: f32 products and convolutions of inputs with 10 bits");
  config.add("deterministic", &options.deterministic, "GPU: the same bits in every run");
}

DeviceChoice use(const DeviceOptions& options) {
  const DeviceChoice choice = choose_device(options.device);
  allow_tf32(options.tf32);
  set_deterministic(options.deterministic);
  return choice;
}

std::string device_text(Device device) {
  const std::string what = device_description(device);
  return to_string(device) + (what.empty() ? "" : ", " + what);
}

}  // namespace ditto::apps
