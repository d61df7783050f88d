#include <algorithm>
#include <limits>

#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

int CheckShape(const char* operation, int rows, int positions, int width, int vocabulary) {
  if (rows >= 0 && positions >= 1 && width >= 1 && vocabulary >= 1) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: [%d,%d,%d] of %d tokens must be at least [0,1,1] of 1",
                     operation, rows, positions, width, vocabulary);
}

// -1 for what is no token.
int TokenAt(const float* token, int vocabulary) {
  return *token >= 0.0f && *token < static_cast<float>(vocabulary) ? static_cast<int>(*token) : -1;
}

void AddRow(size_t width, const float* x, float* y) {
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t c = 0; c < width; ++c) y[c] += x[c];
  });
}

int Embed(BackendDevice*, int rows, int positions, int width, int vocabulary, const float* tokens,
          const float* table, const float* position_table, float* y) {
  if (const int code = CheckShape("embed", rows, positions, width, vocabulary)) return code;
  const size_t w = width;
  for (size_t i = 0; i < static_cast<size_t>(rows) * positions; ++i) {
    const int token = TokenAt(tokens + i, vocabulary);
    float* const out = y + i * w;
    if (token < 0) {
      std::fill_n(out, w, std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    std::copy_n(table + token * w, w, out);
    AddRow(w, position_table + i % positions * w, out);
  }
  return kBackendOk;
}

int EmbedBackward(BackendDevice*, int rows, int positions, int width, int vocabulary, int add,
                  const float* tokens, const float* dy, float* dtable, float* dposition_table) {
  if (const int code = CheckShape("embed_backward", rows, positions, width, vocabulary)) return code;
  const size_t w = width;
  if (!add) {
    std::fill_n(dtable, vocabulary * w, 0.0f);
    std::fill_n(dposition_table, positions * w, 0.0f);
  }
  for (size_t i = 0; i < static_cast<size_t>(rows) * positions; ++i) {
    const int token = TokenAt(tokens + i, vocabulary);
    if (token < 0) continue;
    AddRow(w, dy + i * w, dtable + token * w);
    AddRow(w, dy + i * w, dposition_table + i % positions * w);
  }
  return kBackendOk;
}

}  // namespace

void AddEmbedding(Backend* table) {
  table->embed = Embed;
  table->embed_backward = EmbedBackward;
}

}  // namespace syncline
