#ifndef SYNCLINE_SERVER_STORE_ROW_MODEL_H_
#define SYNCLINE_SERVER_STORE_ROW_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "common/optimizer/row_rule.h"
#include "server/store/row_format.h"
#include "server/store/initial_rows.h"

namespace syncline {

// What a RowSlot should be: a map of rows, each in arrays by itself. For tests.
class RowModel {
 public:
  struct Row {
    std::vector<float> weights;
    std::vector<std::vector<float>> state;
    uint32_t changed = 0;
  };

  RowModel(const RowRule* rule, const RowFormat* format, const InitialRows& initializer)
      : rule_(rule), format_(format), initializer_(initializer), dim_(format->dim()) {}

  void Update(const std::map<uint64_t, std::vector<float>>& gradients, float rate) {
    for (const auto& [key, gradient] : gradients) {
      Row& row = rows_.try_emplace(key, NewRow(key)).first->second;
      uint32_t passed = row.changed == 0 ? 0 : version_ - row.changed;
      RowArrays arrays{1, dim_, gradient.data(), row.weights.data(), {}, &passed};
      for (size_t k = 0; k < row.state.size(); ++k) arrays.state[k] = row.state[k].data();
      if (rule_->catches_up()) rule_->CatchUp(version_, arrays);
      rule_->Apply({version_ + 1, rate}, arrays);
      row.changed = static_cast<uint32_t>(version_ + 1);
      Round(key, ++updates_[key], &row.weights);
    }
    ++version_;
  }
  std::vector<float> Read(uint64_t key) const {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return NewRow(key).weights;
    Row row = found->second;
    const uint32_t passed = version_ - row.changed;
    RowArrays arrays{1, dim_, nullptr, row.weights.data(), {}, &passed};
    for (size_t k = 0; k < row.state.size(); ++k) arrays.state[k] = row.state[k].data();
    if (rule_->catches_up()) rule_->CatchUp(version_, arrays);
    return row.weights;
  }
  void Erase(uint64_t key) {
    rows_.erase(key);
    updates_.erase(key);
  }
  size_t size() const { return rows_.size(); }

 private:
  Row NewRow(uint64_t key) const {
    Row row{std::vector<float>(dim_), {}, 0};
    initializer_.Fill(key, dim_, row.weights.data());
    for (int k = 0; k < rule_->state_arrays(); ++k) {
      row.state.emplace_back(rule_->state_width(k, dim_), rule_->initial_state(k));
    }
    return row;
  }
  // As storing does.
  void Round(uint64_t key, uint32_t updates, std::vector<float>* weights) const {
    std::vector<char> row(format_->stride());
    RowFormat::SetKey(key, row.data());
    RowFormat::SetUpdates(updates, row.data());
    format_->WriteWeights(weights->data(), row.data());
    format_->ReadWeights(row.data(), weights->data());
  }

  const RowRule* const rule_;
  const RowFormat* const format_;
  const InitialRows initializer_;
  const size_t dim_;
  uint64_t version_ = 0;
  std::map<uint64_t, Row> rows_;
  std::map<uint64_t, uint32_t> updates_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_MODEL_H_
