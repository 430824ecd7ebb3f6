// SPDX-License-Identifier: Apache-2.0
#include "messaging/subjects.hpp"

#include "tests/support/catch.hpp"

#include <vector>

namespace millrace {

TEST_CASE("names on the bus are those of the interface", "[subjects]") {
  CHECK(stream_name("trades", "events", 3) == "MILLRACE_trades_events_3");
  CHECK(stream_name("trades", state_stage("windows"), 0) == "MILLRACE_trades_state_windows_0");
  CHECK(subject("trades", "enriched", 7) == "millrace.trades.enriched.7");
  CHECK(subject("trades", "events", 7, "nats0") == "millrace.trades.events.7.nats0");
  CHECK(log_subjects("trades", "events", 1) ==
        std::vector<std::string>{"millrace.trades.events.1", "millrace.trades.events.1.>"});
  CHECK(source_stream_name("trades", 0) == "MILLRACE_trades_source_0");
  CHECK(results_subject("trades", "ohlc") == "millrace.trades.results.ohlc");
  CHECK(alert_subject("trades", "spike") == "millrace.trades.alert.spike");
  CHECK(rejected_stream_name("trades") == "MILLRACE_trades_rejected");
  CHECK(rejected_subjects("trades") == "millrace.trades.rejected.>");
  CHECK(rejected_subject("trades", "window", 2) == "millrace.trades.rejected.window.2");
  CHECK(membership_bucket("trades") == "MILLRACE_trades_members");
}

TEST_CASE("logs of one pipeline never share a subject", "[subjects]") {
  const std::vector<std::string> stages{"events", "enriched", "partials", "windows", "alerts", state_stage("windows")};
  std::vector<std::string> patterns{rejected_subjects("p")};
  for (const auto& stage : stages)
    for (std::uint32_t p = 0; p < 12; ++p)
      for (const auto& s : log_subjects("p", stage, p))
        patterns.push_back(s);
  for (std::size_t i = 0; i < patterns.size(); ++i)
    for (std::size_t j = 0; j < patterns.size(); ++j)
      if (i != j)
        CHECK_FALSE(subjects_overlap(patterns[i], patterns[j]));
  for (const auto& s : {results_subject("p", "w"), alert_subject("p", "r")})
    for (const auto& pattern : patterns)
      CHECK_FALSE(subjects_overlap(pattern, s));
}

TEST_CASE("a token is one printable word without wildcards", "[subjects]") {
  for (const auto* good : {"a", "A-b_c", "0", "a/b=c", "$KV"})
    CHECK(valid_token(good));
  for (const auto* bad : {"", "a.b", "*", ">", "a*", "a b", "a\tb", "a\n", "\x7f", "\xc3\xa4"})
    CHECK_FALSE(valid_token(bad));
  const auto refused = check_token("window", "a.b");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid);
  CHECK(refused.error().message.find("window 'a.b'") != std::string::npos);
}

TEST_CASE("subjects and filters are told apart", "[subjects]") {
  CHECK(valid_subject("a.b.c"));
  for (const auto* bad : {"", ".", "a.", ".a", "a..b", "a.*", "a.>", "a b"})
    CHECK_FALSE(valid_subject(bad));
  for (const auto* good : {"a", "a.*", "*.a", ">", "a.>"})
    CHECK(valid_filter(good));
  for (const auto* bad : {"", "a.>.b", "a.b*", "a..*", "a.>>"})
    CHECK_FALSE(valid_filter(bad));
}

TEST_CASE("a pattern covers what all its tokens match", "[subjects]") {
  CHECK(subject_covers("a.b", "a.b"));
  CHECK(subject_covers("a.*", "a.b"));
  CHECK(subject_covers("a.*", "a.*"));
  CHECK(subject_covers("a.>", "a.b.c"));
  CHECK(subject_covers("a.>", "a.*"));
  CHECK(subject_covers("a.>", "a.>"));
  CHECK(subject_covers(">", "a"));
  CHECK_FALSE(subject_covers("a.>", "a"));
  CHECK_FALSE(subject_covers("a.*", "a.>"));
  CHECK_FALSE(subject_covers("a.*", "a.b.c"));
  CHECK_FALSE(subject_covers("a.b", "a.*"));
  CHECK_FALSE(subject_covers("a.b", "a"));
  CHECK_FALSE(subject_covers("a", "a.b"));
  CHECK_FALSE(subject_covers("a.b", "a.c"));
}

TEST_CASE("overlap is what a subject in both would prove", "[subjects]") {
  // All patterns and subjects of up to three tokens over a small alphabet: overlap and coverage against enumeration.
  std::vector<std::string> subjects;
  std::vector<std::string> patterns;
  const auto grow = [](std::vector<std::string>& out, const std::vector<std::string>& words, std::size_t depth) {
    std::vector<std::string> level{words};
    out.insert(out.end(), level.begin(), level.end());
    for (std::size_t d = 1; d < depth; ++d) {
      std::vector<std::string> next;
      for (const auto& head : level)
        for (const auto& word : words)
          if (!head.ends_with('>'))
            next.push_back(head + "." + word);
      out.insert(out.end(), next.begin(), next.end());
      level = next;
    }
  };
  grow(subjects, {"a", "b"}, 4);
  grow(patterns, {"a", "*", ">"}, 3);
  const auto matches = [&](const std::string& pattern) {
    std::vector<bool> out;
    for (const auto& s : subjects)
      out.push_back(subject_covers(pattern, s));
    return out;
  };
  for (const auto& x : patterns) {
    const auto in_x = matches(x);
    for (const auto& y : patterns) {
      const auto in_y = matches(y);
      bool both = false;
      bool all = true;
      for (std::size_t i = 0; i < subjects.size(); ++i) {
        both = both || (in_x[i] && in_y[i]);
        all = all && (in_x[i] || !in_y[i]);
      }
      INFO(x << " and " << y);
      CHECK(subjects_overlap(x, y) == both);
      CHECK(subject_covers(x, y) == all);
    }
  }
}

} // namespace millrace
