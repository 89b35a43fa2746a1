// The data pipelines that bench times: from files or pixels in memory to batches.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ditto::apps {

struct DataBench {
  std::string name;
  int64_t rows = 0;  // that a call of run() makes
  std::function<void()> run;
};

// Crop, flip, with and without cutout, and normalisation of 10,000 images of 32 x 32 x 3, by the
// loader without worker threads.
std::vector<DataBench> cifar_benches(int64_t batch);

// Penn-Fudan: decoding of the files, scale jitter (0.8 to 1.25) on 512 x 512 with its crop, flip,
// boxes, masks and normalisation, with 1, 2, 4 and 8 replicas of each of the first 64 images.
std::vector<DataBench> instance_benches(const std::string& root);

// The first 64 JPEG and PNG files below a folder, read and decoded one after the other.
std::vector<DataBench> decode_benches(const std::string& folder);

}  // namespace ditto::apps
