// SPDX-License-Identifier: Apache-2.0
// quantile and median: DDSketch (Masson, Rim, Lee: DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
// Relative-Error Guarantees, VLDB 2019). Bucket i counts the magnitudes in (g^(i-1), g^i], g = (1 + a) / (1 - a); one
// row of buckets per sign. A row holds at most 2048 buckets that are not empty, enough for 17 decades without a gap:
// beyond it the smallest magnitudes share the lowest bucket. Which buckets are kept depends on the set of values alone,
// so neither the order of events nor that of merges shows. Magnitudes below the smallest normal double count as zero,
// infinities are counted apart, and a NaN makes the result NaN, as for sum, min and max. The smallest and the largest
// value, and integers below 49, are exact.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/sketch_traits.hpp"
#include "actors/windows/values.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace millrace::windows {

namespace {

/// A little below 1 %, so that the rounding of logarithms stays within it.
constexpr double accuracy = 0.009999;
constexpr std::size_t most_buckets = 2048;
/// Logarithms of doubles give indices well inside of this.
constexpr std::int32_t index_bound = 65536;

double log_base() {
  static const double value = std::log1p(2.0 * accuracy / (1.0 - accuracy));
  return value;
}

std::int32_t index_of(double magnitude) {
  return static_cast<std::int32_t>(std::ceil(std::log(magnitude) / log_base()));
}

/// The number whose relative distance to both ends of the bucket is the same.
double middle_of(std::int32_t index) { return std::exp(index * log_base()) * (1.0 - accuracy); }

/// Buckets of one sign, ascending by index. Few values need few buckets, many need at most 16 KiB.
class bucket_row {
public:
  void add(std::int32_t index, std::uint64_t count) {
    if (buckets_.size() == most_buckets)
      index = std::max(index, index_in(buckets_.front()));
    // Where values are dense no bucket is empty, so that position and index differ by the same number as last time.
    const auto guess = static_cast<std::size_t>(index - shift_);
    if (guess < buckets_.size() && index_in(buckets_[guess]) == index) {
      buckets_[guess] += std::min(count, most_count - count_in(buckets_[guess]));
      return;
    }
    auto it = std::lower_bound(buckets_.begin(), buckets_.end(), index, below);
    if (it == buckets_.end() || index_in(*it) != index)
      it = buckets_.insert(it, pack(index, 0));
    shift_ = index - static_cast<std::int32_t>(it - buckets_.begin());
    *it += std::min(count, most_count - count_in(*it));
    collapse();
  }
  void merge(const bucket_row& from) {
    // Rows of one stream have mostly the same buckets.
    std::size_t missing = 0;
    auto a = buckets_.begin();
    for (const auto b : from.buckets_) {
      a = std::lower_bound(a, buckets_.end(), index_in(b), below);
      if (a == buckets_.end() || index_in(*a) != index_in(b))
        ++missing;
      else
        *a += std::min(count_in(b), most_count - count_in(*a));
    }
    if (missing == 0)
      return;
    std::vector<std::uint64_t> all;
    reserve_grown(all, buckets_.size() + missing);
    a = buckets_.begin();
    for (const auto b : from.buckets_) {
      while (a != buckets_.end() && index_in(*a) < index_in(b))
        all.push_back(*a++);
      if (a == buckets_.end() || index_in(*a) != index_in(b))
        all.push_back(b);
    }
    all.insert(all.end(), a, buckets_.end());
    buckets_ = std::move(all);
    collapse();
  }

  std::uint64_t total() const {
    std::uint64_t n = 0;
    for (const auto b : buckets_)
      n += count_in(b);
    return n;
  }
  /// Index of the bucket with the value of this rank, magnitudes ascending or descending. @pre rank < total().
  std::int32_t at(std::uint64_t rank, bool ascending) const {
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      const auto b = buckets_[ascending ? i : buckets_.size() - 1 - i];
      if (rank < count_in(b))
        return index_in(b);
      rank -= count_in(b);
    }
    return 0;
  }

  void save(binary_writer& out) const {
    out.u64(buckets_.size());
    for (const auto b : buckets_)
      out.u64(b);
  }
  void load(binary_reader& in) {
    buckets_.clear();
    const auto n = in.count(8);
    if (n > most_buckets)
      in.fail();
    if (!in.ok())
      return;
    reserve_grown(buckets_, n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto b = in.u64();
      const bool ordered = buckets_.empty() || index_in(buckets_.back()) < index_in(b);
      if (!ordered || count_in(b) == 0 || index_in(b) >= index_bound)
        in.fail();
      if (!in.ok())
        return;
      buckets_.push_back(b);
    }
  }
  std::size_t heap() const noexcept { return grown_bytes<std::uint64_t>(buckets_.size()); }

private:
  // A bucket is one word: the index above, the count below.
  static constexpr unsigned count_bits = 44;
  static constexpr std::uint64_t most_count = (std::uint64_t{1} << count_bits) - 1;

  static std::uint64_t pack(std::int32_t index, std::uint64_t count) {
    return (static_cast<std::uint64_t>(index + index_bound) << count_bits) | count;
  }
  static std::int32_t index_in(std::uint64_t b) { return static_cast<std::int32_t>(b >> count_bits) - index_bound; }
  static std::uint64_t count_in(std::uint64_t b) { return b & most_count; }
  static bool below(std::uint64_t b, std::int32_t index) { return index_in(b) < index; }

  void collapse() {
    if (buckets_.size() <= most_buckets)
      return;
    const auto kept = buckets_.end() - static_cast<std::ptrdiff_t>(most_buckets);
    for (auto it = buckets_.begin(); it != kept; ++it)
      *kept += std::min(count_in(*it), most_count - count_in(*kept));
    buckets_.erase(buckets_.begin(), kept);
  }

  std::vector<std::uint64_t> buckets_;
  /// Index minus position of the bucket found last: a guess for the next, no part of the state.
  std::int32_t shift_ = 0;
};

class ddsketch {
public:
  struct config {
    double q = 0.5;
    /// The values are integers.
    bool whole = false;
  };
  explicit ddsketch(const config& c) : options_{c} {}

  void add(const column& values, const event_batch& /*in*/, std::uint32_t row) {
    const double x = number_at(values, row);
    if (std::isnan(x)) {
      nan_ = true;
      return;
    }
    smallest_ = std::min(smallest_, x + 0.0);
    largest_ = std::max(largest_, x + 0.0);
    const double magnitude = std::fabs(x);
    if (magnitude < std::numeric_limits<double>::min())
      ++zeros_;
    else if (std::isinf(x))
      ++(x < 0.0 ? negative_infinities_ : infinities_);
    else
      (x < 0.0 ? negative_ : positive_).add(index_of(magnitude), 1);
  }
  void merge(const ddsketch& from) {
    nan_ = nan_ || from.nan_;
    smallest_ = std::min(smallest_, from.smallest_);
    largest_ = std::max(largest_, from.largest_);
    zeros_ += from.zeros_;
    negative_infinities_ += from.negative_infinities_;
    infinities_ += from.infinities_;
    negative_.merge(from.negative_);
    positive_.merge(from.positive_);
  }
  void write(batch_builder& out, std::size_t index, std::string& /*reason*/) const {
    out.set_double(index, nan_ ? std::numeric_limits<double>::quiet_NaN() : value());
  }

  void save(binary_writer& out) const {
    out.u8(nan_ ? 1 : 0);
    out.f64(smallest_);
    out.f64(largest_);
    out.u64(zeros_);
    out.u64(negative_infinities_);
    out.u64(infinities_);
    negative_.save(out);
    positive_.save(out);
  }
  void load(binary_reader& in) {
    nan_ = in.flag();
    smallest_ = in.f64();
    largest_ = in.f64();
    zeros_ = in.u64();
    negative_infinities_ = in.u64();
    infinities_ = in.u64();
    negative_.load(in);
    positive_.load(in);
  }
  std::size_t heap() const noexcept { return negative_.heap() + positive_.heap(); }

private:
  double within(double x) const {
    // Below 49 the error is less than a half, so that the nearest integer is the value itself.
    if (options_.whole && std::fabs(x) < 49.0)
      x = std::round(x);
    return std::max(smallest_, std::min(x, largest_));
  }

  /// The value of rank floor(q (n - 1)); the extremes are exact.
  double value() const {
    const auto below = negative_infinities_;
    const auto negative = negative_.total();
    const auto n = below + negative + zeros_ + positive_.total() + infinities_;
    if (n == 0)
      return std::numeric_limits<double>::quiet_NaN();
    auto rank = static_cast<std::uint64_t>(options_.q * static_cast<double>(n - 1));
    if (rank == 0)
      return smallest_;
    if (rank >= n - 1)
      return largest_;
    if (rank < below)
      return -std::numeric_limits<double>::infinity();
    rank -= below;
    if (rank < negative)
      return within(-middle_of(negative_.at(rank, false)));
    rank -= negative;
    if (rank < zeros_)
      return 0.0;
    rank -= zeros_;
    if (rank < positive_.total())
      return within(middle_of(positive_.at(rank, true)));
    return std::numeric_limits<double>::infinity();
  }

  config options_;
  bool nan_ = false;
  double smallest_ = std::numeric_limits<double>::infinity();
  double largest_ = -std::numeric_limits<double>::infinity();
  std::uint64_t zeros_ = 0;
  std::uint64_t negative_infinities_ = 0;
  std::uint64_t infinities_ = 0;
  bucket_row negative_;
  bucket_row positive_;
};

} // namespace

made make_quantile(argument_type argument, parameter_values parameters) {
  return make_sketches<ddsketch>({parameters[0].number, argument != data_type::float64});
}

made make_median(argument_type argument, parameter_values /*parameters*/) {
  return make_sketches<ddsketch>({0.5, argument != data_type::float64});
}

} // namespace millrace::windows
