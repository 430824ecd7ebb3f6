// SPDX-License-Identifier: Apache-2.0
#include "services/http/query_api.hpp"

#include "messaging/codec/json_writer.hpp"
#include "services/http/openapi.hpp"
#include "services/http/time_text.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

namespace millrace::http {

namespace {

constexpr std::size_t default_limit = 100;
constexpr std::size_t most_items = 10'000;

error bad_parameter(std::string_view name, std::string_view why) {
  return {ec::invalid, "parameter " + std::string{name} + ": " + std::string{why}, ""};
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// `a, b, c`, for messages.
std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names)
    out += (out.empty() ? "" : ", ") + n;
  return out.empty() ? "none" : out;
}

/// True for the JSON texts true, false, null and numbers as JSON writes them (`007` and `.5` are none).
bool is_json_scalar(std::string_view text) {
  if (text == "true" || text == "false" || text == "null")
    return true;
  auto digits = text;
  if (!digits.empty() && digits.front() == '-')
    digits.remove_prefix(1);
  if (digits.empty() || digits.front() < '0' || digits.front() > '9')
    return false;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
    return false;
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc{} && end == text.data() + text.size();
}

using filters = std::vector<std::pair<std::string, std::string>>;

/// A value in a URL has no type: it stands for the string and, if it looks like one, for the number or boolean.
void add_filter(filters& out, std::string_view field, std::string_view value) {
  std::string quoted;
  codec::append_string(quoted, value);
  out.emplace_back(field, std::move(quoted));
  if (is_json_scalar(value))
    out.emplace_back(field, value);
}

/// Takes the parameters that lists share into `q`; false: not one of them.
template <class Query>
result<bool> take_common(Query& q, std::string_view name, const std::string& value) {
  if (name == "limit") {
    std::size_t n = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (failure != std::errc{} || end != value.data() + value.size() || n < 1 || n > most_items)
      return bad_parameter(name, "a number from 1 to 10000 is wanted, not \"" + value + '"');
    q.limit = n;
  } else if (name == "order") {
    if (value != "asc" && value != "desc")
      return bad_parameter(name, "asc or desc is wanted, not \"" + value + '"');
    q.descending = value == "desc";
  } else if (name == "from" || name == "to") {
    // An empty bound is no bound, as in `from=&to=`.
    const auto time = parse_time(value);
    if (!value.empty() && !time)
      return bad_parameter(name, "an RFC 3339 time is wanted, like 2026-11-20T13:00:00Z, not \"" + value + '"');
    (name == "from" ? q.from : q.to) = value.empty() ? std::nullopt : time;
  } else if (name == "cursor") {
    q.cursor = value;
  } else {
    return false;
  }
  return true;
}

/// Takes every parameter into `q`, those that lists do not share through `own`. A name given twice is an error, or
/// half of a query would silently not count.
template <class Query, class Own>
result<void> take_parameters(Query& q, const request& r, std::string_view known, Own own) {
  q.limit = default_limit;
  q.descending = true;
  std::string_view previous;
  for (const auto& [name, value] : r.parameters) {
    if (name == previous)
      return bad_parameter(name, "it is given twice");
    previous = name;
    auto taken = own(name, value);
    if (taken && !*taken)
      taken = take_common(q, name, value);
    if (!taken)
      return std::move(taken).error();
    if (!*taken)
      return error{ec::invalid, "unknown parameter " + name, "known: " + std::string{known}};
  }
  return {};
}

class query_api {
public:
  query_api(query_options o, std::shared_ptr<storage::store_reader> r) : options_{std::move(o)}, reader_{std::move(r)} {
    for (const auto& w : options_.windows)
      window_names_.push_back(w.name);
  }

  response windows(const request& r) const {
    return answer([&] { return windows_answer(r); });
  }
  response alerts(const request& r) const {
    return answer([&] { return alerts_answer(r); });
  }
  response events(const request& r) const {
    return answer([&] { return events_answer(r); });
  }

private:
  /// Adds the watermark to whatever `make` answers, errors too.
  response answer(const std::function<response()>& make) const {
    const auto watermark = reader_->watermark(options_.pipeline);
    auto r = watermark ? make() : error_response(watermark.error());
    r.headers.emplace_back("Millrace-Watermark", watermark_text(watermark ? *watermark : no_watermark));
    return r;
  }

  static response list(const result<storage::page>& p) {
    if (!p)
      return error_response(p.error());
    response r;
    std::size_t size = 64;
    for (const auto& item : p->items)
      size += item.size() + 1;
    r.body.reserve(size);
    r.body = R"({"items":[)";
    for (std::size_t i = 0; i < p->items.size(); ++i) {
      if (i != 0)
        r.body += ',';
      r.body += p->items[i];
    }
    r.body += R"(],"next":)";
    if (p->next.empty())
      r.body += "null";
    else
      codec::append_string(r.body, p->next);
    r.body += "}\n";
    return r;
  }

  response windows_answer(const request& r) const {
    auto name = std::string_view{r.rest};
    constexpr std::string_view latest = "/latest";
    const bool newest = name.size() > latest.size() && name.substr(name.size() - latest.size()) == latest;
    if (newest)
      name.remove_suffix(latest.size());
    const auto w =
      std::find_if(options_.windows.begin(), options_.windows.end(), [&](const auto& x) { return x.name == name; });
    if (w == options_.windows.end())
      return error_response(404, "not_found",
                            "no window named \"" + std::string{name} + "\" in pipeline " + options_.pipeline +
                              "; there are: " + join(window_names_));
    storage::window_query q;
    q.pipeline = options_.pipeline;
    q.window = name;
    if (auto taken = take_window_parameters(q, r, *w, newest); !taken)
      return error_response(taken.error());
    if (!newest)
      return list(reader_->windows(q));
    auto p = reader_->latest(q);
    if (q.key.empty() || !p)
      return list(p);
    if (p->items.empty())
      return error_response(404, "not_found", "no result of window " + q.window + " has this key");
    response one;
    one.body = std::move(p->items.front()) + '\n';
    return one;
  }

  static result<void> take_window_parameters(storage::window_query& q, const request& r, const queryable_window& w,
                                             bool newest) {
    // `latest` is one record per key: there is no order to choose and no range.
    const auto known = newest ? "key.<field>, limit, cursor" : "key.<field>, from, to, limit, order, cursor";
    return take_parameters(q, r, known, [&](const std::string& name, const std::string& value) -> result<bool> {
      constexpr std::string_view prefix = "key.";
      if (name.rfind(prefix, 0) == 0) {
        const auto field = name.substr(prefix.size());
        if (!contains(w.key, field))
          return bad_parameter(name, "the key of window " + w.name + " is: " + join(w.key));
        add_filter(q.key, field, value);
        return true;
      }
      if (newest && (name == "from" || name == "to" || name == "order"))
        return bad_parameter(name, "latest does not take it");
      return false;
    });
  }

  response alerts_answer(const request& r) const {
    storage::alert_query q;
    q.pipeline = options_.pipeline;
    const auto own = [&](const std::string& name, const std::string& value) -> result<bool> {
      if (name == "state") {
        if (!value.empty() && value != "pending" && value != "firing" && value != "resolved")
          return bad_parameter(name, "pending, firing or resolved is wanted, not \"" + value + '"');
        q.state = value;
        return true;
      }
      if (name == "rule") {
        if (!value.empty() && !contains(options_.rules, value))
          return bad_parameter(name, "no rule \"" + value + "\"; there are: " + join(options_.rules));
        q.rule = value;
        return true;
      }
      return false;
    };
    if (auto taken = take_parameters(q, r, "state, rule, from, to, limit, order, cursor", own); !taken)
      return error_response(taken.error());
    return list(reader_->alerts(q));
  }

  response events_answer(const request& r) const {
    if (!options_.events)
      return error_response(404, "not_found",
                            "pipeline " + options_.pipeline + " keeps no events; set storage.events: true");
    storage::event_query q;
    q.pipeline = options_.pipeline;
    const auto own = [&](const std::string& name, const std::string& value) -> result<bool> {
      // `field.limit` reaches a field that is named like a parameter.
      constexpr std::string_view prefix = "field.";
      const bool prefixed = name.rfind(prefix, 0) == 0;
      const auto field = prefixed ? name.substr(prefix.size()) : name;
      const bool reserved =
        !prefixed && (name == "from" || name == "to" || name == "limit" || name == "order" || name == "cursor");
      if (reserved || !contains(options_.event_fields, field))
        return false;
      add_filter(q.match, field, value);
      return true;
    };
    if (auto taken = take_parameters(q, r, "<field>, field.<field>, from, to, limit, order, cursor", own); !taken)
      return error_response(taken.error());
    return list(reader_->events(q));
  }

  query_options options_;
  std::shared_ptr<storage::store_reader> reader_;
  std::vector<std::string> window_names_;
};

} // namespace

void add_query_routes(server& s, query_options options, std::shared_ptr<storage::store_reader> reader) {
  const auto api = std::make_shared<const query_api>(std::move(options), std::move(reader));
  s.get("/v1/windows/*", [api](const request& r) { return api->windows(r); });
  s.get("/v1/alerts", [api](const request& r) { return api->alerts(r); });
  s.get("/v1/events", [api](const request& r) { return api->events(r); });
  s.get("/openapi.json", [](const request&) { return response{200, std::string{openapi_text()}}; });
}

} // namespace millrace::http
