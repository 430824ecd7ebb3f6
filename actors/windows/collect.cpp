// SPDX-License-Identifier: Apache-2.0
// collect: the first values by event time, then position, as a JSON array.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/sketch_traits.hpp"
#include "actors/windows/values.hpp"

#include <algorithm>
#include <vector>

namespace millrace::windows {

namespace {

template <class Value>
class collected {
public:
  struct config {
    std::size_t limit = 0;
    data_type type = data_type::int64;
  };
  explicit collected(const config& c) : options_{c} {}

  void add(const column& values, const event_batch& in, std::uint32_t row) {
    offer(place::of(in, row), Value::get(values, row));
  }
  void merge(const collected& from) {
    for (const auto& e : from.entries_)
      if (!offer(e.at, e.value))
        return; // the rest is later still
  }
  void write(batch_builder& out, std::size_t index, std::string& /*reason*/) const {
    std::string json;
    for (const auto& e : entries_) {
      json += json.empty() ? '[' : ',';
      Value::json(json, e.value, options_.type);
    }
    json += ']';
    out.set_text(index, json);
  }
  void save(binary_writer& out) const {
    out.u64(entries_.size());
    for (const auto& e : entries_) {
      e.at.save(out);
      Value::save(out, e.value);
    }
  }
  void load(binary_reader& in) {
    entries_.clear();
    texts_ = 0;
    const auto n = in.count(25);
    if (n > options_.limit)
      in.fail();
    for (std::size_t i = 0; i < n && in.ok(); ++i) {
      entry e;
      e.at = place::load(in);
      e.value = Value::load(in);
      if (!entries_.empty() && less(e.at, e.value, entries_.back()))
        in.fail();
      texts_ += heap_of(e.value);
      entries_.push_back(std::move(e));
    }
  }
  std::size_t heap() const noexcept { return grown_bytes<entry>(entries_.size()) + texts_; }

private:
  struct entry {
    place at;
    typename Value::type value{};
  };

  /// Two events have one place only if positions mean nothing to their source: then the value decides.
  template <class T>
  static bool less(const place& at, const T& value, const entry& e) {
    if (at < e.at || e.at < at)
      return at < e.at;
    return total_less<Value>(value, e.value);
  }

  /// False when the value comes after all that are kept, and no more fit.
  template <class T>
  bool offer(const place& at, const T& value) {
    const bool last = entries_.empty() || !less(at, value, entries_.back());
    if (entries_.size() == options_.limit) {
      if (last)
        return false;
      texts_ -= heap_of(entries_.back().value);
      entries_.pop_back();
    }
    const auto to = last ? entries_.end()
                         : std::upper_bound(entries_.begin(), entries_.end(), at,
                                            [&](const place& p, const entry& e) { return less(p, value, e); });
    entry e;
    e.at = at;
    e.value = value;
    texts_ += heap_of(e.value);
    entries_.insert(to, std::move(e));
    return true;
  }

  config options_;
  std::vector<entry> entries_;
  std::size_t texts_ = 0;
};

} // namespace

made make_collect(argument_type argument, parameter_values parameters) {
  const auto limit = static_cast<std::size_t>(parameters[0].integer);
  return with_value_type(argument, [&]<class Value>() -> made {
    return make_sketches<collected<Value>>({limit, argument.value_or(data_type::int64)});
  });
}

} // namespace millrace::windows
