#include "common/config/manifest_fields.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr NumberRange Any() { return {-kInfinity, kInfinity, true, true}; }
constexpr NumberRange In(double low, double high) { return {low, high, false, false}; }
constexpr NumberRange AtLeast(double low) { return {low, kInfinity, false, true}; }
constexpr NumberRange Above(double low) { return {low, kInfinity, true, true}; }
constexpr NumberRange AtMost(double high) { return {-kInfinity, high, true, false}; }
constexpr NumberRange ShareBelowOne() { return {0, 1, false, true}; }

constexpr double kMaxWidth = 1 << 24;

// Strings and switches accept what their own rules say; the range says nothing about them.
constexpr ManifestField kFields[] = {
    {"name", nullptr, Any(), false,
     "Names the job in logs, metrics and checkpoints: 1 to 63 of a-z, 0-9 and -."},

    {"model.input", nullptr, In(0, kMaxWidth), false,
     "Features of one sample, e.g. 784 for images of 28 x 28. Default what data.format criteo, data.columns or "
     "data.entry_keys says."},
    {"model.layers", nullptr, Any(), false,
     "Layers in order from the input, as a YAML list: [linear: {units: 512}, relu, ...]. Kinds: "
     "linear, relu, gelu, tanh, sigmoid, dropout, layer_norm, embedding, attention, residual, parallel, sum, "
     "factorization, interaction."},
    {"model.layers.linear.units", nullptr, In(1, kMaxWidth), false, "Outputs of the layer."},
    {"model.layers.linear.bias", nullptr, Any(), false, "Whether a bias is added. Default true."},
    {"model.layers.linear.split", nullptr, Any(), false,
     "With tensor_parallel: auto, columns, rows or none. Default auto."},
    {"model.layers.dropout.rate", nullptr, ShareBelowOne(), false,
     "Probability that an activation is zeroed."},
    {"model.layers.layer_norm.epsilon", nullptr, Above(0), false,
     "Added to the variance. Default 1e-5."},
    {"model.layers.embedding.vocabulary", nullptr, In(2, 1 << 20), false, "How many tokens there are."},
    {"model.layers.embedding.units", nullptr, In(1, 1 << 16), false, "Width of a token's row."},
    {"model.layers.attention.heads", nullptr, In(1, 1 << 16), false, "They share out the width evenly."},
    {"model.layers.attention.split", nullptr, Any(), false,
     "With tensor_parallel: auto, heads or none. Default auto."},
    {"model.layers.residual.layers", nullptr, Any(), false, "Layers whose output is added to what they get."},
    {"model.layers.parallel.branches", nullptr, Any(), false,
     "Layers for different parts of the input, side by side: [{of: dense, layers: [...]}, {of: items}, ...]."},
    {"model.layers.sum.dim", nullptr, In(1, 1 << 16), false, "Width of the vectors that are summed. Default 1."},
    {"model.layers.sum.bias", nullptr, Any(), false, "Whether a bias is added. Default true."},
    {"model.layers.factorization.dim", nullptr, In(1, 1 << 16), false, "Width of the vectors."},
    {"model.layers.interaction.dim", nullptr, In(1, 1 << 16), false, "Width of the vectors."},
    {"model.sparse", nullptr, Any(), false,
     "Rows of tables that a sample's keys name and layers get after the features, as a YAML list: [{table: items, "
     "fields: \"0-3, 7\", pooling: none, name: items}, ...]; pooling none, sum or mean."},
    {"model.sparse.dim", nullptr, In(1, 1 << 16), false, "The table's, from which it is filled in."},
    {"model.loss", "softmax_cross_entropy", Any(), false,
     "softmax_cross_entropy (labels are classes), mean_squared_error (one output) or logistic (one "
     "output, labels 0 and 1)."},

    {"data.format", nullptr, Any(), false, "idx, csv, libsvm, random_linear, text or criteo."},
    {"data.train", nullptr, Any(), true,
     "Training file: images for idx, the table for csv, libsvm and criteo, plain text for text. May be packed by gzip "
     "or zstd; with categorical fields it may be several, as in day_*.zst."},
    {"data.train_labels", nullptr, Any(), true, "Labels of data.train; idx only."},
    {"data.test", nullptr, Any(), true,
     "Held-out file that the final accuracy or loss is measured on. None if empty."},
    {"data.test_labels", nullptr, Any(), true, "Labels of data.test; idx only."},
    {"data.mean", "0", Any(), false,
     "Features are (x - mean) / std. Idx bytes are scaled to [0, 1] first."},
    {"data.std", "1", Above(0), false, "See data_mean."},
    {"data.label_column", nullptr, Any(), false,
     "csv: the column that holds the label, from 0; negative counts from the end. Default -1."},
    {"data.header", nullptr, Any(), false, "csv: the first line holds names. Default false."},
    {"data.separator", nullptr, Any(), false, "csv: the character between columns. Default \",\"."},
    {"data.samples", nullptr, In(1, 4294967295.0), false,
     "random_linear: how many samples are drawn."},
    {"data.test_fraction", nullptr, ShareBelowOne(), false,
     "csv, libsvm, text and criteo without a test file: the share of the samples held out, by seed; of a text its end. "
     "Default 0."},
    {"data.columns", nullptr, Any(), false,
     "csv: what each column is: label, float, category, NAME=category or skip, as in \"label, skip, float, category\". "
     "Default: all are floats but label_column."},
    {"data.label_above", nullptr, Any(), false,
     "csv with columns: the label is 1 if the column is above this, otherwise 0."},
    {"data.shuffle_buffer", nullptr, In(0, 4294967295.0), false,
     "csv, libsvm, criteo: samples shuffled together; workers then keep their samples in a file in data.scratch. "
     "Default 0: all, in memory."},
    {"data.scratch", nullptr, Any(), true,
     "With data.shuffle_buffer: the folder of that file, on a disk of each worker's own. Default $TMPDIR or "
     "/var/tmp."},
    {"data.entry_keys", nullptr, In(0, 4096), false,
     "libsvm: entries are keys of rows in place of features, at most so many a line. Default 0: features."},

    {"batch_size", "128", In(1, 1 << 20), false, "Samples per worker and step."},
    {"epochs", "1", In(1, 1e6), false, "Passes over the training data."},
    {"max_steps", "0", Any(), false,
     "Stops after this many steps (sync) or pushes a worker (bounded, async) even if epochs are "
     "left. 0: no limit."},
    {"seed", "1", Any(), false, "Seeds initial weights, shuffles and dropout."},

    {"optimizer.kind", "sgd", Any(), false,
     "sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, lamb or ftrl."},
    {"optimizer.learning_rate", "0.01", Above(0), false, "Step size before the schedule."},
    {"optimizer.momentum", nullptr, ShareBelowOne(), false,
     "momentum and nesterov (default 0.9), rmsprop (default 0)."},
    {"optimizer.beta1", "0.9", ShareBelowOne(), false,
     "adam, adamw, lamb: decay of the first moment."},
    {"optimizer.beta2", "0.999", ShareBelowOne(), false,
     "adam, adamw, lamb: decay of the second moment."},
    {"optimizer.epsilon", nullptr, AtLeast(0), false,
     "Added to the denominator. Default 1e-10 for adagrad, 1e-8 for rmsprop, adam and adamw, 1e-6 "
     "for lamb."},
    {"optimizer.alpha", "0.99", ShareBelowOne(), false, "rmsprop: smoothing constant."},
    {"optimizer.ftrl_learning_rate_power", "-0.5", AtMost(0), false,
     "ftrl: power of the accumulator in the learning rate."},
    {"optimizer.ftrl_l1", "0", AtLeast(0), false, "ftrl: L1 regularisation."},
    {"optimizer.ftrl_l2", "0", AtLeast(0), false, "ftrl: L2 regularisation."},
    {"optimizer.ftrl_beta", "0", AtLeast(0), false,
     "ftrl: added to the root of the accumulator in the learning rate."},
    {"optimizer.weight_decay", "0", AtLeast(0), false,
     "Times the weight, added to the gradient; decoupled from it in adamw and lamb."},
    {"optimizer.clip_value", "0", AtLeast(0), false,
     "Clamps each element of the gradient to [-clip_value, clip_value]. 0: off."},
    {"optimizer.clip_norm", "0", AtLeast(0), false,
     "Scales the gradient so that its norm over all tensors is at most this. 0: off."},
    {"optimizer.schedule.kind", "constant", Any(), false,
     "How the learning rate changes: constant, step, cosine, polynomial or inverse_sqrt."},
    {"optimizer.schedule.warmup_steps", "0", Any(), false,
     "The rate grows linearly from 0 over this many steps first."},
    {"optimizer.schedule.step_size", "1000", AtLeast(1), false,
     "step: every so many steps the rate is multiplied by gamma."},
    {"optimizer.schedule.gamma", "0.1", Above(0), false, "step: see step_size."},
    {"optimizer.schedule.total_steps", "1000", AtLeast(1), false,
     "cosine, polynomial: steps from the end of warm-up until final_ratio is reached."},
    {"optimizer.schedule.final_ratio", "0", In(0, 1), false,
     "cosine, polynomial: the rate's lowest share of learning_rate."},
    {"optimizer.schedule.power", "1", Above(0), false, "polynomial: its degree."},
    {"optimizer.initial_accumulator", "0", AtLeast(0), false,
     "adagrad, ftrl: the accumulators' first value."},

    {"sync_mode", "sync", Any(), false,
     "sync (all workers step together), bounded (no worker more than `staleness` steps ahead) or "
     "async."},
    {"staleness", "1", In(0, 1e6), false,
     "bounded: how many steps the fastest live worker may run ahead of the slowest."},
    {"backup_workers", "0", In(0, 65535), false,
     "sync: a step is made by the first (workers - backup_workers) to commit."},
    {"on_worker_loss", "redo", Any(), false,
     "sync: the contribution of a lost worker is computed again (redo) or left out (drop)."},
    {"staleness_scaled_lr", "false", Any(), false,
     "async: multiplies the learning rate of a push by 1 / (1 + its staleness)."},
    {"on_nonfinite", "reject", Any(), false,
     "A gradient that holds NaN or infinity: reject the push, skip it, or apply it."},

    {"shards", "1", In(1, 1024), false, "Parameter-server shards."},
    {"replicas", "1", In(1, 3), false,
     "On how many shards each piece of the weights is kept: with 2 or 3 a shard may be lost."},
    {"workers", "1", In(1, 65536), false, "Workers expected at the start."},
    {"rebalance", "off", Any(), false,
     "Whether chunks and slots of tables that are hot move off shards with more to do than others: auto or off. May be "
     "changed while the job runs."},

    {"checkpoint.directory", nullptr, Any(), true,
     "Folder that holds one folder a checkpoint. No checkpoints if empty."},
    {"checkpoint.interval_steps", "0", Any(), false,
     "Steps (sync) or mean pushes a worker (bounded, async) between checkpoints. 0: only at the "
     "end and on SIGTERM."},
    {"checkpoint.keep", "3", AtLeast(1), false, "Older checkpoints beyond this many are deleted."},

    {"chunk_bytes", "1048576", In(4096, 64 << 20), false,
     "Size of the pieces tensors are cut into; a multiple of 4096."},
    {"worker_threads", "1", In(1, 1024), false, "Compute threads a worker may use on a CPU."},
    {"device", "auto", Any(), false, "Where workers compute: auto, cpu, cuda or cuda:N."},
    {"allow_tf32", "false", Any(), false, "Lets cuBLAS round products to TF32."},
    {"allow_bf16", "false", Any(), false,
     "Lets cuBLAS round the inputs of products to bfloat16; not together with allow_tf32."},
    {"shared_memory", "true", Any(), false,
     "Workers and shards on one host exchange tensors through shared memory."},
    {"local_aggregation", "false", Any(), false,
     "The workers of one host add up their gradients there and push them once."},
    {"push_codec", "none", Any(), false,
     "How gradients are sent: none, fp16, bf16, int8, topk or onebit. With another than none, always "
     "through the network."},
    {"pull_codec", "none", Any(), false, "How weights are sent: none, fp16, bf16 or int8."},
    {"tensor_codecs", nullptr, Any(), false,
     "Tensors and tables with codecs of their own, as a YAML list: [{tensor: 0.linear.weight, push: topk}, ...]."},
    {"local_steps", "1", In(1, 100000), false,
     "sync: steps a worker takes on its own between two exchanges with the shards (DiLoCo)."},
    {"aggregation", "ps", Any(), false,
     "sync: gradients are summed at the shards (ps) or among the workers (allreduce; "
     "hierarchical: on each host first, then among hosts)."},
    {"memory_limit", "0", Any(), false,
     "Bytes a worker may take for weights, gradients and activations. 0: whatever there is."},
    {"pipeline.stages", "1", In(1, 256), false,
     "Workers that share one replica of the model, each with some of its layers."},
    {"pipeline.layers", "auto", Any(), false,
     "Which of model.layers are on which stage, as in \"0-3, 4-7\"; auto: by measured time."},
    {"pipeline.micro_batches", "1", In(1, 4096), false,
     "Parts a batch is cut into; stages work on several at a time."},
    {"pipeline.schedule", "1f1b", Any(), false,
     "gpipe (all parts forward, then all backward) or 1f1b (in turn, which keeps fewer activations)."},
    {"pipeline.recompute", "false", Any(), false,
     "Computes activations again in place of keeping them."},
    {"tensor_parallel.size", "1", In(1, 64), false,
     "Workers that share each layer of a stage, each with some of its columns, rows or heads."},
    {"outer_learning_rate", "0.7", Above(0), false,
     "local_steps: of the shards' Nesterov momentum on the workers' mean change."},
    {"outer_momentum", "0.9", ShareBelowOne(), false, "local_steps: its momentum."},

    {"tables", nullptr, Any(), false,
     "Tables of rows by key for model.sparse, as a YAML list: [{name: items, dim: 16, storage: fp32, initializer: {...}, "
     "optimizer: {kind: adagrad, learning_rate: 0.05}, admission: {...}, eviction: {...}, capacity: 0}, ...]."},
    {"tables.dim", nullptr, In(1, 1 << 16), false, "Floats of a row."},
    {"tables.slots", nullptr, In(1, 65536), false, "Parts that keys are cut into by hash. Default 256."},
    {"tables.optimizer.learning_rate", nullptr, Above(0), false, "Step size. Default 0.01."},
    {"tables.optimizer.epsilon", nullptr, AtLeast(0), false, "Added to the denominator."},
    {"tables.optimizer.beta1", nullptr, ShareBelowOne(), false, "adam: decay of the first moment. Default 0.9."},
    {"tables.optimizer.beta2", nullptr, ShareBelowOne(), false, "adam: decay of the second moment. Default 0.999."},
    {"tables.optimizer.initial_accumulator", nullptr, AtLeast(0), false, "The accumulators' first value. Default 0."},
    {"tables.optimizer.ftrl_l1", nullptr, AtLeast(0), false, "ftrl: L1 regularisation. Default 0."},
    {"tables.optimizer.ftrl_l2", nullptr, AtLeast(0), false, "ftrl: L2 regularisation. Default 0."},
    {"tables.optimizer.ftrl_beta", nullptr, AtLeast(0), false, "ftrl: added to the accumulator's root. Default 0."},
    {"tables.optimizer.weight_decay", nullptr, AtLeast(0), false,
     "Times the row, added to its gradient when one is pushed. Default 0."},
    {"tables.admission.min_count", nullptr, In(1, 255), false,
     "At which of its pushes a key gets a row. Default 1."},
    {"tables.admission.probability", nullptr, NumberRange{0, 1, true, false}, false,
     "Share of keys that may have a row. Default 1."},
    {"tables.cache.rows", nullptr, In(0, 2147483648.0), false,
     "bounded, async: rows of the table that a worker keeps. Default 0: none."},
    {"tables.cache.max_age_steps", nullptr, In(1, 2147483648.0), false,
     "A worker pulls a row again after so many steps. Default 16 in async, staleness + 1, the most, in bounded."},
    {"tables.eviction.max_age_seconds", nullptr, AtLeast(0), false,
     "Rows that nobody pushed for so long are dropped. Default 0: none for that."},
    {"tables.eviction.min_norm", nullptr, AtLeast(0), false, "Rows of a smaller norm are dropped. Default 0."},
};

// Whole numbers in full, others as short as they go.
std::string Text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    return absl::StrCat(static_cast<long long>(value));
  }
  return absl::StrCat(value);
}

}  // namespace

bool NumberRange::Contains(double value) const {
  const bool above = low_open ? value > low : value >= low;
  const bool below = high_open ? value < high : value <= high;
  return above && below;
}

std::string NumberRange::ToString() const {
  if (high == kInfinity) return absl::StrCat(low_open ? "above " : "at least ", Text(low));
  if (low == -kInfinity) return absl::StrCat(high_open ? "below " : "at most ", Text(high));
  return absl::StrCat("in ", low_open ? "(" : "[", Text(low), ", ", Text(high),
                      high_open ? ")" : "]");
}

absl::Span<const ManifestField> ManifestFields() { return kFields; }

const ManifestField* FindManifestField(absl::string_view path) {
  for (const ManifestField& field : kFields) {
    if (path == field.path) return &field;
  }
  return nullptr;
}

}  // namespace syncline
