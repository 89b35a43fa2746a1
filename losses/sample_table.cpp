#include "losses/sample_table.h"

namespace ditto::losses {
namespace {

std::vector<int64_t> checked(const Tensor& ids, int64_t size) {
  check(ids.defined() && ids.dtype() == Dtype::I64 && ids.rank() == 1,
        "[sample_table] needs ids i64 (n), got", ids);
  auto list = ids.to_vector<int64_t>();
  for (size_t i = 0; i < list.size(); ++i)
    check(list[i] >= 0 && list[i] < size, "[sample_table] id", list[i], "of row", i,
          "is outside [0,", size, ")");
  return list;
}

Tensor filled(int64_t samples, double initial) {
  check(samples >= 1, "[sample_table] needs at least one sample, got", samples);
  return Tensor::full({samples}, initial, Dtype::F64);
}

}  // namespace

SampleTable::SampleTable(int64_t samples, double initial)
    : values_(buffer("values", filled(samples, initial), false)) {}

Tensor SampleTable::read(const Tensor& ids, const Tensor& like) const {
  const Tensor table = values_.to(kCpu).to(Dtype::F64);  // module.to() may have moved it
  const double* value = table.data<double>();
  std::vector<double> out;
  for (int64_t id : checked(ids, size())) out.push_back(value[id]);
  return Tensor::from(out, ids.shape(), like.dtype()).to(like.device());
}

void SampleTable::write(const Tensor& ids, const Tensor& values) {
  const auto list = checked(ids, size());
  check(values.defined() && values.shape() == ids.shape(), "[sample_table] values", values,
        "do not fit ids", ids);
  const auto next = values.detach().to_vector<double>();
  Tensor table = values_.to(kCpu).to(Dtype::F64).clone();
  for (size_t i = 0; i < list.size(); ++i) table.data<double>()[list[i]] = next[i];
  values_.copy_(table);
}

}  // namespace ditto::losses
