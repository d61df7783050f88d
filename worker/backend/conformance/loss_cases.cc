// Losses, and how batches are gathered.

#include "worker/backend/conformance/comparison.h"

namespace syncline {

void CompareLosses(Comparison* comparison) {
  for (const Shape& shape : kShapes) {
    for (const bool wrong_label : {false, true}) {
      comparison->Case("softmax_cross_entropy", 1e-5, Text(shape), [=](Run* run) {
        const int rows = shape.rows, classes = shape.cols;
        const float* logits = run->Floats(rows * classes, -20.0f, 20.0f);
        const int32_t* labels = run->Integers<int32_t>(rows, wrong_label ? -1 : 0, classes);
        float *loss = run->Floats(1), *gradient = run->Floats(rows * classes);
        int32_t* correct = run->Integers<int32_t>(1, 5, 6);
        run->Check(run->table().softmax_cross_entropy(run->device(), rows, classes, logits, labels,
                                                      0.5f, loss, gradient));
        run->Check(run->table().count_correct(run->device(), rows, classes, logits, labels,
                                              correct));
        run->Output(loss, 1);
        run->Output(gradient, rows * classes);
        run->Output(correct, 1);
      });
    }
  }
  for (const Shape& shape : kShapes) {
    const int rows = shape.rows, cols = shape.cols, n = rows * cols;
    comparison->Case("mean_squared_error", 1e-5, Text(shape), [=](Run* run) {
      const float *y = run->Floats(n), *target = run->Floats(n);
      float *loss = run->Floats(1), *gradient = run->Floats(n);
      run->Check(run->table().mean_squared_error(run->device(), rows, cols, y, target, 0.5f, loss,
                                                 gradient));
      run->Output(loss, 1);
      run->Output(gradient, n);
    });
  }
  for (const Shape& shape : kShapes) {
    const int rows = shape.rows * shape.cols;
    comparison->Case("logistic_loss", 1e-5, Text(shape), [=](Run* run) {
      const float* logits = run->Floats(rows, -30.0f, 30.0f);
      const std::vector<float> zeros_and_ones = [&] {
        std::vector<float> values(rows);
        for (int r = 0; r < rows; ++r) values[r] = r % 3 == 0 ? 1.0f : 0.0f;
        return values;
      }();
      const float* target = run->Upload(zeros_and_ones);
      float *loss = run->Floats(1), *gradient = run->Floats(rows);
      int32_t* correct = run->Integers<int32_t>(1, 5, 6);
      run->Check(run->table().logistic_loss(run->device(), rows, logits, target, 0.5f, loss,
                                            gradient));
      run->Check(
          run->table().count_correct_logistic(run->device(), rows, logits, target, correct));
      run->Output(loss, 1);
      run->Output(gradient, rows);
      run->Output(correct, 1);
    });
  }
}

void CompareGathers(Comparison* comparison) {
  constexpr int kTable = 50;
  for (const Shape& shape : kShapes) {
    const int rows = shape.rows, cols = shape.cols, n = rows * cols;
    comparison->Case("gather", 2e-6, Text(shape), [=](Run* run) {
      const uint8_t* bytes = run->Integers<uint8_t>(kTable * cols, 0, 256);
      const float* floats = run->Floats(kTable * cols);
      const int32_t* integers = run->Integers<int32_t>(kTable, 0, 1000);
      const int64_t* indices = run->Integers<int64_t>(rows, 0, kTable);
      float *a = run->Floats(n), *b = run->Floats(n);
      int32_t* c = run->Integers<int32_t>(rows, 0, 1);
      const Backend& table = run->table();
      BackendDevice* device = run->device();
      run->Check(table.gather_uint8(device, rows, cols, bytes, indices, 0.25f, 0.5f, a));
      run->Check(table.gather_float(device, rows, cols, floats, indices, 0.25f, 0.5f, b));
      run->Check(table.gather_int32(device, rows, integers, indices, c));
      run->Output(a, n);
      run->Output(b, n);
      run->Output(c, rows);
    });
  }
}

}  // namespace syncline
