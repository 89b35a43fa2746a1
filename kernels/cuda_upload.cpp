#include "kernels/cuda_upload.h"

#include <algorithm>
#include <map>

#include "core/cuda_staging.h"

namespace ditto::kernels {

char* CudaUpload::send(CudaContext& ctx) const {
  const size_t size = std::max<size_t>(16, bytes_.size() + reserved_);
  auto* target = static_cast<char*>(ctx.workspace(static_cast<int64_t>(size)));
  if (bytes_.empty()) return target;
  thread_local std::map<int, CudaStaging> staging;
  // A batch may need a table per image; the host goes on meanwhile.
  staging.try_emplace(ctx.index(), 32)
      .first->second.send(ctx, bytes_.data(), bytes_.size(), target);
  return target;
}

}  // namespace ditto::kernels
