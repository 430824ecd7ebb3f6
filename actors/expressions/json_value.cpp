// SPDX-License-Identifier: Apache-2.0
// JSON to values and back. The reader is a SAX handler, so that the kind of every number is decided by how it is
// written.
#include "actors/expressions/time.hpp"
#include "actors/expressions/value.hpp"
#include "messaging/codec/json_writer.hpp"

#include <nlohmann/json.hpp>

#include <limits>

namespace millrace::expressions {

namespace {

class reader : public nlohmann::json_sax<nlohmann::json> {
public:
  value take() { return error_.empty() ? std::move(root_) : value::failure(std::move(error_)); }

  bool null() override { return put(value{}); }
  bool boolean(bool v) override { return put(value::of_bool(v)); }
  bool number_integer(number_integer_t v) override { return put(value::of_int(v)); }
  bool number_unsigned(number_unsigned_t v) override {
    const bool fits = v <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return put(fits ? value::of_int(static_cast<std::int64_t>(v)) : value::of_uint(v));
  }
  bool number_float(number_float_t v, const string_t&) override { return put(value::of_double(v)); }
  bool string(string_t& v) override { return put(value::of_string(std::move(v))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_array() override { return close(); }
  bool end_object() override { return close(); }
  bool key(string_t& v) override {
    stack_.back().items.push_back(value::of_string(std::move(v)));
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    error_ = "not valid JSON at byte " + std::to_string(position);
    return false;
  }

private:
  struct level {
    bool object = false;
    value::items_type items;
  };

  bool open(bool object) {
    if (stack_.size() >= max_value_depth) {
      error_ = "JSON nested deeper than " + std::to_string(max_value_depth);
      return false;
    }
    stack_.push_back({object, {}});
    return true;
  }

  bool close() {
    auto top = std::move(stack_.back());
    stack_.pop_back();
    return put(top.object ? value::of_map(last_wins(std::move(top.items))) : value::of_list(std::move(top.items)));
  }

  /// JSON allows a member twice; as nearly everywhere, the last one counts.
  static value::items_type last_wins(value::items_type items) {
    constexpr std::size_t few = 32;
    if (items.size() > 2 * few)
      return items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      for (std::size_t k = i + 2; k + 1 < items.size();)
        if (items[k].s == items[i].s) {
          items[i + 1] = std::move(items[k + 1]);
          items.erase(items.begin() + static_cast<std::ptrdiff_t>(k),
                      items.begin() + static_cast<std::ptrdiff_t>(k) + 2);
        } else {
          k += 2;
        }
    return items;
  }

  bool put(value v) {
    if (stack_.empty())
      root_ = std::move(v);
    else
      stack_.back().items.push_back(std::move(v));
    return true;
  }

  std::vector<level> stack_;
  value root_;
  std::string error_;
};

void append_key_json(std::string& out, const value& key) {
  if (key.is(value_kind::string)) {
    codec::append_string(out, key.s);
    return;
  }
  out += '"';
  append_json(out, key);
  out += '"';
}

void append_items(std::string& out, const value& v) {
  const bool map = v.is(value_kind::map);
  out += map ? '{' : '[';
  for (std::size_t i = 0; i < v.items->size(); ++i) {
    if (map && i % 2 == 1)
      out += ':';
    else if (i > 0)
      out += ',';
    if (map && i % 2 == 0)
      append_key_json(out, (*v.items)[i]);
    else
      append_json(out, (*v.items)[i]);
  }
  out += map ? '}' : ']';
}

} // namespace

value parse_json(std::string_view text) {
  reader r;
  nlohmann::json::sax_parse(text.begin(), text.end(), &r);
  return r.take();
}

void append_json(std::string& out, const value& v) {
  switch (v.what) {
  case value_kind::null:
  case value_kind::error: out += "null"; break;
  case value_kind::boolean: out += v.b ? "true" : "false"; break;
  case value_kind::int64: codec::append_int(out, v.i); break;
  case value_kind::uint64: codec::append_uint(out, v.u); break;
  case value_kind::float64: codec::append_double(out, v.d); break;
  case value_kind::string:
  case value_kind::type: codec::append_string(out, v.s); break;
  case value_kind::bytes: codec::append_base64(out, v.s); break;
  case value_kind::timestamp: out += '"' + format_timestamp(v.i, v.nanos, fraction::groups) + '"'; break;
  case value_kind::duration: out += '"' + format_duration(v.i) + '"'; break;
  case value_kind::optional: append_json(out, v.is_none() ? value{} : v.items->front()); break;
  case value_kind::list:
  case value_kind::map: append_items(out, v); break;
  }
}

} // namespace millrace::expressions
