// Prints the CUDA architectures of this machine's devices as CMake wants them ("90-real;75-real");
// exit status 1 when no driver answers. Built and run by DittoCuda.cmake for DITTO_CUDA=auto.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <set>

int main() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {  // on an error the count was never written
    std::printf("%s", status == cudaSuccess ? "no device" : cudaGetErrorString(status));
    return 1;
  }
  std::set<int> architectures;
  for (int i = 0; i < count; ++i) {
    int major = 0, minor = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, i) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, i) != cudaSuccess)
      return 1;
    architectures.insert(10 * major + minor);
  }
  const char* separator = "";
  for (int architecture : architectures) {
    std::printf("%s%d-real", separator, architecture);
    separator = ";";
  }
  return 0;
}
