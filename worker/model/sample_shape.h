#ifndef SYNCLINE_WORKER_MODEL_SAMPLE_SHAPE_H_
#define SYNCLINE_WORKER_MODEL_SAMPLE_SHAPE_H_

#include "proto/job.pb.h"

namespace syncline {

// A sample between two layers: so many positions (1 unless the model begins with an embedding) of so many units.
struct SampleShape {
  int positions = 1;
  int width = 0;
  int units() const { return positions * width; }
};

// What comes out of a layer that gets `shape`.
inline SampleShape ShapeAfter(const Layer& layer, SampleShape shape) {
  if (layer.has_linear()) shape.width = static_cast<int>(layer.linear().units());
  // The positions were the features so far.
  if (layer.has_embedding()) shape = {shape.width, static_cast<int>(layer.embedding().units())};
  return shape;
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_SAMPLE_SHAPE_H_
