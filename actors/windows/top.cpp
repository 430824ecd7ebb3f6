// SPDX-License-Identifier: Apache-2.0
// top: the k most frequent values by Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and
// Top-k Elements in Data Streams, ICDT 2005), merged as in Agarwal, Cormode, Huang, Phillips, Wei, Yi: Mergeable
// Summaries, PODS 2012. It counts max(256, 16 k) values: up to so many distinct ones the result is exact; beyond it a
// count is too high by at most (number of values) / capacity, and what is more frequent than that is in the table.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/sketch_traits.hpp"
#include "actors/windows/values.hpp"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <vector>

namespace millrace::windows {

namespace {

/// No stream is that long: counts in saved bytes beyond it are damage.
constexpr std::uint64_t most_count = std::uint64_t{1} << 62;

std::size_t capacity_for(std::size_t k) { return std::max<std::size_t>(256, 16 * k); }

template <class Value>
class frequent {
public:
  struct config {
    std::size_t k = 0;
    data_type type = data_type::int64;
  };
  explicit frequent(const config& c)
    : options_{c}, capacity_{capacity_for(c.k)}, index_(0, hash_of_entry{&entries_}, same_entry{&entries_}) {}
  // The index refers to the entries of this object.
  frequent(const frequent&) = delete;
  frequent& operator=(const frequent&) = delete;

  void add(const column& values, const event_batch& /*in*/, std::uint32_t row) {
    const view v = Value::canonical(Value::get(values, row));
    const auto h = Value::hash(v);
    if (const auto it = index_.find(probe{h, v}); it != index_.end()) {
      ++entries_[*it].count;
      sink(entries_[*it].heap_place);
    } else if (entries_.size() < capacity_) {
      append(entry{typename Value::type{v}, h, 1, 0});
      if (entries_.size() == capacity_)
        order();
    } else {
      replace_least(h, v);
    }
  }
  void merge(const frequent& from) {
    // A value that one side does not know has been seen there at most `floor` times.
    std::vector<entry> all;
    all.reserve(entries_.size() + from.entries_.size());
    for (auto& e : entries_) {
      const auto it = from.index_.find(probe{e.hash, e.value});
      const auto* other = it == from.index_.end() ? nullptr : &from.entries_[*it];
      all.push_back(e);
      all.back().count += other != nullptr ? other->count : from.floor_;
      all.back().error += other != nullptr ? other->error : from.floor_;
    }
    for (const auto& e : from.entries_) {
      if (index_.contains(probe{e.hash, e.value}))
        continue;
      all.push_back(e);
      all.back().count += floor_;
      all.back().error += floor_;
    }
    auto floor = floor_ + from.floor_;
    if (all.size() > capacity_) {
      std::sort(all.begin(), all.end(), [](const entry& a, const entry& b) { return below(b, a); });
      floor = std::max(floor, all[capacity_].count);
      all.resize(capacity_);
    }
    rebuild(std::move(all), floor);
  }
  void write(batch_builder& out, std::size_t index, std::string& /*reason*/) const {
    std::vector<const entry*> best;
    best.reserve(entries_.size());
    for (const auto& e : entries_)
      best.push_back(&e);
    const auto n = std::min(options_.k, best.size());
    std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(n), best.end(),
                      [](const entry* a, const entry* b) {
                        return a->count != b->count ? a->count > b->count : total_less<Value>(a->value, b->value);
                      });
    std::string json;
    for (std::size_t i = 0; i < n; ++i) {
      json += i == 0 ? R"([{"value":)" : R"(,{"value":)";
      Value::json(json, best[i]->value, options_.type);
      json += R"(,"count":)";
      codec::append_uint(json, best[i]->count);
      json += '}';
    }
    json += ']';
    out.set_text(index, json);
  }
  void save(binary_writer& out) const {
    std::vector<const entry*> sorted;
    for (const auto& e : entries_)
      sorted.push_back(&e);
    std::sort(sorted.begin(), sorted.end(), [](const entry* a, const entry* b) { return below(*a, *b); });
    out.u64(floor_);
    out.u64(sorted.size());
    for (const auto* e : sorted) {
      out.u64(e->count);
      out.u64(e->error);
      Value::save(out, e->value);
    }
  }
  void load(binary_reader& in) {
    const auto floor = in.u64();
    const auto n = in.count(17);
    if (n > capacity_ || floor > most_count || (floor > 0 && n < capacity_))
      in.fail();
    std::vector<entry> all;
    for (std::size_t i = 0; i < n && in.ok(); ++i) {
      entry e;
      e.count = in.u64();
      e.error = in.u64();
      e.value = Value::load(in);
      e.hash = Value::hash(e.value);
      if (e.count == 0 || e.count > most_count || e.error >= e.count || (!all.empty() && !below(all.back(), e)))
        in.fail();
      all.push_back(std::move(e));
    }
    if (in.ok())
      rebuild(std::move(all), floor);
    if (index_.size() != entries_.size())
      in.fail(); // one value twice
  }
  std::size_t heap() const noexcept {
    const auto n = entries_.size();
    return grown_bytes<entry>(n) + grown_bytes<std::uint32_t>(heap_.size()) + texts_ +
           grown_bytes<std::uint32_t>(n + n / 7 + 1) * 5 / 4;
  }

private:
  struct entry {
    typename Value::type value{};
    std::uint64_t hash = 0;
    std::uint64_t count = 0;
    /// How much of the count may belong to values that had the entry before.
    std::uint64_t error = 0;
    std::uint32_t heap_place = 0;
  };
  using view = std::conditional_t<std::is_same_v<Value, text_value>, std::string_view, typename Value::type>;
  struct probe {
    std::uint64_t hash;
    view value;
  };
  struct hash_of_entry {
    using is_transparent = void;
    const std::vector<entry>* entries;
    std::size_t operator()(std::uint32_t i) const { return (*entries)[i].hash; }
    std::size_t operator()(const probe& p) const { return p.hash; }
  };
  struct same_entry {
    using is_transparent = void;
    const std::vector<entry>* entries;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return same((*entries)[a].value, (*entries)[b].value); }
    bool operator()(std::uint32_t a, const probe& b) const { return same((*entries)[a].value, b.value); }
    bool operator()(const probe& a, std::uint32_t b) const { return same(a.value, (*entries)[b].value); }
    static bool same(const view& a, const view& b) { return !total_less<Value>(a, b) && !total_less<Value>(b, a); }
  };

  /// The order of leaving: rarest first, of equals the greatest value. Total, so that the state is a function of
  /// what was counted and a restart changes nothing.
  static bool below(const entry& a, const entry& b) {
    return a.count != b.count ? a.count < b.count : total_less<Value>(b.value, a.value);
  }

  void append(entry e) {
    texts_ += heap_of(e.value);
    entries_.push_back(std::move(e));
    index_.insert(static_cast<std::uint32_t>(entries_.size() - 1));
  }
  void rebuild(std::vector<entry> all, std::uint64_t floor) {
    index_.clear();
    entries_.clear();
    heap_.clear();
    texts_ = 0;
    floor_ = floor;
    reserve_grown(entries_, all.size());
    for (auto& e : all)
      append(std::move(e));
    if (entries_.size() == capacity_)
      order();
  }
  void replace_least(std::uint64_t h, const view& v) {
    const auto i = heap_.front();
    auto& e = entries_[i];
    index_.erase(i);
    texts_ -= heap_of(e.value);
    floor_ = e.count;
    e.error = e.count;
    ++e.count;
    e.hash = h;
    e.value = v;
    texts_ += heap_of(e.value);
    index_.insert(i);
    sink(0);
  }

  /// Makes the heap, which exists only once the table is full: before, nothing leaves.
  void order() {
    heap_.resize(entries_.size());
    for (std::uint32_t i = 0; i < heap_.size(); ++i)
      heap_[i] = i;
    std::make_heap(heap_.begin(), heap_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return below(entries_[b], entries_[a]); });
    for (std::uint32_t i = 0; i < heap_.size(); ++i)
      entries_[heap_[i]].heap_place = i;
  }
  /// Restores the heap after the entry at `place` grew.
  void sink(std::size_t place) {
    const auto n = heap_.size();
    if (n == 0)
      return;
    const auto moving = heap_[place];
    for (;;) {
      auto child = 2 * place + 1;
      if (child >= n)
        break;
      if (child + 1 < n && below(entries_[heap_[child + 1]], entries_[heap_[child]]))
        ++child;
      if (!below(entries_[heap_[child]], entries_[moving]))
        break;
      heap_[place] = heap_[child];
      entries_[heap_[place]].heap_place = static_cast<std::uint32_t>(place);
      place = child;
    }
    heap_[place] = moving;
    entries_[moving].heap_place = static_cast<std::uint32_t>(place);
  }

  config options_;
  std::size_t capacity_;
  std::vector<entry> entries_;
  absl::flat_hash_set<std::uint32_t, hash_of_entry, same_entry> index_;
  /// Entries by the order of leaving.
  std::vector<std::uint32_t> heap_;
  /// No value outside of the table was seen more often.
  std::uint64_t floor_ = 0;
  std::size_t texts_ = 0;
};

} // namespace

made make_top(argument_type argument, parameter_values parameters) {
  const auto k = static_cast<std::size_t>(parameters[0].integer);
  return with_value_type(argument, [&]<class Value>() -> made {
    return make_sketches<frequent<Value>>({k, argument.value_or(data_type::int64)});
  });
}

} // namespace millrace::windows
