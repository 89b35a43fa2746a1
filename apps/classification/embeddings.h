// Embeddings of a data set, and what they tell without a classifier: the accuracy of their nearest
// neighbours and the similarity of pairs (isotropy.h: how evenly they use the space).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "apps/common/report.h"
#include "data/dataset.h"
#include "models/classifier.h"

namespace ditto::apps {

struct Embeddings {
  Tensor rows;                  // (N, d) f32 on the CPU, each of length 1
  std::vector<int64_t> labels;  // N
  int64_t classes = 0;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

// The features before the classifier of every image that can be read, without augmentation.
// `on_batch` is called after each batch with its number of images. Throws "[embed] ..." when a
// feature is not finite.
Embeddings embed(models::Classifier& model, const data::ImageDataset& dataset, int64_t batch = 250,
                 const std::function<void(int64_t)>& on_batch = {});

struct KnnOptions {
  int64_t neighbours = 200;  // at most the size of the bank
  double temperature = 0.07;
};
// Share of the queries whose class wins the vote of their most similar neighbours in the bank, each
// with weight exp(cosine / temperature): Wu et al. 2018, "Unsupervised feature learning via
// non-parametric instance discrimination", section 3.4. Equal votes: the smaller class.
double knn_accuracy(const Embeddings& bank, const Embeddings& queries,
                    const KnnOptions& options = {});

// Distribution of the cosine similarity of pairs: share of the pairs in each of `bins` equal parts
// of [-1, 1].
struct SimilarityHistogram {
  std::vector<double> positive, negative;  // pairs of one class; of two
  double positive_mean = 0, negative_mean = 0;
};
// Pairs of at most `most` images, spread over the data set. Without a pair of a kind its shares are
// 0 and its mean NaN.
SimilarityHistogram similarity_histogram(const Embeddings& embeddings, int bins = 80,
                                         int64_t most = 2000);

struct NamedHistogram {
  std::string run;
  SimilarityHistogram histogram;
};
// Positive pairs solid, negative ones dashed, a colour for each run: figures 3 and 4 of paper 003.
// File: similarities.
Figure similarity_figure(const std::vector<NamedHistogram>& runs);

}  // namespace ditto::apps
