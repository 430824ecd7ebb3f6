// SPDX-License-Identifier: Apache-2.0
// Ad events as in the Yahoo streaming benchmark (github.com/yahoo/streaming-benchmarks): 100 campaigns of ten ads.
#include "services/generate/kinds.hpp"
#include "services/generate/random.hpp"

#include <array>
#include <vector>

namespace millrace::generate {

namespace {

constexpr std::size_t campaigns = 100;
constexpr std::size_t ads = 1000;
constexpr std::size_t pages = 100;
constexpr std::size_t users = 100;
constexpr std::array<std::string_view, 5> ad_types{"banner", "modal", "sponsored-search", "mail", "mobile"};
constexpr std::array<std::string_view, 3> event_types{"view", "click", "purchase"};

/// Identifiers must not depend on the seed: the table is the same for all events.
std::vector<std::string> make_ids(std::size_t count, std::uint64_t seed) {
  random r{seed};
  std::vector<std::string> out(count);
  constexpr std::string_view hex = "0123456789abcdef";
  for (auto& id : out) {
    for (std::size_t i = 0; i < 32; ++i) {
      if (i == 8 || i == 12 || i == 16 || i == 20)
        id += '-';
      // Version 4, variant 1 of RFC 4122.
      const auto nibble = r.below(16);
      id += i == 12 ? '4' : hex[i == 16 ? 8 + nibble % 4 : nibble];
    }
  }
  return out;
}
std::vector<std::string> ad_ids() { return make_ids(ads, 1); }
std::vector<std::string> campaign_ids() { return make_ids(campaigns, 2); }

class ysb final : public maker {
public:
  explicit ysb(std::uint64_t seed)
    : random_{seed}, ads_{ad_ids()}, pages_{make_ids(pages, 3)}, users_{make_ids(users, 4)} {}

  void write(line& out, std::uint64_t, std::int64_t time) override {
    // One draw for everything: its parts are independent enough for a benchmark's load.
    const auto pick = [](std::uint64_t& bits, std::uint64_t n) {
      const auto out_of = static_cast<std::size_t>(bits % n);
      bits /= n;
      return out_of;
    };
    auto bits = random_.next() >> 1;
    out << R"({"user_id":")" << users_[pick(bits, users)] << R"(","page_id":")" << pages_[pick(bits, pages)];
    out << R"(","ad_id":")" << ads_[pick(bits, ads)] << R"(","ad_type":")" << ad_types[pick(bits, ad_types.size())];
    out << R"(","event_type":")" << event_types[pick(bits, event_types.size())] << R"(","event_time":)";
    out.number(static_cast<std::uint64_t>(time / 1'000'000)) << R"(,"ip_address":"10.)";
    out.number(pick(bits, 256)) << ".";
    out.number(pick(bits, 256)) << ".";
    out.number(pick(bits, 256)) << "\"}";
  }

private:
  random random_;
  std::vector<std::string> ads_;
  std::vector<std::string> pages_;
  std::vector<std::string> users_;
};

} // namespace

std::unique_ptr<maker> make_ysb(std::uint64_t seed, double) { return std::make_unique<ysb>(seed); }

std::string ysb_table() {
  line out;
  out << "ad_id,campaign_id\n";
  const auto names = campaign_ids();
  const auto ids = ad_ids();
  for (std::size_t i = 0; i < ids.size(); ++i)
    out << ids[i] << "," << names[i / (ads / campaigns)] << "\n";
  return std::move(out.text());
}

} // namespace millrace::generate
