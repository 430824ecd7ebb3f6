// SPDX-License-Identifier: Apache-2.0
// integral: the area under the polygon through the events in the order of event time, then position; value * seconds.
// Events may come in any order and parts may interleave, so a cell keeps its points in order. When there are 4096, the
// older half becomes one stretch: its first and its last point, with its area in a common sum. Nothing can be put
// inside of a stretch any more: an event that would be makes the result an error with that reason. Before, after and
// between stretches everything fits. Points that came from different cells are joined last, so that the slices of a
// sliding window merge in any order, however long they are; parts that interleave must keep within the bound.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/sketch_traits.hpp"
#include "actors/windows/values.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace millrace::windows {

namespace {

/// Reached, the older half is joined.
constexpr std::size_t most_points = 4096;

struct point {
  nanoseconds_t time = 0;
  std::int64_t position = 0;
  double value = 0.0;
  std::uint32_t shard = 0;
  /// The area from the point before to this one is in the common sum, and nothing fits between them.
  bool joined = false;
  /// It and the point before came from different cells: a third may have points between them.
  bool seam = false;

  /// Events of one place are told apart by their value, so that their order does not matter.
  friend bool operator<(const point& a, const point& b) {
    const auto rank = [](const point& p) { return std::tie(p.time, p.shard, p.position); };
    if (rank(a) != rank(b))
      return rank(a) < rank(b);
    return total_less<double_value>(a.value, b.value);
  }
};

/// Neumaier's sum, as in sums.cpp.
struct area_sum {
  double sum = 0.0;
  double rest = 0.0;

  void add(double x) {
    const double t = sum + x;
    rest += std::fabs(sum) >= std::fabs(x) ? (sum - t) + x : (x - t) + sum;
    sum = t;
  }
  double total() const { return std::isfinite(sum) ? sum + rest : sum; }
};

double trapezoid(const point& a, const point& b) {
  const double seconds = static_cast<double>(static_cast<int128>(b.time) - a.time) / 1e9;
  // No time has no area, whatever the values: an infinite one must not turn into NaN.
  return seconds == 0.0 ? 0.0 : (a.value / 2.0 + b.value / 2.0) * seconds;
}

class polygon {
public:
  struct config {};
  explicit polygon(const config& /*none*/) {}

  void add(const column& values, const event_batch& in, std::uint32_t row) {
    if (broken_)
      return;
    const point p{in.time[row], in.position[row], number_at(values, row), in.shard[row], false, false};
    const auto to =
      points_.empty() || !(p < points_.back()) ? points_.end() : std::upper_bound(points_.begin(), points_.end(), p);
    if (to != points_.end() && to->joined) {
      give_up();
      return;
    }
    points_.insert(to, p);
    bound();
  }
  void merge(const polygon& from) {
    if (broken_ || from.broken_) {
      give_up();
      return;
    }
    std::vector<point> all;
    reserve_grown(all, points_.size() + from.points_.size());
    auto a = points_.begin();
    auto b = from.points_.begin();
    const point* before = nullptr; // of the cell that the last point came from
    while (a != points_.end() || b != from.points_.end()) {
      const bool first = b == from.points_.end() || (a != points_.end() && !(*b < *a));
      const point& next = first ? *a++ : *b++;
      if (next.joined && before != &next - 1) {
        give_up();
        return;
      }
      const bool other_cell = before != &next - 1 && !all.empty();
      all.push_back(next);
      all.back().seam = next.seam || other_cell;
      before = &next;
    }
    points_ = std::move(all);
    joined_.add(from.joined_.sum);
    joined_.rest += from.joined_.rest;
    bound();
  }
  void write(batch_builder& out, std::size_t index, std::string& reason) const {
    if (broken_) {
      reason = "an event came too late to be put between " + std::to_string(most_points / 2) +
               " or more later ones, whose area is summed already; shorter windows or a filter keep within the bound";
      return;
    }
    auto sum = joined_;
    for (std::size_t i = 1; i < points_.size(); ++i)
      if (!points_[i].joined)
        sum.add(trapezoid(points_[i - 1], points_[i]));
    out.set_double(index, sum.total());
  }

  void save(binary_writer& out) const {
    out.u8(broken_ ? 1 : 0);
    out.f64(joined_.sum);
    out.f64(joined_.rest);
    out.u64(points_.size());
    for (const auto& p : points_) {
      out.i64(p.time);
      out.i64(p.position);
      out.f64(p.value);
      out.u64((std::uint64_t{p.shard} << 2) | (p.seam ? 2U : 0U) | (p.joined ? 1U : 0U));
    }
  }
  void load(binary_reader& in) {
    points_.clear();
    broken_ = in.flag();
    joined_.sum = in.f64();
    joined_.rest = in.f64();
    const auto n = in.count(32);
    if (n >= most_points)
      in.fail();
    if (in.ok())
      reserve_grown(points_, n);
    for (std::size_t i = 0; i < n && in.ok(); ++i) {
      point p{in.i64(), in.i64(), in.f64(), 0, false, false};
      const auto rest = in.u64();
      p.shard = static_cast<std::uint32_t>(rest >> 2);
      p.joined = (rest & 1U) != 0;
      p.seam = (rest & 2U) != 0;
      if (rest >> 34 != 0 || (p.joined && p.seam) || (points_.empty() ? p.joined : p < points_.back()))
        in.fail();
      points_.push_back(p);
    }
  }
  std::size_t heap() const noexcept { return grown_bytes<point>(points_.size()); }

private:
  void give_up() {
    broken_ = true;
    joined_ = {};
    std::vector<point>{}.swap(points_); // an assignment would keep the memory
  }
  /// Makes room: joins the older half within the parts that it came from, and as a whole if that frees too little to
  /// last for a while.
  void bound() {
    if (points_.size() < most_points)
      return;
    join_older(false);
    if (points_.size() > most_points / 4 * 3)
      join_older(true);
  }
  void join_older(bool over_seams) {
    const auto end = points_.size() - most_points / 2;
    std::size_t kept = 0;
    for (std::size_t i = 1; i < points_.size(); ++i) {
      auto p = points_[i];
      if (i > end || (p.seam && !over_seams)) {
        points_[++kept] = p;
        continue;
      }
      if (!p.joined)
        joined_.add(trapezoid(points_[kept], p));
      p.joined = true;
      p.seam = false;
      if (!points_[kept].joined)
        ++kept;
      points_[kept] = p;
    }
    points_.resize(kept + 1);
    if (points_.capacity() > most_points) { // a merge makes room for both sides
      std::vector<point> fewer;
      fewer.reserve(most_points);
      fewer.assign(points_.begin(), points_.end());
      points_.swap(fewer);
    }
  }

  std::vector<point> points_;
  area_sum joined_;
  bool broken_ = false;
};

} // namespace

made make_integral(argument_type /*argument*/, parameter_values /*parameters*/) { return make_sketches<polygon>({}); }

} // namespace millrace::windows
