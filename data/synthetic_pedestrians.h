// Generated street scenes with pedestrians and their masks, for tests, pictures in the docs, and
// first experiments without a download.
//
// A scene is drawn from (seed, index) alone, by plain shapes: sky, houses with windows, a street
// with kerbs, and people of a head, a coat, arms and legs who may stand in front of each other.
// Masks show what is seen of each, as in Penn-Fudan.
#pragma once

#include "data/instance_dataset.h"

namespace ditto::data {

struct PedestrianOptions {
  int64_t images = 100;
  int width = 320, height = 240;  // at least 64 a side; real scenes vary by up to a fifth below it
  int most = 5;                   // people in a scene, at least 1
  uint64_t seed = 0;
};

// Throws "[pedestrians] ..." on options out of range.
InstanceDataset synthetic_pedestrians(const PedestrianOptions& options = {});

}  // namespace ditto::data
