// train_cifar: trains and evaluates image classifiers on CIFAR-10/100, FashionMNIST, MNIST and
// folders of images.
//
//   train_cifar --dataset cifar-10 --compare cce,t-cce --epochs 10
//   train_cifar pretrain --dataset cifar-10 --loss supcon
//   train_cifar linear --dataset cifar-10 --init-weights runs/.../supcon.safetensors
//   train_cifar eval --weights runs/.../cce.safetensors --tta mirror --report evaluation
//   train_cifar predict --weights runs/.../cce.safetensors --input photographs --top 5
//   train_cifar show-data --dataset cifar-10 --replicas 3
//   train_cifar check-data --dataset folder --data-root photographs
#include "apps/classification/eval_command.h"
#include "apps/classification/predict_command.h"
#include "apps/classification/train_command.h"
#include "apps/data_tools/commands.h"

int main(int argc, char** argv) {
  using namespace ditto::apps;
  TrainCommand train, pretrain("pretrain"), linear("linear");
  EvalCommand eval;
  PredictCommand predict;
  ShowImagesCommand show;
  CheckImagesCommand check;
  CommandLine app(
      "train_cifar",
      "Trains image classifiers on CIFAR-10, CIFAR-100, FashionMNIST, MNIST and folders "
      "of images.");
  app.add(
      "train", "train, evaluate and write a report (the default)",
      [&](Config& config) { train.declare(config); },
      [&](const Invocation& invocation) { train.run(invocation); });
  app.add(
      "pretrain", "train features by a loss of embeddings, without a classifier",
      [&](Config& config) { pretrain.declare(config); },
      [&](const Invocation& invocation) { pretrain.run(invocation); });
  app.add(
      "linear", "train a linear classifier on the frozen features of --init-weights",
      [&](Config& config) { linear.declare(config); },
      [&](const Invocation& invocation) { linear.run(invocation); });
  app.add(
      "eval", "evaluate weights on the test set", [&](Config& config) { eval.declare(config); },
      [&](const Invocation& invocation) { eval.run(invocation); });
  app.add(
      "predict", "classify the JPEG and PNG files of a folder",
      [&](Config& config) { predict.declare(config); },
      [&](const Invocation& invocation) { predict.run(invocation); });
  app.add(
      "show-data", "a picture of augmented images, and of their way back",
      [&](Config& config) { show.declare(config); },
      [&](const Invocation& invocation) { show.run(invocation); });
  app.add(
      "check-data", "look for damaged, empty and repeated images",
      [&](Config& config) { check.declare(config); },
      [&](const Invocation& invocation) { check.run(invocation); });
  return app.run(argc, argv);
}
