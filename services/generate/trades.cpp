// SPDX-License-Identifier: Apache-2.0
// Trades of twenty instruments: random walks, with a rally every quarter of an hour that an alert can notice.
#include "services/generate/kinds.hpp"
#include "services/generate/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::generate {

namespace {

struct instrument {
  std::string_view symbol, name, sector, risk_level;
  std::uint32_t dollars;
};

constexpr std::array instruments{instrument{"AAPL", "Apple", "technology", "medium", 189},
                                 instrument{"MSFT", "Microsoft", "technology", "low", 412},
                                 instrument{"NVDA", "Nvidia", "technology", "high", 135},
                                 instrument{"GOOG", "Alphabet", "communication", "medium", 172},
                                 instrument{"META", "Meta Platforms", "communication", "high", 495},
                                 instrument{"NFLX", "Netflix", "communication", "high", 640},
                                 instrument{"AMZN", "Amazon", "consumer", "medium", 181},
                                 instrument{"TSLA", "Tesla", "consumer", "high", 247},
                                 instrument{"KO", "Coca-Cola", "consumer", "low", 63},
                                 instrument{"PG", "Procter & Gamble", "consumer", "low", 166},
                                 instrument{"JPM", "JPMorgan Chase", "finance", "medium", 201},
                                 instrument{"GS", "Goldman Sachs", "finance", "high", 468},
                                 instrument{"V", "Visa", "finance", "low", 275},
                                 instrument{"XOM", "Exxon Mobil", "energy", "medium", 114},
                                 instrument{"CVX", "Chevron", "energy", "medium", 157},
                                 instrument{"JNJ", "Johnson & Johnson", "health", "low", 152},
                                 instrument{"PFE", "Pfizer", "health", "medium", 28},
                                 instrument{"UNH", "UnitedHealth", "health", "medium", 505},
                                 instrument{"CAT", "Caterpillar", "industry", "medium", 338},
                                 instrument{"BA", "Boeing", "industry", "high", 184}};

constexpr std::array<std::string_view, 5> venues{"XNAS", "XNYS", "ARCX", "BATS", "IEXG"};
constexpr std::int64_t million = 1'000'000;

/// How much a rally has lifted a price, in millionths, so many milliseconds into its quarter of an hour: four
/// minutes up (at least 7 % a minute), two flat, eight down.
std::int64_t lift(std::int64_t ms) noexcept {
  constexpr std::int64_t top = 400'000;
  if (ms < 60'000 || ms >= 900'000)
    return 0;
  if (ms < 300'000)
    return top * (ms - 60'000) / 240'000;
  return ms < 420'000 ? top : top * (900'000 - ms) / 480'000;
}

class trades final : public maker {
public:
  trades(std::uint64_t seed, double rate) : random_{seed}, first_rally_{seed % instruments.size()} {
    for (std::size_t i = 0; i < instruments.size(); ++i)
      price_[i] = std::int64_t{instruments[i].dollars} * million;
    // The same volatility per minute at every rate: steps shrink with the root of their number.
    step_ = static_cast<std::uint32_t>(std::clamp(500'000.0 * std::sqrt(20.0 / rate), 1.0, 5'000'000.0));
  }

  void write(line& out, std::uint64_t i, std::int64_t time) override {
    const auto s = random_.below(static_cast<std::uint32_t>(instruments.size()));
    const auto& what = instruments[s];
    const auto base = std::int64_t{what.dollars} * million;
    auto& price = price_[s];
    price = std::clamp(price + price * random_.around(step_) / 1'000'000'000, base / 2, base * 2);
    const auto cents = price * (million + lift_of(s, time)) / million / 10'000;
    out << R"({"trade_id":"t)";
    out.padded(i + 1, 9) << R"(","symbol":")" << what.symbol << R"(","price":)";
    out.hundredths(cents) << R"(,"size":)";
    out.number(size()) << R"(,"ts":")";
    out.time(time) << R"(","meta":{)";
    // Some sources do not say where a trade was made.
    if (const auto v = random_.below(250); v < 245)
      out << R"("venue":")" << venues[v % venues.size()] << "\"";
    out << "}}";
  }

private:
  std::int64_t lift_of(std::size_t symbol, std::int64_t time) const noexcept {
    const auto ms = (time - start_time) / million;
    if (ms < 0)
      return 0;
    const auto cycle = static_cast<std::uint64_t>(ms) / 900'000;
    return symbol == (cycle * 7 + 3 + first_rally_) % instruments.size() ? lift(ms % 900'000) : 0;
  }

  /// Mostly round lots; one in 500 was cancelled and has none.
  std::uint64_t size() noexcept {
    const auto r = random_.below(1000);
    if (r < 2)
      return 0;
    return r < 700 ? (1 + r % 9) * 100 : 1 + r % 97;
  }

  random random_;
  std::uint64_t first_rally_;
  std::uint32_t step_ = 0;
  std::array<std::int64_t, instruments.size()> price_{};
};

} // namespace

std::unique_ptr<maker> make_trades(std::uint64_t seed, double rate) { return std::make_unique<trades>(seed, rate); }

std::string trades_table() {
  line out;
  out << "symbol,name,sector,risk_level\n";
  for (const auto& i : instruments)
    out << i.symbol << "," << i.name << "," << i.sector << "," << i.risk_level << "\n";
  return std::move(out.text());
}

} // namespace millrace::generate
