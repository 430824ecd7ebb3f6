// SPDX-License-Identifier: Apache-2.0
// Fifty sensors that report in turn; every ten minutes one of them overheats for three.
#include "services/generate/kinds.hpp"
#include "services/generate/random.hpp"

#include <algorithm>
#include <array>

namespace millrace::generate {

namespace {

struct sensor_kind {
  std::string_view name;
  /// Hundredths of a degree.
  std::int64_t usual, limit;
};

constexpr std::array sensor_kinds{sensor_kind{"freezer", -1800, -1200}, sensor_kind{"cold-room", 400, 800},
                                  sensor_kind{"hall", 2100, 2800}, sensor_kind{"server-room", 2400, 3200},
                                  sensor_kind{"boiler", 6500, 7800}};
constexpr std::array<std::string_view, 4> sites{"berlin", "lyon", "porto", "turin"};
constexpr std::size_t sensor_count = 50;

const sensor_kind& kind_of(std::size_t i) noexcept { return sensor_kinds[i % sensor_kinds.size()]; }

line& write_id(line& out, std::size_t i) {
  out << "s-";
  return out.padded(i + 1, 3);
}

/// Excess of a fault in hundredths of a degree, so many seconds into its ten minutes.
std::int64_t excess(std::int64_t seconds) noexcept {
  constexpr std::int64_t top = 2500;
  if (seconds < 60 || seconds >= 240)
    return 0;
  return seconds < 90 ? top * (seconds - 60) / 30 : (seconds < 210 ? top : top * (240 - seconds) / 30);
}

class sensors final : public maker {
public:
  explicit sensors(std::uint64_t seed) : random_{seed}, first_fault_{seed % sensor_count} {
    for (std::size_t i = 0; i < sensor_count; ++i) {
      temperature_[i] = kind_of(i).usual;
      humidity_[i] = 400 + random_.below(200);
      battery_[i] = 60 + random_.below(41);
    }
  }

  void write(line& out, std::uint64_t i, std::int64_t time) override {
    const auto s = static_cast<std::size_t>(i % sensor_count);
    const auto usual = kind_of(s).usual;
    // Back towards the usual value by a tenth, so that the walk stays near it.
    temperature_[s] += (usual - temperature_[s]) / 10 + random_.around(20);
    humidity_[s] = std::clamp<std::int64_t>(humidity_[s] + random_.around(3), 200, 900);
    if (battery_[s] > 5 && random_.below(20'000) == 0)
      --battery_[s];
    out << R"({"sensor_id":")";
    write_id(out, s) << R"(","ts":")";
    out.time(time) << R"(","temperature":)";
    out.hundredths(temperature_[s] + excess_of(s, time)) << R"(,"humidity":)";
    out.hundredths(humidity_[s] * 10);
    // Sensors report their battery now and then only.
    if (random_.below(4) == 0)
      (out << R"(,"battery":)").number(static_cast<std::uint64_t>(battery_[s]));
    out << "}";
  }

private:
  std::int64_t excess_of(std::size_t sensor, std::int64_t time) const noexcept {
    const auto seconds = (time - start_time) / 1'000'000'000;
    if (seconds < 0)
      return 0;
    const auto cycle = static_cast<std::uint64_t>(seconds) / 600;
    return sensor == (cycle * 11 + 7 + first_fault_) % sensor_count ? excess(seconds % 600) : 0;
  }

  random random_;
  std::uint64_t first_fault_;
  std::array<std::int64_t, sensor_count> temperature_{};
  std::array<std::int64_t, sensor_count> humidity_{};
  std::array<std::int64_t, sensor_count> battery_{};
};

} // namespace

std::unique_ptr<maker> make_sensors(std::uint64_t seed, double) { return std::make_unique<sensors>(seed); }

std::string sensors_table() {
  line out;
  out << "sensor_id,site,kind,unit,limit\n";
  for (std::size_t i = 0; i < sensor_count; ++i) {
    write_id(out, i) << "," << sites[i / 13] << "," << kind_of(i).name << ",celsius,";
    out.hundredths(kind_of(i).limit) << "\n";
  }
  return std::move(out.text());
}

} // namespace millrace::generate
