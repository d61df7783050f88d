#ifndef SYNCLINE_SERVER_STORE_UPDATE_SETTINGS_H_
#define SYNCLINE_SERVER_STORE_UPDATE_SETTINGS_H_

namespace syncline {

// What an update does besides its rule. The gradient is scaled first, then clamped.
struct UpdateSettings {
  double learning_rate = 0;
  // Clipping by global norm: limit / norm where the norm is above the limit, else 1.
  float gradient_scale = 1;
  // Clamps each element to [-clip_value, clip_value]; 0: off.
  float clip_value = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_UPDATE_SETTINGS_H_
