#include "losses/pair_losses.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/index_select.h"
#include "losses/h_scl.h"
#include "losses/info_nce.h"
#include "losses/lacln.h"
#include "losses/multi_similarity.h"
#include "losses/multi_view.h"
#include "losses/supcon.h"
#include "losses/tcl.h"
#include "losses/triplet.h"

namespace ditto::losses {
namespace {

// The values of one loss's options, defaults filled in.
using Values = std::map<std::string, double>;

struct Entry {
  const char* name;
  bool uses_labels;
  std::vector<LossOption> options;
  PairLossByName (*make)(const Values&);
};

TclOptions tcl_options(const Values& v) {
  return {.temperature = v.at("temperature"), .k1 = v.at("k1"), .k2 = v.at("k2")};
}

// Losses of whole views want all samples of one view, then all of the next. Rows in that order, and
// the number of views. Reads the ids on the host.
struct Views {
  Tensor z;
  int64_t count;
};
Views by_view(const Tensor& z, const Tensor& samples) {
  const std::vector<int64_t> ids = samples.detach().to_vector<int64_t>();
  std::vector<int64_t> order(ids.size()), view(ids.size());
  std::map<int64_t, int64_t> seen;
  for (size_t i = 0; i < ids.size(); ++i) view[i] = seen[ids[i]]++;
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const auto key = [&](int64_t i) { return std::pair(view[size_t(i)], ids[size_t(i)]); };
    return key(a) < key(b);
  });
  const int64_t count = seen.empty() ? 0 : seen.begin()->second;
  for (const auto& [id, views] : seen)
    check(views == count, "[losses] sample", id, "has", views, "views, sample", seen.begin()->first,
          "has", count);
  const auto n = static_cast<int64_t>(order.size());
  return {index_select(z, Tensor::from(order, {n}).to(z.device())), count};
}

// The one table of names.
const std::vector<Entry>& entries() {
  using T = const Tensor&;
  using Made = PairLossByName;
  static const std::vector<Entry> table = {
      {"supcon",
       true,
       {{"temperature", SupConOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = SupConOptions{.temperature = v.at("temperature")}](T z, T y, T) {
           return supcon(z, y, o);
         };
       }},
      {"tcl",
       true,
       {{"temperature", TclOptions().temperature},
        {"k1", TclOptions().k1},
        {"k2", TclOptions().k2}},
       [](const Values& v) -> Made {
         return [o = tcl_options(v)](T z, T y, T) { return tcl(z, y, o); };
       }},
      {"lacln",
       true,
       {{"temperature", LaclnOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = LaclnOptions{.temperature = v.at("temperature")}](T z, T y, T) {
           return lacln(z, y, o);
         };
       }},
      {"h-scl",
       true,
       {{"temperature", HSclOptions().temperature}, {"beta", HSclOptions().beta}},
       [](const Values& v) -> Made {
         return [o = HSclOptions{.temperature = v.at("temperature"), .beta = v.at("beta")}](
                    T z, T y, T samples) { return h_scl(z, samples, y, o); };
       }},
      {"multi-similarity",
       true,
       {{"alpha", MultiSimilarityOptions().alpha},
        {"beta", MultiSimilarityOptions().beta},
        {"threshold", MultiSimilarityOptions().threshold},
        {"margin", MultiSimilarityOptions().margin}},
       [](const Values& v) -> Made {
         return [o = MultiSimilarityOptions{.alpha = v.at("alpha"),
                                            .beta = v.at("beta"),
                                            .threshold = v.at("threshold"),
                                            .margin = v.at("margin")}](T z, T y, T) {
           return multi_similarity(z, y, o);
         };
       }},
      {"triplet-hard",
       true,
       {{"margin", TripletOptions().margin}},
       [](const Values& v) -> Made {
         return [o = TripletOptions{.margin = v.at("margin")}](T z, T y, T) {
           return triplet_hard(z, y, o);
         };
       }},
      {"triplet-all",
       true,
       {{"margin", TripletAllOptions().margin}},
       [](const Values& v) -> Made {
         return [o = TripletAllOptions{.margin = v.at("margin")}](T z, T y, T) {
           return triplet_all(z, y, o);
         };
       }},
      {"nt-xent",
       false,
       {{"temperature", NtXentOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = NtXentOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           return nt_xent(z, samples, o);
         };
       }},
      {"tcl-self",
       false,
       {{"temperature", TclOptions().temperature},
        {"k1", TclOptions().k1},
        {"k2", TclOptions().k2}},
       [](const Values& v) -> Made {
         return [o = tcl_options(v)](T z, T, T samples) { return tcl(z, samples, o); };
       }},
      {"mv-info-nce",
       false,
       {{"temperature", MvInfoNceOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = MvInfoNceOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           const Views views = by_view(z, samples);
           return mv_info_nce(views.z, views.count, o);
         };
       }},
      {"mv-dhel",
       false,
       {{"temperature", MvDhelOptions().temperature}},
       [](const Values& v) -> Made {
         return [o = MvDhelOptions{.temperature = v.at("temperature")}](T z, T, T samples) {
           const Views views = by_view(z, samples);
           return mv_dhel(views.z, views.count, o);
         };
       }},
  };
  return table;
}

const Entry& find(const std::string& name) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (name == entry.name) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail("[losses] unknown pair loss '" + name + "'; known: " + known);
}

}  // namespace

std::vector<std::string> pair_loss_names() {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) names.push_back(entry.name);
  return names;
}

PairLossByName make_pair_loss(const std::string& name,
                              const std::map<std::string, double>& options) {
  const Entry& entry = find(name);
  return entry.make(option_values(name, entry.options, options));
}

std::vector<LossOption> pair_loss_options(const std::string& name) { return find(name).options; }

bool uses_labels(const std::string& name) { return find(name).uses_labels; }

}  // namespace ditto::losses
