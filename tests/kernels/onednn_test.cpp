#include "kernels/onednn.h"

#include <vector>

#include "tests/support/catch.h"

#ifdef DITTO_HAS_OPENMP
#include <omp.h>
#endif

namespace ditto::kernels {
namespace {

TEST_CASE("onednn: the number of threads follows the context, and the caller's is restored") {
#ifdef DITTO_HAS_OPENMP
  const int before = omp_get_max_threads();
  {
    const onednn::ThreadScope scope(CpuContext{3});
    CHECK(scope.threads() == 3);
    CHECK(omp_get_max_threads() == 3);
    const onednn::ThreadScope inner(CpuContext{1});
    CHECK(omp_get_max_threads() == 1);
  }
  CHECK(omp_get_max_threads() == before);
  CHECK(onednn::ThreadScope(CpuContext{0}).threads() == 1);
  int inside = 0;
#pragma omp parallel num_threads(2)
  {
#pragma omp single
    inside = onednn::ThreadScope(CpuContext{2}).threads();
  }
  CHECK(inside == 1);
#else
  CHECK(onednn::ThreadScope(CpuContext{3}).threads() == 1);
#endif
}

TEST_CASE("onednn: reorder changes the layout, and is left out where layouts agree") {
  const dnnl_memory_desc_t rows = onednn::memory_desc({2, 3}, dnnl_ab);
  const dnnl_memory_desc_t columns = onednn::memory_desc({2, 3}, dnnl_ba);
  CHECK_FALSE(onednn::reorder(rows, rows).has_value());
  std::optional<onednn::Primitive> transpose = onednn::reorder(rows, columns);
  REQUIRE(transpose.has_value());
  const std::vector<float> from = {1, 2, 3, 4, 5, 6};
  std::vector<float> to(6);
  transpose->execute({{DNNL_ARG_FROM, from.data()}, {DNNL_ARG_TO, to.data()}});
  CHECK(to == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK_THROWS_WITH(transpose->execute({{DNNL_ARG_BIAS, from.data()}}),
                    testing::contains("[onednn] the primitive has no argument"));
}

TEST_CASE("onednn: a failed call names what failed and the status") {
  CHECK_NOTHROW(onednn::check_status(dnnl_success, "this"));
  CHECK_THROWS_WITH(onednn::check_status(dnnl_out_of_memory, "that"),
                    testing::contains("[onednn] that failed: out_of_memory"));
}

}  // namespace
}  // namespace ditto::kernels
