// Devices, errors and versions of the cudart double.
#include <cstdio>
#include <cstring>

#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/cudart_runtime.h"

namespace ditto::emulation {
namespace {

// An imaginary device with the limits of compute capability 9.0; few multiprocessors, so that
// kernels that size their grid by them loop.
constexpr int kMajor = 9, kMinor = 0, kMultiprocessors = 4;
constexpr int kSharedBytes = 48 << 10, kSharedBytesOptIn = 227 << 10;
constexpr int kDriverVersion = CUDART_VERSION;

bool attribute_value(cudaDeviceAttr attribute, int* value) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      *value = 1024;
      break;
    case cudaDevAttrMaxBlockDimZ:
      *value = 64;
      break;
    case cudaDevAttrMaxGridDimX:
      *value = 0x7fffffff;
      break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      *value = 65535;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = kSharedBytes;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = kSharedBytesOptIn;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = 228 << 10;
      break;
    case cudaDevAttrWarpSize:
      *value = 32;
      break;
    case cudaDevAttrMaxRegistersPerBlock:
      *value = 65536;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiprocessors;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      break;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      *value = 32;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = kMajor;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = kMinor;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 50 << 20;
      break;
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrHostRegisterSupported:
      *value = 1;
      break;
    case cudaDevAttrManagedMemory:
    case cudaDevAttrIntegrated:
    case cudaDevAttrPageableMemoryAccess:
    case cudaDevAttrCooperativeLaunch:
      *value = 0;
      break;
    default:
      return false;
  }
  return true;
}

// Device queries work without a current context, also after a sticky error.
template <class F>
cudaError_t query(const char* function, F&& body) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  cudaError_t error = injected_failure(function) ? cudaErrorUnknown : body(rt);
  if (error != cudaSuccess) last_error() = error;
  return error;
}

bool exists(const Runtime& rt, int device) {
  return device >= 0 && device < static_cast<int>(rt.devices.size());
}

struct ErrorText {
  cudaError_t error;
  const char *name, *text;
};
// Names as in the header; descriptions in our words.
constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration of a launch"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "the driver is too old for the runtime"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA device was found"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "no device of that number"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "work is not finished"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "a kernel used an illegal address"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "a launch failed"},
    {cudaErrorNotPermitted, "cudaErrorNotPermitted", "not permitted here"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "not permitted while a stream is captured"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "an earlier error ended the capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "the capture did not begin in this stream"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "the capture has work that its first stream does not wait for"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "the capture would depend on work outside"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "the default stream would join the capture"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent", "the event was recorded in a capture"},
    {cudaErrorStreamCaptureWrongThread, "cudaErrorStreamCaptureWrongThread",
     "the capture began in another thread"},
    {cudaErrorGraphExecUpdateFailure, "cudaErrorGraphExecUpdateFailure",
     "the graph does not fit the executable graph"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};
const ErrorText& text_of(cudaError_t error) {
  for (const ErrorText& entry : kErrors)
    if (entry.error == error) return entry;
  static constexpr ErrorText kUnrecognized{cudaErrorUnknown, "unrecognized error code",
                                           "unrecognized error code"};
  return kUnrecognized;
}

}  // namespace
}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  return query("cudaGetDeviceCount", [&](Runtime& rt) {
    // As measured without a driver: the count stays unwritten.
    if (rt.devices.empty()) return cudaErrorNoDevice;
    *count = static_cast<int>(rt.devices.size());
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return query("cudaSetDevice", [&](Runtime& rt) {
    if (rt.devices.empty()) return cudaErrorNoDevice;
    if (!exists(rt, device)) return cudaErrorInvalidDevice;
    current_device() = device;
    return rt.devices[static_cast<size_t>(device)]->error;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return query("cudaGetDevice", [&](Runtime& rt) {
    if (rt.devices.empty()) return cudaErrorNoDevice;
    *device = current_device();
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return query("cudaDeviceGetAttribute", [&](Runtime& rt) {
    if (!exists(rt, device)) return cudaErrorInvalidDevice;
    return attribute_value(attribute, value) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return query("cudaGetDeviceProperties", [&](Runtime& rt) {
    if (!exists(rt, device)) return cudaErrorInvalidDevice;
    *properties = {};
    cudaDeviceProp& p = *properties;
    std::snprintf(p.name, sizeof p.name, "ditto emulated device %d", device);
    p.totalGlobalMem = memory().limit;
    p.sharedMemPerBlock = kSharedBytes;
    p.sharedMemPerBlockOptin = kSharedBytesOptIn;
    p.sharedMemPerMultiprocessor = 228 << 10;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 0x7fffffff;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.totalConstMem = 64 << 10;
    p.major = kMajor;
    p.minor = kMinor;
    p.multiProcessorCount = kMultiprocessors;
    p.maxThreadsPerMultiProcessor = 2048;
    p.maxBlocksPerMultiProcessor = 32;
    p.l2CacheSize = 50 << 20;
    p.memoryBusWidth = 5120;
    p.asyncEngineCount = 3;
    p.unifiedAddressing = p.concurrentKernels = p.memoryPoolsSupported = 1;
    p.hostRegisterSupported = p.streamPrioritiesSupported = 1;
    p.pciDeviceID = device;
    std::memcpy(p.uuid.bytes, "ditto emulated!", 15);
    p.uuid.bytes[15] = static_cast<char>(device);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return query("cudaDeviceCanAccessPeer", [&](Runtime& rt) {
    if (!exists(rt, device) || !exists(rt, peer)) return cudaErrorInvalidDevice;
    *can = 0;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return api_call("cudaDeviceSynchronize", [](Runtime& rt) {
    if (const cudaError_t error = rt.unsafe_call(); error != cudaSuccess) return error;
    rt.synchronize_device(current_device());
    return rt.device().error;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  return query("cudaDriverGetVersion", [&](Runtime& rt) {
    *version = rt.devices.empty() ? 0 : kDriverVersion;
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaPeekAtLastError() {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  if (!rt.devices.empty() && rt.device().error != cudaSuccess) return rt.device().error;
  return last_error();
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  last_error() = cudaSuccess;
  return error;
}

const char* cudaGetErrorName(cudaError_t error) { return text_of(error).name; }
const char* cudaGetErrorString(cudaError_t error) { return text_of(error).text; }

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  return api_call("cudaFuncSetAttribute", [&](Runtime&) {
    if (!function) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize)
      return value >= 0 && value <= kSharedBytesOptIn ? cudaSuccess : cudaErrorInvalidValue;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout)
      return value >= -1 && value <= 100 ? cudaSuccess : cudaErrorInvalidValue;
    return cudaErrorInvalidValue;
  });
}

}  // extern "C"
