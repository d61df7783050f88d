#include "worker/client/tensor_requests.h"

#include <algorithm>
#include <utility>

#include "common/tensor/fragments.h"
#include "common/wire/message.h"

namespace syncline {

TensorRequests::TensorRequests(const Sender& sender, const std::vector<ChunkInfo>& chunks,
                               const std::vector<TensorCodecs>& codecs, uint64_t seed,
                               const ChunkVersions* versions, const HeldWeights* held)
    : sender_(sender),
      chunks_(chunks),
      codecs_(codecs),
      versions_(versions),
      held_(held),
      encoder_(codecs, chunks, seed, sender.rank()) {}

Sender TensorRequests::SenderBy(const Router::Group& group) const {
  Sender sender = sender_;
  sender.set_map_epoch(group.map_epoch);
  return sender;
}

template <typename T>
std::vector<LocalLink::Chunk> TensorRequests::ChunksOf(const Router::Group& group,
                                                       absl::Span<T* const> tensors) const {
  std::vector<Chunk> chunks;
  for (const uint32_t id : group.chunks) {
    const ChunkInfo& info = chunks_[id];
    if (info.rows) {
      chunks.push_back({nullptr, 0});
      continue;
    }
    chunks.push_back({tensors[info.tensor] + info.begin, info.elements * sizeof(float)});
  }
  return chunks;
}

PushRequest TensorRequests::Head(Clock clock, const Router::Group& group) const {
  PushRequest head;
  *head.mutable_header()->mutable_sender() = SenderBy(group);
  head.mutable_header()->set_clock(clock);
  return head;
}

std::vector<TensorRequests::SlotOf> TensorRequests::SlotsOf(
    absl::Span<const std::shared_ptr<const SlotRows>> rows, const Router::Group& group) const {
  std::vector<SlotOf> slots;
  for (const uint32_t id : group.chunks) {
    const ChunkInfo& info = chunks_[id];
    if (info.rows) slots.push_back({rows[info.tensor], static_cast<uint32_t>(info.begin)});
  }
  return slots;
}

bool TensorRequests::PlaceRows(const std::vector<SlotOf>& slots, const LocalLink& link,
                               google::protobuf::RepeatedPtrField<LentRows>* places) {
  const SlotRows* table = nullptr;  // whose memory was found last
  std::optional<LocalLink::Places> own, to;
  for (const auto& [rows, slot] : slots) {
    LentRows* const place = places->Add();
    place->set_count(static_cast<uint32_t>(rows->count(slot)));
    if (place->count() == 0) continue;
    if (rows.get() != table) {
      table = rows.get();
      own = link.Find({{{rows->memory().data(), rows->memory().size()}}});
      to = rows->to() == nullptr ? own : link.Find({{{rows->to(), rows->count() * rows->dim() * sizeof(float)}}});
      if (!own || !to) return false;
    }
    place->set_segment(own->segment);
    place->set_keys(own->offsets[0] + rows->keys_at(slot));
    place->set_data_segment(to->segment);
    if (rows->to() == nullptr) {
      place->set_data(own->offsets[0] + rows->gradients_at(slot));
      continue;
    }
    place->set_data(to->offsets[0]);
    place->set_places(own->offsets[0] + rows->places_at(slot));
    place->set_room(rows->count());
  }
  return true;
}

TensorRequests::Gradients TensorRequests::GradientsOf(const PushFrom& push,
                                                      const Router::Group& group) {
  Gradients gradients;
  gradients.from = ChunksOf<const float>(group, push.tensors);
  gradients.chunks.resize(group.chunks.size());
  gradients.rows = SlotsOf(push.rows, group);
  for (size_t i = 0; i < group.chunks.size(); ++i) {
    WireChunk& chunk = gradients.chunks[i];
    chunk.chunk = group.chunks[i];
    chunk.version = (*versions_)[chunk.chunk];
    chunk.codec = encoder_.codec(chunk.chunk);
    gradients.coded = gradients.coded || chunk.codec > CODEC_NONE;
    if (!gradients.rows.empty() || !encoder_.remembers(chunk.chunk)) continue;
    const auto* const gradient = static_cast<const float*>(gradients.from[i].data);
    chunk.data = encoder_.Encode(chunk.chunk, push.clock, gradient);
  }
  return gradients;
}

std::optional<std::vector<WireChunk>> TensorRequests::Place(
    const Gradients& gradients, const std::shared_ptr<const void>& owner, const LocalLink* link,
    PushHeader* header) {
  std::vector<WireChunk> sent = gradients.chunks;
  if (sent.empty()) return sent;
  if (link != nullptr && !gradients.rows.empty()) {
    if (gradients.coded || !PlaceRows(gradients.rows, *link, header->mutable_rows())) return std::nullopt;
    return sent;
  }
  if (link != nullptr) {
    const auto places = !gradients.coded ? link->Find(gradients.from) : std::nullopt;
    if (!places) return std::nullopt;
    header->set_segment(places->segment);
    for (size_t i = 0; i < sent.size(); ++i) sent[i].offset = places->offsets[i];
    return sent;
  }
  for (size_t i = 0; i < gradients.rows.size(); ++i) {
    const SlotOf& slot = gradients.rows[i];
    const auto packed = std::make_shared<const std::string>(slot.rows->PackedKeys(slot.slot));
    sent[i].keys = Fragments::Of(packed->data(), packed->size(), packed);
    sent[i].data = slot.rows->Gradients(slot.slot);
    if (sent[i].codec <= CODEC_NONE || sent[i].data.empty()) continue;
    const auto* const floats = reinterpret_cast<const float*>(sent[i].data.pieces()[0].data);
    sent[i].data = encoder_.EncodeRows(sent[i].chunk, header->clock(), floats, slot.rows->count(slot.slot),
                                       slot.rows->dim());
  }
  if (!gradients.rows.empty()) return sent;
  for (size_t i = 0; i < sent.size(); ++i) {
    if (!sent[i].data.empty()) continue;
    const Chunk& from = gradients.from[i];
    if (sent[i].codec <= CODEC_NONE) {
      sent[i].data = Fragments::Of(from.data, from.bytes, owner);
    } else {
      const auto* const gradient = static_cast<const float*>(from.data);
      sent[i].data = encoder_.Encode(sent[i].chunk, header->clock(), gradient);
    }
  }
  return sent;
}

TensorRequests::Weights TensorRequests::WeightsOf(const PullTo& pull,
                                                  const Router::Group& group) const {
  Weights weights;
  weights.to = ChunksOf<float>(group, pull.tensors);
  PullRequest& request = weights.request;
  request.set_clock(pull.clock);
  request.set_observer(pull.observer);
  request.set_copies(group.copies);
  request.set_with_state(pull.with_state);
  request.mutable_chunks()->Assign(group.chunks.begin(), group.chunks.end());
  const auto codec = [this](uint32_t id) { return codecs_[chunks_[id].tensor].pull; };
  if (std::any_of(group.chunks.begin(), group.chunks.end(),
                  [&](uint32_t id) { return codec(id) > CODEC_NONE; })) {
    for (const uint32_t id : group.chunks) request.add_codecs(codec(id));
  }
  weights.rows = SlotsOf(pull.rows, group);
  for (size_t i = 0; pull.untouched && i < group.chunks.size(); ++i) {
    const HeldWeights::Held held = held_->At(group.chunks[i], weights.to[i].data);
    if (held.place != nullptr && request.life() == 0) request.set_life(held.life);
    const bool known = held.place != nullptr && held.life == request.life();
    request.add_held(known ? held.version + 1 : 0);
  }
  if (request.life() == 0) request.clear_held();
  return weights;
}

std::optional<PullRequest> TensorRequests::Place(const Weights& weights, const LocalLink* link) {
  if (link != nullptr && !weights.rows.empty()) {
    PullRequest placed = weights.request;
    if (placed.codecs_size() > 0 || !PlaceRows(weights.rows, *link, placed.mutable_rows())) return std::nullopt;
    return placed;
  }
  if (!weights.rows.empty()) {
    PullRequest sent = weights.request;
    for (const SlotOf& slot : weights.rows) sent.add_keys(slot.rows->PackedKeys(slot.slot));
    return sent;
  }
  if (link == nullptr || weights.to.empty()) return weights.request;
  if (weights.request.codecs_size() > 0) return std::nullopt;
  const auto places = link->Find(weights.to);
  if (!places) return std::nullopt;
  PullRequest placed = weights.request;
  placed.set_segment(places->segment);
  placed.mutable_offsets()->Assign(places->offsets.begin(), places->offsets.end());
  return placed;
}

TensorRequests::MakeRequest TensorRequests::Push(const PushFrom& push, const Router::Group& group) {
  return [this, head = Head(push.clock, group), gradients = GradientsOf(push, group)](
             const std::shared_ptr<const void>& owner,
             const LocalLink* link) -> std::optional<grpc::ByteBuffer> {
    PushRequest request = head;
    const auto chunks = Place(gradients, owner, link, request.mutable_header());
    if (!chunks) return std::nullopt;
    return EncodePush(request, *chunks);
  };
}

TensorRequests::MakeRequest TensorRequests::Pull(const PullTo& pull, const Router::Group& group) {
  Weights weights = WeightsOf(pull, group);
  *weights.request.mutable_sender() = SenderBy(group);
  return [weights = std::move(weights)](
             const auto&, const LocalLink* link) -> std::optional<grpc::ByteBuffer> {
    const auto placed = Place(weights, link);
    if (!placed) return std::nullopt;
    return EncodeMessage(*placed);
  };
}

TensorRequests::MakeRequest TensorRequests::PushPull(const PushFrom& push,
                                                     const Router::Group* pushed,
                                                     const CommitRequest& commit,
                                                     const PullTo& pull,
                                                     const Router::Group& pulled) {
  PushRequest head = Head(push.clock, pulled);
  *head.mutable_commit() = commit;
  head.mutable_commit()->clear_sender();
  return [this, head, gradients = pushed == nullptr ? Gradients() : GradientsOf(push, *pushed),
          weights = WeightsOf(pull, pulled)](
             const std::shared_ptr<const void>& owner,
             const LocalLink* link) -> std::optional<grpc::ByteBuffer> {
    PushRequest request = head;
    auto placed = Place(weights, link);
    if (!placed) return std::nullopt;
    const auto chunks = Place(gradients, owner, link, request.mutable_header());
    if (!chunks) return std::nullopt;
    *request.mutable_pull() = *std::move(placed);
    return EncodePush(request, *chunks);
  };
}

}  // namespace syncline
