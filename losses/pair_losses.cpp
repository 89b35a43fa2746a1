#include "losses/pair_losses.h"

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

struct Entry {
  const char* name;
  bool uses_labels;
  PairLossByName (*make)(const PairLossConfig&);
};

template <class T>
void set(T& option, const std::optional<T>& given) {
  if (given) option = *given;
}

template <class Options>
Options with_common(const PairLossConfig& c) {
  Options o;
  set(o.common.scale, c.scale);
  set(o.common.no_positive, c.no_positive);
  return o;
}
template <class Options>
Options with_temperature(const PairLossConfig& c) {
  auto o = with_common<Options>(c);
  set(o.temperature, c.temperature);
  return o;
}
template <class Options>
Options with_margin(const PairLossConfig& c) {
  auto o = with_common<Options>(c);
  set(o.margin, c.margin);
  return o;
}
TclOptions tcl_options(const PairLossConfig& c) {
  auto o = with_temperature<TclOptions>(c);
  set(o.k1, c.k1);
  set(o.k2, c.k2);
  return o;
}

// How many rows the first sample has; the losses that need equal views check the rest.
int64_t views_of(const Tensor& samples) {
  const std::vector<int64_t> ids = samples.detach().to_vector<int64_t>();
  int64_t views = 0;
  for (int64_t id : ids) views += id == ids[0];
  for (size_t i = 0; views > 0 && i < ids.size(); ++i)
    check(ids[i] == ids[i % (ids.size() / static_cast<size_t>(views))],
          "[losses] rows must be view after view of the same samples; row", i, "is of sample",
          ids[i]);
  return views;
}

// The one table of names.
const std::vector<Entry>& entries() {
  using T = const Tensor&;
  using Made = PairLossByName;
  using Config = const PairLossConfig&;
  static const std::vector<Entry> table = {
      {"supcon", true,
       [](Config c) -> Made {
         return [o = with_temperature<SupConOptions>(c)](T z, T y, T) { return supcon(z, y, o); };
       }},
      {"tcl", true,
       [](Config c) -> Made { return [o = tcl_options(c)](T z, T y, T) { return tcl(z, y, o); }; }},
      {"lacln", true,
       [](Config c) -> Made {
         return [o = with_temperature<LaclnOptions>(c)](T z, T y, T) { return lacln(z, y, o); };
       }},
      {"h-scl", true,
       [](Config c) -> Made {
         auto o = with_temperature<HSclOptions>(c);
         set(o.beta, c.beta);
         return [o](T z, T y, T samples) { return h_scl(z, samples, y, o); };
       }},
      {"multi-similarity", true,
       [](Config c) -> Made {
         return [o = with_margin<MultiSimilarityOptions>(c)](T z, T y, T) {
           return multi_similarity(z, y, o);
         };
       }},
      {"triplet-hard", true,
       [](Config c) -> Made {
         return [o = with_margin<TripletOptions>(c)](T z, T y, T) { return triplet_hard(z, y, o); };
       }},
      {"triplet-all", true,
       [](Config c) -> Made {
         return
             [o = with_margin<TripletAllOptions>(c)](T z, T y, T) { return triplet_all(z, y, o); };
       }},
      {"nt-xent", false,
       [](Config c) -> Made {
         return [o = with_temperature<NtXentOptions>(c)](T z, T, T samples) {
           return nt_xent(z, samples, o);
         };
       }},
      {"tcl-self", false,
       [](Config c) -> Made {
         return [o = tcl_options(c)](T z, T, T samples) { return tcl(z, samples, o); };
       }},
      {"mv-info-nce", false,
       [](Config c) -> Made {
         return [o = with_temperature<MvInfoNceOptions>(c)](T z, T, T samples) {
           return mv_info_nce(z, views_of(samples), o);
         };
       }},
      {"mv-dhel", false,
       [](Config c) -> Made {
         return [o = with_temperature<MvDhelOptions>(c)](T z, T, T samples) {
           return mv_dhel(z, views_of(samples), o);
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

PairLossByName make_pair_loss(const std::string& name, const PairLossConfig& config) {
  return find(name).make(config);
}

bool uses_labels(const std::string& name) { return find(name).uses_labels; }

}  // namespace ditto::losses
