// TrainOptions: everything that decides what a classification training computes, as one plain
// struct.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/common/config.h"
#include "apps/common/device_options.h"
#include "data/augment.h"
#include "data/mix.h"
#include "losses/losses.h"
#include "models/contrastive_network.h"
#include "nn/optim/schedule.h"

namespace ditto::apps {

struct DataOptions {
  std::string dataset = "auto";  // auto: cifar-10 where its files are found, else fashion-mnist
  std::string data_root;
  bool strict_data = false;
  int64_t train_images = 0;  // 0: all
  int64_t test_images = 0;
  int64_t image_size = 0;  // 0: the data set's own; folders: 224
  std::string on_bad_image = "error";
  std::string cache = "none";  // of images that are read from files
  int64_t cache_mb = 1024;
  std::vector<double> mean, std;  // empty: the data set's published ones
};

struct TrainOptions {
  DataOptions data;
  std::string model = "resnet20";
  double dropout = 0;        // mlp only
  std::string teacher;       // weights file, for losses that learn from another classifier
  std::string init_weights;  // safetensors file to start from; a head of another shape stays new

  std::string loss = "cce";
  std::vector<std::string> loss_option;  // "gamma=1": of the losses that have such an option
  std::vector<std::string> compare;      // train once for each of these losses instead
  double rho = 1;
  bool anchor_grad = false;
  double label_smoothing = 0;
  int replicas = 2;      // rows per image for losses that pair replicas
  int cce_replicas = 1;  // the same for losses that do not (a control)
  std::string sampler = "groups";

  // Losses of features (objective.h).
  std::string phases = "auto";     // pretrain: the features alone; linear: the head alone
  std::string projector = "auto";  // auto: mlp, but none for clce
  int64_t projection_dim = 128;
  double linear_share = 0.2;  // part of the steps that train the classifier after the features
  double linear_lr = 0;       // their peak learning rate; 0: lr
  int64_t knn_neighbours = 200;
  int64_t knn_images = 5000;  // training images among which neighbours are looked for; 0: all

  bool flip = true;
  int crop_padding = 4;
  int cutout = 0;
  data::AffineOptions affine;
  std::string rrc = "auto";  // random resized crop; auto: where images are of different sizes
  double rrc_scale_low = 0.08, rrc_scale_high = 1;
  std::vector<double> jitter;  // brightness, contrast, saturation, hue; or empty
  double jitter_probability = 1, grayscale = 0, blur = 0, solarize = 0, rand_affine = 0;
  std::string mix = "none";  // none, d1, d2, d3, d4
  double cutmix_alpha = 1, mixup_alpha = 0, mix_probability = 0.5;

  int64_t batch = 128;  // rows
  double epochs = 10;   // an epoch is as many rows as there are training images
  double minutes = 0;   // > 0: instead of epochs; turned into steps once, after a calibration
  int64_t steps = 0;    // > 0: instead of epochs
  int accumulate = 1;   // micro-batches per step; groups are never split
  std::string optimizer = "sgd";
  double lr = 0.1;
  std::string schedule = "cosine";
  double warmup = 0;  // epochs
  std::vector<double> milestones = {0.5, 0.75};
  double lr_gamma = 0.1;  // factor at each of them
  double lr_final = 0;    // last rate of the cosine, as a part of lr
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 1e-4;
  bool decay_norm_bias = true;
  double clip_norm = 0;  // 0: off
  double ema = 0;        // decay of the averaged weights; 0: none
  std::string precision = "f32";

  int64_t seed = 1;
  std::vector<int64_t> seeds;  // train every run once for each of these seeds instead
  std::string sweep;           // "rho=0.1,0.3,1": train every run once for each of these values
  DeviceOptions compute;
  int threads = 0;  // 0: all cores
  int workers = 1;
  double eval_every = 1;  // epochs
  bool profile = false;   // time per op and layer

  // Checkpoints; without influence on what is computed.
  double save_every = 1;          // epochs; 0: none but the last
  double save_every_minutes = 0;  // 0: off
  int keep_last = 2;
};

// Declares every option above.
void declare(Config& config, TrainOptions& options);
void declare(Config& config, DataOptions& options);
// Whether the rows of an image stand next to each other in a batch.
bool samples_groups(const TrainOptions& o);

// Rules between options ("replicas must divide batch"): throws UsageError.
void check_options(const TrainOptions& options);
// Throws UsageError for a --loss-option that none of `losses` has; each takes those that it has.
void check_loss_options(const TrainOptions& options, const std::vector<std::string>& losses);
// Throws UsageError when options.loss does not take the values of its options.
void check_loss_values(const TrainOptions& options);
bool has_loss_option(const std::string& loss, const std::string& name);
// Sets --loss-option name=value, whatever it was; the value as a number. Throws UsageError when it
// is none.
double set_loss_option(TrainOptions& options, const std::string& name, const std::string& value);

// The parts in the libraries' own terms.
data::AugmentOptions augment_options(const TrainOptions& options);
std::shared_ptr<const data::Augment> make_augment(const TrainOptions& options,
                                                  const data::ImageDataset& dataset);
// What the loss reads instead of the features.
models::Projector projector(const TrainOptions& options, const std::string& loss);
data::MixOptions mix_options(const TrainOptions& options);
// For one loss: of --loss-option those that it has.
losses::LossConfig loss_config(const TrainOptions& options, const std::string& loss);

}  // namespace ditto::apps
