// train_pennfudan: detection of pedestrians. So far its tools for data sets of images with objects;
// the detector's training joins them.
//
//   train_pennfudan check-data --data-root PennFudanPed
//   train_pennfudan show-data --images 4 --replicas 3
//   train_pennfudan show-data --dataset synthetic
#include "apps/data_tools/commands.h"

int main(int argc, char** argv) {
  using namespace ditto::apps;
  CheckInstancesCommand check;
  ShowInstancesCommand show;
  CommandLine app("train_pennfudan", "Looks at Penn-Fudan and at generated pedestrians.");
  app.add(
      "check-data", "look for wrong annotations and damaged images (the default)",
      [&](Config& config) { check.declare(config); },
      [&](const Invocation& invocation) { check.run(invocation); });
  app.add(
      "show-data", "a picture of augmented images with their objects, and of their way back",
      [&](Config& config) { show.declare(config); },
      [&](const Invocation& invocation) { show.run(invocation); });
  return app.run(argc, argv);
}
