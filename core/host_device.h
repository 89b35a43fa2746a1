// HD marks functions that both the host and the CUDA compiler must see.
#pragma once

#ifdef __CUDACC__
#define HD __host__ __device__ inline
#else
#define HD inline
#endif
