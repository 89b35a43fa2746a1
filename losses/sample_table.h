// SampleTable: one number per training sample, keyed by its id, for losses that remember each
// sample (ALDR's temperatures). Saved and restored as a module's buffer.
#pragma once

#include "nn/module.h"

namespace ditto::losses {

class SampleTable : public nn::Module {
 public:
  // For ids 0 ... samples - 1, all with the value `initial`. f64, on the CPU: a step moves n
  // values.
  SampleTable(int64_t samples, double initial);

  // Values of the ids (n) i64, (n) with the dtype and device of `like`. An id outside the table
  // throws.
  Tensor read(const Tensor& ids, const Tensor& like) const;
  // Stores values (n); of equal ids the last one stays. Waits for a device.
  void write(const Tensor& ids, const Tensor& values);

  int64_t size() const { return values_.numel(); }

 private:
  Tensor& values_;
};

}  // namespace ditto::losses
