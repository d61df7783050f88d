#include "worker/backend/reference/reference_backend.h"

#include <cmath>
#include <vector>

#include "worker/backend/counter_random.h"
#include "worker/backend/host_device.h"
#include "worker/backend/reference/reference_vectors.h"

namespace syncline {
namespace {

int Gemm(BackendDevice*, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
         const float* a, const float* b, float beta, float* c) {
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0.0;
      for (int p = 0; p < k; ++p) {
        sum += static_cast<double>(transpose_a ? a[p * m + i] : a[i * k + p]) *
               (transpose_b ? b[j * k + p] : b[p * n + j]);
      }
      c[i * n + j] = static_cast<float>(alpha * sum + (beta == 0.0f ? 0.0 : beta * c[i * n + j]));
    }
  }
  return kBackendOk;
}

double GeluTanh(double x) {
  return std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x));
}

double Activate(int activation, double x) {
  switch (activation) {
    case kRelu:
      return x < 0.0 ? 0.0 : x;
    case kGelu:
      return 0.5 * x * (1.0 + GeluTanh(x));
    case kTanh:
      return std::tanh(x);
    case kSigmoid:
      return 1.0 / (1.0 + std::exp(-x));
    default:
      return x;
  }
}

double Slope(int activation, double x, double y) {
  switch (activation) {
    case kRelu:
      return y > 0.0 ? 1.0 : 0.0;
    case kGelu: {
      const double t = GeluTanh(x);
      const double inner = std::sqrt(2.0 / std::acos(-1.0)) * (1.0 + 3.0 * 0.044715 * x * x);
      return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
    }
    case kTanh:
      return 1.0 - y * y;
    case kSigmoid:
      return y * (1.0 - y);
    default:
      return 1.0;
  }
}

int BiasActivation(BackendDevice*, int activation, int rows, int cols, const float* bias, float* x,
                   float* y) {
  for (int i = 0; i < rows * cols; ++i) {
    if (bias != nullptr) x[i] += bias[i % cols];
    y[i] = static_cast<float>(Activate(activation, x[i]));
  }
  return kBackendOk;
}

int ActivationBackward(BackendDevice*, int activation, size_t n, const float* x, const float* y,
                       const float* dy, float* dx) {
  for (size_t i = 0; i < n; ++i) {
    dx[i] = static_cast<float>(
        dy[i] * Slope(activation, x == nullptr ? 0.0 : x[i], y == nullptr ? 0.0 : y[i]));
  }
  return kBackendOk;
}

int ColumnSum(BackendDevice*, int rows, int cols, int add, const float* x, float* sum) {
  for (int c = 0; c < cols; ++c) {
    double total = add ? sum[c] : 0.0;
    for (int r = 0; r < rows; ++r) total += x[r * cols + c];
    sum[c] = static_cast<float>(total);
  }
  return kBackendOk;
}

int Dropout(BackendDevice*, size_t n, float rate, uint64_t seed, uint64_t offset, const float* x,
            float* y) {
  for (size_t i = 0; i < n; ++i) {
    const bool dropped = Dropped(seed, offset + i, DropoutThreshold(rate));
    y[i] = dropped ? 0.0f : static_cast<float>(x[i] / (1.0 - rate));
  }
  return kBackendOk;
}

int LayerNormForward(BackendDevice*, int rows, int cols, float epsilon, const float* x,
                     const float* gamma, const float* beta, float* y, float* mean, float* rstd) {
  for (int r = 0; r < rows; ++r) {
    double sum = 0.0, squares = 0.0;
    for (int c = 0; c < cols; ++c) sum += x[r * cols + c];
    const double average = sum / cols;
    for (int c = 0; c < cols; ++c) squares += std::pow(x[r * cols + c] - average, 2);
    const double scale = 1.0 / std::sqrt(squares / cols + epsilon);
    for (int c = 0; c < cols; ++c) {
      y[r * cols + c] =
          static_cast<float>((x[r * cols + c] - average) * scale * gamma[c] + beta[c]);
    }
    mean[r] = static_cast<float>(average);
    rstd[r] = static_cast<float>(scale);
  }
  return kBackendOk;
}

int LayerNormBackward(BackendDevice*, int rows, int cols, int add, const float* x,
                      const float* gamma, const float* mean, const float* rstd, const float* dy, float* dx,
                      float* dgamma, float* dbeta) {
  const auto normal = [=](int r, int c) {
    return (static_cast<double>(x[r * cols + c]) - mean[r]) * rstd[r];
  };
  for (int c = 0; c < cols; ++c) {
    double scale = add ? dgamma[c] : 0.0, shift = add ? dbeta[c] : 0.0;
    for (int r = 0; r < rows; ++r) {
      scale += dy[r * cols + c] * normal(r, c);
      shift += dy[r * cols + c];
    }
    dgamma[c] = static_cast<float>(scale);
    dbeta[c] = static_cast<float>(shift);
  }
  for (int r = 0; dx != nullptr && r < rows; ++r) {
    double sum = 0.0, product = 0.0;
    for (int c = 0; c < cols; ++c) {
      const double g = static_cast<double>(dy[r * cols + c]) * gamma[c];
      sum += g / cols;
      product += g * normal(r, c) / cols;
    }
    for (int c = 0; c < cols; ++c) {
      const double g = static_cast<double>(dy[r * cols + c]) * gamma[c];
      dx[r * cols + c] = static_cast<float>(rstd[r] * (g - sum - normal(r, c) * product));
    }
  }
  return kBackendOk;
}

int SoftmaxCrossEntropy(BackendDevice*, int rows, int classes, const float* logits,
                        const int32_t* labels, float scale, float* loss_sum, float* gradient) {
  double loss = 0.0;
  for (int r = 0; r < rows; ++r) {
    const float* row = logits + r * classes;
    const bool valid = labels[r] >= 0 && labels[r] < classes;
    double max = row[0], sum = 0.0;
    for (int c = 0; c < classes; ++c) max = std::fmax(max, row[c]);
    for (int c = 0; c < classes; ++c) sum += std::exp(row[c] - max);
    loss += valid ? std::log(sum) + max - row[labels[r]] : std::nan("");
    for (int c = 0; gradient != nullptr && c < classes; ++c) {
      const double share = std::exp(row[c] - max) / sum - (c == labels[r] ? 1.0 : 0.0);
      gradient[r * classes + c] = static_cast<float>(valid ? scale * share : std::nan(""));
    }
  }
  *loss_sum = static_cast<float>(loss);
  return kBackendOk;
}

int MeanSquaredError(BackendDevice*, int rows, int cols, const float* y, const float* target,
                     float scale, float* loss_sum, float* gradient) {
  double loss = 0.0;
  for (int i = 0; i < rows * cols; ++i) {
    const double difference = static_cast<double>(y[i]) - target[i];
    loss += difference * difference / cols;
    if (gradient != nullptr) gradient[i] = static_cast<float>(2.0 * scale / cols * difference);
  }
  *loss_sum = static_cast<float>(loss);
  return kBackendOk;
}

int LogisticLoss(BackendDevice*, int rows, const float* logits, const float* target, float scale,
                 float* loss_sum, float* gradient) {
  double loss = 0.0;
  for (int r = 0; r < rows; ++r) {
    const double x = target[r] > 0.5f ? logits[r] : -logits[r];
    loss += x > 0.0 ? std::log1p(std::exp(-x)) : std::log1p(std::exp(x)) - x;
    const double probability = 1.0 / (1.0 + std::exp(-static_cast<double>(logits[r])));
    if (gradient != nullptr) gradient[r] = static_cast<float>(scale * (probability - target[r]));
  }
  *loss_sum = static_cast<float>(loss);
  return kBackendOk;
}

int CountCorrect(BackendDevice*, int rows, int classes, const float* logits, const int32_t* labels,
                 int32_t* correct) {
  *correct = 0;
  for (int r = 0; r < rows; ++r) {
    bool right = labels[r] >= 0 && labels[r] < classes;
    for (int c = 0; right && c < classes; ++c) {
      const float mine = logits[r * classes + labels[r]];
      const float other = logits[r * classes + c];
      right = c < labels[r] ? other < mine : other <= mine;
    }
    *correct += right ? 1 : 0;
  }
  return kBackendOk;
}

int CountCorrectLogistic(BackendDevice*, int rows, const float* logits, const float* target,
                         int32_t* correct) {
  *correct = 0;
  for (int r = 0; r < rows; ++r) *correct += (logits[r] > 0.0f ? 1.0f : 0.0f) == target[r];
  return kBackendOk;
}

template <typename T>
int Gather(BackendDevice*, int rows, int cols, const T* source, const int64_t* indices, float mean,
           float std, float* out) {
  const double unit = sizeof(T) == 1 ? 255.0 : 1.0;
  for (int i = 0; i < rows * cols; ++i) {
    out[i] = static_cast<float>((source[indices[i / cols] * cols + i % cols] / unit - mean) / std);
  }
  return kBackendOk;
}

int GatherInt32(BackendDevice*, int rows, const int32_t* source, const int64_t* indices,
                int32_t* out) {
  for (int r = 0; r < rows; ++r) out[r] = source[indices[r]];
  return kBackendOk;
}

int Add(BackendDevice*, size_t n, const float* x, float* y) {
  for (size_t i = 0; i < n; ++i) y[i] += x[i];
  return kBackendOk;
}

int TokenAt(const float* tokens, int i, int vocabulary) {
  return tokens[i] >= 0 && tokens[i] < static_cast<float>(vocabulary) ? static_cast<int>(tokens[i]) : -1;
}

int Embed(BackendDevice*, int rows, int positions, int width, int vocabulary, const float* tokens,
          const float* table, const float* position_table, float* y) {
  for (int i = 0; i < rows * positions * width; ++i) {
    const int at = i / width, c = i % width;
    const int token = TokenAt(tokens, at, vocabulary);
    y[i] = token < 0 ? static_cast<float>(std::nan(""))
                     : table[token * width + c] + position_table[at % positions * width + c];
  }
  return kBackendOk;
}

int EmbedBackward(BackendDevice*, int rows, int positions, int width, int vocabulary, int add,
                  const float* tokens, const float* dy, float* dtable, float* dposition_table) {
  for (int token = 0; token < vocabulary; ++token) {
    for (int c = 0; c < width; ++c) {
      double sum = add ? dtable[token * width + c] : 0.0;
      for (int at = 0; at < rows * positions; ++at) {
        if (TokenAt(tokens, at, vocabulary) == token) sum += dy[at * width + c];
      }
      dtable[token * width + c] = static_cast<float>(sum);
    }
  }
  for (int i = 0; i < positions * width; ++i) {
    double sum = add ? dposition_table[i] : 0.0;
    for (int r = 0; r < rows; ++r) {
      const int at = r * positions + i / width;
      if (TokenAt(tokens, at, vocabulary) >= 0) sum += dy[at * width + i % width];
    }
    dposition_table[i] = static_cast<float>(sum);
  }
  return kBackendOk;
}

// Head by head: element (t, c) of the queries, keys or values of a row.
struct Heads {
  const int positions, heads, width;
  int At(int r, int h, int t, int c, int which) const {
    return (r * positions + t) * 3 * width + which * width + h * (width / heads) + c;
  }
  int Out(int r, int h, int t, int c) const { return (r * positions + t) * width + h * (width / heads) + c; }
  int Weight(int r, int h, int t, int s) const { return ((r * heads + h) * positions + t) * positions + s; }
};

int Attention(BackendDevice*, int rows, int positions, int heads, int width, const float* qkv,
              float* weights, float* y) {
  const Heads at{positions, heads, width};
  const int d = width / heads;
  for (int r = 0; r < rows; ++r) {
    for (int h = 0; h < heads; ++h) {
      for (int t = 0; t < positions; ++t) {
        std::vector<double> e(positions);
        double sum = 0.0;
        for (int s = 0; s <= t; ++s) {
          double product = 0.0;
          for (int c = 0; c < d; ++c) {
            product += static_cast<double>(qkv[at.At(r, h, t, c, 0)]) * qkv[at.At(r, h, s, c, 1)];
          }
          e[s] = std::exp(product / std::sqrt(d));
          sum += e[s];
        }
        for (int s = 0; s < positions; ++s) weights[at.Weight(r, h, t, s)] = static_cast<float>(e[s] / sum);
        for (int c = 0; c < d; ++c) {
          double value = 0.0;
          for (int s = 0; s <= t; ++s) value += e[s] / sum * qkv[at.At(r, h, s, c, 2)];
          y[at.Out(r, h, t, c)] = static_cast<float>(value);
        }
      }
    }
  }
  return kBackendOk;
}

int AttentionBackward(BackendDevice*, int rows, int positions, int heads, int width, const float* qkv,
                      const float* weights, const float* dy, float* scratch, float* dqkv) {
  const Heads at{positions, heads, width};
  const int d = width / heads;
  for (int r = 0; r < rows; ++r) {
    for (int h = 0; h < heads; ++h) {
      for (int t = 0; t < positions; ++t) {
        std::vector<double> slope(positions);
        double sum = 0.0;
        for (int s = 0; s <= t; ++s) {
          for (int c = 0; c < d; ++c) {
            slope[s] += static_cast<double>(dy[at.Out(r, h, t, c)]) * qkv[at.At(r, h, s, c, 2)];
          }
          sum += weights[at.Weight(r, h, t, s)] * slope[s];
        }
        for (int s = 0; s < positions; ++s) {
          scratch[at.Weight(r, h, t, s)] =
              static_cast<float>(weights[at.Weight(r, h, t, s)] * (slope[s] - sum) / std::sqrt(d));
        }
      }
      for (int t = 0; t < positions; ++t) {
        for (int c = 0; c < d; ++c) {
          double dq = 0.0, dk = 0.0, dv = 0.0;
          for (int s = 0; s < positions; ++s) {
            dq += static_cast<double>(scratch[at.Weight(r, h, t, s)]) * qkv[at.At(r, h, s, c, 1)];
            dk += static_cast<double>(scratch[at.Weight(r, h, s, t)]) * qkv[at.At(r, h, s, c, 0)];
            dv += static_cast<double>(weights[at.Weight(r, h, s, t)]) * dy[at.Out(r, h, s, c)];
          }
          dqkv[at.At(r, h, t, c, 0)] = static_cast<float>(dq);
          dqkv[at.At(r, h, t, c, 1)] = static_cast<float>(dk);
          dqkv[at.At(r, h, t, c, 2)] = static_cast<float>(dv);
        }
      }
    }
  }
  return kBackendOk;
}

Backend MakeTable() {
  Backend table = HostBackend();
  table.name = "reference";
  table.gemm = Gemm;
  table.bias_activation = BiasActivation;
  table.activation_backward = ActivationBackward;
  table.column_sum = ColumnSum;
  table.add = Add;
  table.embed = Embed;
  table.embed_backward = EmbedBackward;
  table.attention = Attention;
  table.attention_backward = AttentionBackward;
  table.dropout = Dropout;
  table.layer_norm = LayerNormForward;
  table.layer_norm_backward = LayerNormBackward;
  table.softmax_cross_entropy = SoftmaxCrossEntropy;
  table.mean_squared_error = MeanSquaredError;
  table.logistic_loss = LogisticLoss;
  table.count_correct = CountCorrect;
  table.count_correct_logistic = CountCorrectLogistic;
  table.gather_uint8 = Gather<uint8_t>;
  table.gather_float = Gather<float>;
  table.gather_int32 = GatherInt32;
  AddReferenceVectors(&table);
  return table;
}

}  // namespace

const Backend* ReferenceBackend() {
  static const Backend table = MakeTable();
  return &table;
}

}  // namespace syncline
