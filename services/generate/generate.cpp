// SPDX-License-Identifier: Apache-2.0
#include "services/generate/generate.hpp"

#include "services/generate/kinds.hpp"
#include "services/generate/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <vector>

namespace millrace::generate {

namespace {

constexpr std::array all_kinds{kind{"trades", 20, &make_trades, &trades_table},
                               kind{"sensors", 50, &make_sensors, &sensors_table},
                               kind{"ysb", 10'000, &make_ysb, &ysb_table}};

const kind* find(std::string_view name) noexcept {
  const auto at = std::find_if(all_kinds.begin(), all_kinds.end(), [&](const kind& k) { return k.name == name; });
  return at == all_kinds.end() ? nullptr : at;
}

/// Why the options cannot be used, or empty.
std::string problem(const options& o) {
  if (o.kind == "nexmark")
    return "`nexmark` is not supported in this version";
  if (!find(o.kind))
    return "unknown kind `" + o.kind + "`; known: trades, sensors, ysb";
  if (!(o.rate >= 0.001 && o.rate <= 1e9) && o.rate != 0)
    return "the rate is between 0.001 and 1000000000 events per second";
  if (o.disorder < 0 || o.disorder > std::int64_t{86'400} * 1'000'000'000)
    return "the disorder is between 0 and one day";
  if (!(o.late >= 0 && o.late <= 1))
    return "`late` is a fraction between 0 and 1";
  if (!(o.duplicates >= 0 && o.duplicates <= 1))
    return "`duplicates` is a fraction between 0 and 1";
  const auto rate = o.rate > 0 ? o.rate : find(o.kind)->rate;
  if (static_cast<double>(o.events) / rate > 3e9)
    return "so many events at this rate would leave the range of timestamps";
  return {};
}

/// Decides when events happen and which lines come twice. Has its own random numbers, so that these options do not
/// change what the events say.
class schedule {
public:
  schedule(const options& o, double rate)
    : random_{o.seed ^ 0x5bf0'3635'dcf5'1d2aU}, period_{std::llround(1e9 / rate)}, disorder_{o.disorder},
      late_{chance(o.late)}, duplicate_{chance(o.duplicates)} {}

  std::int64_t time(std::uint64_t i) noexcept {
    auto t = start_time + static_cast<std::int64_t>(i) * period_;
    if (disorder_ > 0)
      t -= back(disorder_);
    if (late_ > 0 && hit(late_))
      t -= disorder_ + minute * 5 + back(minute * 10);
    return t;
  }
  bool repeats() noexcept { return duplicate_ > 0 && hit(duplicate_); }
  std::uint32_t pick(std::uint32_t n) noexcept { return random_.below(n); }

private:
  static constexpr std::int64_t minute = 60'000'000'000;
  static constexpr std::uint32_t certain = 1'000'000'000;

  static std::uint32_t chance(double fraction) noexcept {
    return static_cast<std::uint32_t>(std::llround(fraction * certain));
  }
  bool hit(std::uint32_t of_certain) noexcept { return random_.below(certain) < of_certain; }
  /// From [0, most], in whole milliseconds where that makes sense.
  std::int64_t back(std::int64_t most) noexcept {
    const std::int64_t step = most >= 1'000'000 ? 1'000'000 : 1;
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint32_t>(most / step + 1))) * step;
  }

  random random_;
  std::int64_t period_;
  std::int64_t disorder_;
  std::uint32_t late_;
  std::uint32_t duplicate_;
};

/// The last lines, for repeating one of them.
class memory {
public:
  void keep(std::string_view text) {
    lines_[next_ % lines_.size()].assign(text);
    ++next_;
  }
  bool empty() const noexcept { return next_ == 0; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(std::min(next_, lines_.size())); }
  const std::string& operator[](std::size_t i) const noexcept { return lines_[i]; }

private:
  std::array<std::string, 8> lines_;
  std::size_t next_ = 0;
};

bool write_events(const options& o, const kind& k, std::ostream& out) {
  const auto rate = o.rate > 0 ? o.rate : k.rate;
  const auto make = k.make(o.seed, rate);
  schedule when{o, rate};
  memory recent;
  line buffer;
  constexpr std::size_t chunk = 1U << 18;
  buffer.text().reserve(chunk + 4096);
  for (std::uint64_t i = 0, made = 0; i < o.events && out; ++i) {
    if (!recent.empty() && when.repeats()) {
      buffer << recent[when.pick(recent.size())];
    } else {
      const auto from = buffer.size();
      make->write(buffer, made, when.time(i));
      ++made;
      if (o.duplicates > 0)
        recent.keep(std::string_view{buffer.text()}.substr(from));
    }
    buffer << "\n";
    if (buffer.size() >= chunk) {
      out.write(buffer.text().data(), static_cast<std::streamsize>(buffer.size()));
      buffer.text().clear();
    }
  }
  out.write(buffer.text().data(), static_cast<std::streamsize>(buffer.size()));
  out.flush();
  return static_cast<bool>(out);
}

} // namespace

std::span<const kind> registry() noexcept { return all_kinds; }

std::span<const std::string_view> kinds() noexcept {
  static constexpr auto names = [] {
    std::array<std::string_view, all_kinds.size()> out{};
    std::transform(all_kinds.begin(), all_kinds.end(), out.begin(), [](const kind& k) { return k.name; });
    return out;
  }();
  return names;
}

double default_rate(std::string_view name) noexcept {
  const auto* k = find(name);
  return k ? k->rate : 0;
}

std::string table(std::string_view name) {
  const auto* k = find(name);
  return k ? k->table() : std::string{};
}

int run(const options& o, std::ostream& out, std::ostream& err) {
  if (const auto text = problem(o); !text.empty()) {
    err << "generate: " << text << '\n';
    return 2;
  }
  const auto& k = *find(o.kind);
  if (!o.table.empty()) {
    std::ofstream file{o.table, std::ios::binary | std::ios::trunc};
    file << k.table();
    file.close();
    if (!file) {
      err << "generate: the table cannot be written to `" << o.table << "`\n";
      return 3;
    }
  }
  if (write_events(o, k, out))
    return 0;
  err << "generate: the events cannot be written\n";
  return 3;
}

int run(const options& o, std::ostream& out) { return run(o, out, std::cerr); }

} // namespace millrace::generate
