#include "apps/classification/train_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "apps/classification/objective.h"
#include "apps/common/text.h"
#include "data/dataset.h"
#include "models/models.h"

namespace ditto::apps {
namespace {

// "gamma=1" -> {"gamma", 1}.
std::map<std::string, double> loss_options(const std::vector<std::string>& assignments) {
  std::map<std::string, double> values;
  for (const std::string& text : assignments) {
    const size_t equals = text.find('=');
    const char* const end = text.data() + text.size();
    double value = 0;
    bool is_number = false;
    if (equals != std::string::npos) {
      const auto read = std::from_chars(text.data() + equals + 1, end, value);
      is_number = read.ec == std::errc() && read.ptr == end && std::isfinite(value);
    }
    if (equals == 0 || !is_number)
      throw UsageError("loss-option " + text + ": write name=number, for example gamma=1");
    if (!values.emplace(text.substr(0, equals), value).second)
      throw UsageError("loss-option names " + text.substr(0, equals) + " twice");
  }
  return values;
}

// "softmax-focal: gamma=2; ..." for each loss that has options.
std::string loss_option_help() {
  std::string text;
  for (const std::string& loss : objective_names()) {
    const auto options = objective_options(loss);
    if (loss.rfind("t-", 0) == 0 || options.empty()) continue;
    text += "; " + loss + ":";
    for (const losses::LossOption& option : options)
      text += " " + option.name + "=" + number_text(option.value);
  }
  return text;
}

}  // namespace

void declare(Config& config, DataOptions& o) {
  std::vector<std::string> names = data::dataset_names();
  names.insert(names.begin(), "auto");
  config.group("Data");
  config
      .add("dataset", &o.dataset,
           "auto takes cifar-10 where --data-root or DITTO_DATA has it, else fashion-mnist")
      .choices(names);
  config.add("data-root", &o.data_root, "folder of the data set, or its parent");
  config.add("strict-data", &o.strict_data, "demand the official counts and SHA-256");
  config.add("train-images", &o.train_images, "class-balanced subset of the training set; 0: all")
      .at_least(0);
  config.add("test-images", &o.test_images, "the same for the test set").at_least(0);
  config
      .add("image-size", &o.image_size,
           "side that images are brought to; 0: the data set's own, for folders 224")
      .range(0, 16384);
  config
      .add("on-bad-image", &o.on_bad_image,
           "an image that cannot be read stops the run, is left out or is black; each is listed")
      .choices({"error", "skip", "zero"});
  config
      .add("cache", &o.cache,
           "images from files that stay in memory: none, encoded (small) or decoded (fast)")
      .choices({"none", "encoded", "decoded"});
  config.add("cache-mb", &o.cache_mb, "the most that --cache keeps, of each set").range(0, 1e9);
  config.add("mean", &o.mean, "of each channel in [0, 1]; default: the data set's, ImageNet's");
  config.add("std", &o.std, "the same, standard deviation").above(0, 1e3);
}

void declare(Config& config, TrainOptions& o) {
  declare(config, o.data);
  config.group("Model and loss");
  config.add("model", &o.model, "network").choices(models::model_names());
  config.add("init-weights", &o.init_weights,
             "safetensors file to start from; a head of another shape is replaced");
  config.add("dropout", &o.dropout, "mlp: part of the hidden values that training drops")
      .range(0, 1);
  config.add("loss", &o.loss, "what is minimised").choices(objective_names());
  config.add(
      "loss-option", &o.loss_option,
      "options of the loss itself, name=number,..., and their defaults" + loss_option_help());
  config.add("teacher", &o.teacher, "weights file of the classifier that distillation learns from");
  config.add("rho", &o.rho, "t-*: weight of the KL term").at_least(0);
  config.add("anchor-grad", &o.anchor_grad, "t-*: differentiate through the mean prediction");
  config
      .add("replicas", &o.replicas,
           "t-* and losses of features: augmented replicas of each image in a batch")
      .range(1, 256);
  config.add("cce-replicas", &o.cce_replicas, "the same for losses that pair nothing")
      .range(1, 256);
  config
      .add("sampler", &o.sampler,
           "groups: replicas in whole groups, as many rows in an epoch as without; all: the same, "
           "every image in an epoch, so replicas times the rows; balanced: as groups, every class "
           "equally often; ra: DeiT's and torchvision's RASampler; random: none")
      .choices({"groups", "all", "balanced", "ra", "random"});
  config.add("label-smoothing", &o.label_smoothing, "share of the target spread evenly")
      .range(0, 1);

  config.group("Losses of features");
  config
      .add("phases", &o.phases,
           "auto: such a loss trains the features and then, by cross-entropy, the classifier; "
           "pretrain: only the former; linear: only the latter, on --init-weights")
      .choices({"auto", "pretrain", "linear"});
  config
      .add("projector", &o.projector,
           "network between features and loss; auto: mlp of two layers, for clce none")
      .choices({"auto", "none", "linear", "mlp"});
  config.add("projection-dim", &o.projection_dim, "width of its output").range(1, 1 << 16);
  config
      .add("linear-share", &o.linear_share,
           "part of the steps that train the classifier on frozen features, after the others")
      .range(0.001, 0.999);
  config.add("linear-lr", &o.linear_lr, "peak learning rate of these steps; 0: --lr").range(0, 1e3);
  config
      .add("knn-neighbours", &o.knn_neighbours,
           "features are judged by the classes of this many most similar training images")
      .range(1, 1 << 20);
  config.add("knn-images", &o.knn_images, "training images among which they are; 0: all")
      .at_least(0);

  config.group("Augmentation");
  config.add("flip", &o.flip, "mirror left-right half of the time");
  config.add("crop-padding", &o.crop_padding, "random crop after padding by this many pixels")
      .range(0, 1024);
  config.add("cutout", &o.cutout, "side of the erased square in pixels; 0: none").range(0, 1024);
  config.add("rotate", &o.affine.degrees, "rotation by up to this many degrees").range(0, 180);
  config.add("translate", &o.affine.translate, "shift by up to this part of the image").range(0, 1);
  config.add("scale-low", &o.affine.scale_low, "smallest magnification").above(0, 100);
  config.add("scale-high", &o.affine.scale_high, "largest magnification").above(0, 100);
  config.add("shear", &o.affine.shear, "shear by up to this many degrees").range(0, 80);
  config
      .add("rand-affine", &o.rand_affine,
           "strength of RandAugment's geometric half, two operations an image; 0: none")
      .range(0, 1);
  config
      .add("rrc", &o.rrc,
           "random resized crop, instead of --crop-padding; auto: for images of different sizes")
      .choices({"auto", "on", "off"});
  config.add("rrc-scale-low", &o.rrc_scale_low, "smallest part of the image's area").above(0, 1);
  config.add("rrc-scale-high", &o.rrc_scale_high, "largest part").above(0, 1);
  config.add("jitter", &o.jitter, "random brightness, contrast, saturation, hue: four amounts")
      .range(0, 100);
  config.add("jitter-p", &o.jitter_probability, "that an image is jittered at all").range(0, 1);
  config.add("grayscale", &o.grayscale, "probability that an image loses its colour").range(0, 1);
  config.add("blur", &o.blur, "probability of a Gaussian blur").range(0, 1);
  config.add("solarize", &o.solarize, "probability that bright values turn round").range(0, 1);
  config.add("mix", &o.mix, "CutMix and mixup: d2 per group, d1 per replica, d3 and d4 see docs")
      .choices({"none", "d1", "d2", "d3", "d4"});
  config.add("cutmix-alpha", &o.cutmix_alpha, "Beta parameter of CutMix; 0: no CutMix")
      .range(0, 100);
  config.add("mixup-alpha", &o.mixup_alpha, "Beta parameter of mixup; 0: no mixup").range(0, 100);
  config.add("mix-probability", &o.mix_probability, "that a group (or row) is mixed").range(0, 1);

  config.group("Training");
  config.add("batch", &o.batch, "rows per step: images times replicas").range(1, 1 << 20);
  config.add("epochs", &o.epochs, "length in training sets of images seen").above(0, 1e6);
  config.add("minutes", &o.minutes, "instead of --epochs: time for each run, turned into steps")
      .range(0, 1e6);
  config.add("steps", &o.steps, "instead of --epochs: number of steps").at_least(0);
  config.add("accumulate", &o.accumulate, "micro-batches that a step's batch is split into")
      .range(1, 4096);
  config.add("optimizer", &o.optimizer, "update rule").choices({"sgd", "adam", "adamw"});
  config.add("lr", &o.lr, "peak learning rate").range(0, 1e3);
  config.add("schedule", &o.schedule, "learning rate over the steps")
      .choices({"constant", "multistep", "cosine", "onecycle"});
  config.add("warmup", &o.warmup, "epochs of linear warm-up").range(0, 1e6);
  config.add("milestones", &o.milestones, "multistep: parts of the training after which lr falls")
      .range(0, 1);
  config.add("lr-gamma", &o.lr_gamma, "multistep: the factor by which it falls").above(0, 1);
  config.add("lr-final", &o.lr_final, "cosine: the last rate, as a part of --lr").range(0, 1);
  config.add("momentum", &o.momentum, "of sgd").range(0, 0.9999);
  config.add("nesterov", &o.nesterov, "Nesterov's form of momentum");
  config.add("weight-decay", &o.weight_decay, "L2 decay; decoupled for adamw").range(0, 10);
  config.add("decay-norm-bias", &o.decay_norm_bias, "decay norm parameters and biases too");
  config.add("clip-norm", &o.clip_norm, "largest gradient norm; 0: no clipping").range(0, 1e9);
  config.add("ema", &o.ema, "decay of averaged weights, evaluated beside the others; 0: none")
      .range(0, 0.999999);
  config
      .add("precision", &o.precision,
           "of convolutions and matrix products; weights, statistics and losses stay f32; on the "
           "CPU bf16 is slower")
      .choices({"f32", "bf16"});
  config.add("eval-every", &o.eval_every, "epochs between evaluations").above(0, 1e6);

  config.group("Several runs");
  config.add("compare", &o.compare, "train once for each of these losses and compare them")
      .choices(objective_names());
  config.add("sweep", &o.sweep, "NAME=v1,v2,...: train every run once for each value of an option");
  config.add("seeds", &o.seeds, "train every run once for each seed; the table has the mean")
      .at_least(0);

  config.group("Run");
  config.add("profile", &o.profile, "time per op and layer, printed and in LOSS-profile.csv");
  config.add("seed", &o.seed, "of weights, order and augmentation").at_least(0);
  declare(config, o.compute);
  config.add("cuda-graph", &o.compute.cuda_graph,
             "GPU: a training step is captured once and replayed, where that is possible");
  config.add("data-on-device", &o.compute.data_on_device,
             "GPU: the training set lives and is augmented there, if it takes at most half of the "
             "free memory");
  config.add("threads", &o.threads, "of the computation; 0: all cores").range(0, 4096);
  config.add("workers", &o.workers, "threads that augment; 0: the main one").range(0, 256);
  config.add("save-every", &o.save_every, "epochs between checkpoints; 0: only the last one")
      .range(0, 1e6);
  config.add("save-every-minutes", &o.save_every_minutes, "the same by the clock; 0: off")
      .range(0, 1e6);
  config.add("keep-last", &o.keep_last, "checkpoints that are kept").range(1, 1000);
}

// The rules of losses of features.
static void check_phases(const TrainOptions& o, const std::string& loss) {
  const LossKind kind = loss_kind(loss);
  const auto fail_usage = [](const std::string& text) { throw UsageError(text); };
  if (o.phases == "pretrain" && kind != LossKind::Features)
    fail_usage("loss " + loss + " trains a classifier: nothing to pretrain");
  if (o.phases == "linear" && loss != "cce")
    fail_usage("a linear classifier is trained by cce, not by " + loss);
  if (o.phases == "linear" && o.init_weights.empty())
    fail_usage("linear needs --init-weights with the features to freeze");
  if (o.phases == "linear" && o.ema > 0) fail_usage("ema: frozen features have no average");
  if (kind == LossKind::Logits) return;
  if (o.replicas < 2) fail_usage("loss " + loss + " compares replicas: it needs at least two");
  const int64_t views = kind == LossKind::Features ? losses::pair_loss_views(loss) : 0;
  if (views > 0 && o.replicas != views)
    fail_usage("loss " + loss + " is made for " + std::to_string(views) +
               " views of an image, not for --replicas " + std::to_string(o.replicas));
  if (o.accumulate > 1)
    fail_usage("loss " + loss + " compares all rows of a batch: no --accumulate");
  if (kind == LossKind::Features && o.ema > 0)
    fail_usage("loss " + loss + " has two phases, for which --ema keeps no average");
}

bool samples_groups(const TrainOptions& o) { return o.sampler != "ra" && o.sampler != "random"; }

void check_options(const TrainOptions& o) {
  const auto fail_usage = [](const std::string& text) { throw UsageError(text); };
  std::vector<std::string> names = o.compare.empty() ? std::vector{o.loss} : o.compare;
  loss_options(o.loss_option);
  for (const std::string& name : names) {
    if (!takes_soft_targets(name) && (o.label_smoothing > 0 || o.mix != "none"))
      fail_usage("loss " + name + " takes hard labels: no --label-smoothing and no --mix");
    check_phases(o, name);
    const int replicas = compares_replicas(name) ? o.replicas : o.cce_replicas;
    const char* option = compares_replicas(name) ? "replicas" : "cce-replicas";
    if (o.sampler == "random" && compares_replicas(name))
      fail_usage("sampler random shows an image once, and loss " + name + " compares replicas");
    if (o.sampler == "ra" && replicas > 128) fail_usage("sampler ra repeats up to 128 times");
    if (!samples_groups(o)) {
      if (o.batch % o.accumulate != 0) fail_usage("accumulate does not divide batch");
      continue;
    }
    if (o.batch / o.accumulate % replicas != 0 || o.batch % o.accumulate != 0)
      fail_usage("batch " + std::to_string(o.batch) + " in " + std::to_string(o.accumulate) +
                 " micro-batches cannot hold whole groups of " + option + " " +
                 std::to_string(replicas));
  }
  const auto pupil = std::find_if(names.begin(), names.end(), uses_teacher);
  const bool taught = pupil != names.end();
  if (taught && o.teacher.empty()) fail_usage("loss " + *pupil + " needs a --teacher");
  if (!taught && !o.teacher.empty()) fail_usage("teacher: " + join(names, ", ") + " has none");
  if (o.rrc_scale_low > o.rrc_scale_high) fail_usage("rrc-scale-low is above rrc-scale-high");
  if (!o.jitter.empty() && o.jitter.size() != 4)
    fail_usage("jitter needs four amounts: brightness, contrast, saturation, hue");
  if (o.jitter.size() == 4 && o.jitter[3] > 0.5) fail_usage("the hue of jitter is at most 0.5");
  if (o.dropout > 0 && o.model != "mlp") fail_usage("dropout: " + o.model + " has none; mlp has");
  if (o.affine.scale_low > o.affine.scale_high) fail_usage("scale-low is above scale-high");
  if (o.warmup > 0 && o.schedule == "onecycle")
    fail_usage("warmup does not go with schedule onecycle, which has a warm-up of its own");
  if (o.minutes > 0 && o.steps > 0) fail_usage("minutes and steps exclude each other");
  if (o.mix != "none" && o.cutmix_alpha == 0 && o.mixup_alpha == 0)
    fail_usage("mix " + o.mix + " needs cutmix-alpha or mixup-alpha above 0");
  if (o.nesterov && o.momentum == 0) fail_usage("nesterov needs momentum above 0");
}

void check_loss_options(const TrainOptions& o, const std::vector<std::string>& names) {
  for (const auto& [option, value] : loss_options(o.loss_option)) {
    std::string known;
    bool found = false;
    for (const std::string& loss : names) {
      found |= has_loss_option(loss, option);
      for (const auto& own : objective_options(loss))
        known += (known.empty() ? "" : ", ") + own.name;
    }
    if (found) continue;
    throw UsageError("loss-option " + option + ": " + join(names, ", ") +
                     (known.empty() ? " has no options" : " has " + known));
  }
}

void check_loss_values(const TrainOptions& o) {
  try {
    Objective(o.loss, loss_config(o, o.loss)).check_values();
  } catch (const Error& error) {
    throw UsageError("loss " + o.loss + " does not take these options: " + error.what());
  }
}

bool has_loss_option(const std::string& loss, const std::string& name) {
  const auto options = objective_options(loss);
  return std::any_of(options.begin(), options.end(),
                     [&](const losses::LossOption& option) { return option.name == name; });
}

double set_loss_option(TrainOptions& o, const std::string& name, const std::string& value) {
  std::erase_if(o.loss_option,
                [&](const std::string& text) { return text.rfind(name + "=", 0) == 0; });
  o.loss_option.push_back(name + "=" + value);
  return loss_options({o.loss_option.back()}).at(name);
}

data::AugmentOptions augment_options(const TrainOptions& o) {
  data::AugmentOptions out{
      .crop_padding = o.crop_padding, .flip = o.flip, .affine = o.affine, .cutout = o.cutout};
  out.random_resized_crop = o.rrc == "on";
  out.resized_crop = {.scale_low = o.rrc_scale_low, .scale_high = o.rrc_scale_high};
  if (o.jitter.size() == 4)
    out.jitter = {o.jitter[0], o.jitter[1], o.jitter[2], o.jitter[3], o.jitter_probability};
  out.grayscale = o.grayscale;
  out.blur = o.blur;
  out.solarize = o.solarize;
  out.rand_affine = o.rand_affine;
  return out;
}

std::shared_ptr<const data::Augment> make_augment(const TrainOptions& options,
                                                  const data::ImageDataset& dataset) {
  data::AugmentOptions out = augment_options(options);
  if (options.rrc == "auto") out.random_resized_crop = !dataset.in_memory();
  if (out.random_resized_crop) out.crop_padding = 0;
  return data::train_augment(out, dataset);
}

models::Projector projector(const TrainOptions& o, const std::string& loss) {
  if (loss_kind(loss) == LossKind::Logits) return models::Projector::None;
  if (o.projector == "auto")
    return loss == "clce" ? models::Projector::None : models::Projector::Mlp;
  return models::projector(o.projector);
}

data::MixOptions mix_options(const TrainOptions& o) {
  if (o.mix == "none") return {};
  return {.cutmix_alpha = o.cutmix_alpha,
          .mixup_alpha = o.mixup_alpha,
          .probability = o.mix_probability,
          .mode = o.mix == "d2" ? data::MixMode::PerGroup : data::MixMode::PerReplica};
}

losses::LossConfig loss_config(const TrainOptions& o, const std::string& loss) {
  std::map<std::string, double> own = loss_options(o.loss_option);
  std::erase_if(own, [&](const auto& option) { return !has_loss_option(loss, option.first); });
  return {.label_smoothing = o.label_smoothing,
          .rho = o.rho,
          .anchor_grad = o.anchor_grad,
          .mixing = losses::group_mixing(o.mix == "none" ? "d2" : o.mix),
          .options = own};
}

}  // namespace ditto::apps
