// SPDX-License-Identifier: Apache-2.0
#include "services/cli/test.hpp"

#include "actors/runtime/clock.hpp"
#include "services/cli/test_file.hpp"
#include "services/cli/test_match.hpp"
#include "services/cli/test_run.hpp"
#include "services/cli/test_update.hpp"
#include "services/pipeline/reader.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <ostream>

namespace millrace::cli {

namespace {

constexpr int exit_differs = 1;
constexpr int exit_config = 2;
constexpr int exit_runtime = 3;
/// Differences shown of one section.
constexpr std::size_t most_shown = 10;

std::string text_of(const error& e) { return e.message + (e.hint.empty() ? "" : "; " + e.hint); }

result<std::string> read_text(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad())
    return error{ec::io, "cannot read " + path, ""};
  return text;
}

/// The old contents stay until the new ones are whole.
result<void> write_text(const std::string& path, const std::string& text) {
  const auto next = path + ".new";
  std::ofstream out{next, std::ios::binary | std::ios::trunc};
  out << text;
  out.close();
  if (!out || std::rename(next.c_str(), path.c_str()) != 0)
    return error{ec::io, "cannot write " + path, ""};
  return {};
}

/// What one case came to.
struct verdict {
  const test_case* what = nullptr;
  test_records records;
  std::array<match_outcome, 3> sections;
  /// Why it could not run; empty: it did.
  std::string problem;
  std::int64_t ns = 0;

  bool ok() const {
    return problem.empty() && what->expects() &&
           std::all_of(sections.begin(), sections.end(), [](const auto& s) { return s.ok(); });
  }
};

/// The windows and rules of a pipeline by name.
std::vector<std::string> names_of(const pipeline::definition& d) {
  std::vector<std::string> out;
  for (std::size_t i = 0; d.windows && i < d.windows->size(); ++i)
    out.push_back(d.windows->window(i).name);
  for (std::size_t i = 0; d.alerts && i < d.alerts->size(); ++i)
    out.push_back(d.alerts->rule(i).name);
  return out;
}

/// Errors: `only` names what the pipeline does not know.
result<void> check_only(const pipeline::definition& d, const test_case& c) {
  if (c.only.empty())
    return {};
  const auto known = names_of(d);
  for (const auto& n : c.only)
    if (std::find(known.begin(), known.end(), n->text) == known.end())
      return error{ec::config, "line " + std::to_string(n->line + 1) + ": no window or rule is named `" + n->text + "`",
                   pipeline::suggest(n->text, known)};
  return {};
}

verdict judge(const pipeline::definition_ptr& d, const test_file& f, const test_case& c) {
  verdict v;
  v.what = &c;
  const auto clock = runtime::machine_clock();
  const auto begin = clock.steady();
  const auto named = check_only(*d, c);
  auto records = named ? run_test(d, c, f.folder) : result<test_records>{named.error()};
  if (records) {
    v.records = std::move(*records);
    for (std::size_t k = 0; k < v.sections.size(); ++k)
      if (c.expect[k])
        v.sections[k] = match(*c.expect[k], v.records[k]);
  } else {
    v.problem = text_of(records.error());
  }
  v.ns = clock.steady() - begin;
  return v;
}

class reporter {
public:
  reporter(std::ostream& out, bool colours) : out_{out}, colours_{colours} {}

  void line(const verdict& v, std::string_view word);
  void differences(const test_file& f, const verdict& v);

private:
  std::string painted(std::string_view text, std::string_view colour) const {
    return colours_ ? "\033[" + std::string{colour} + "m" + std::string{text} + "\033[0m" : std::string{text};
  }
  void minus(const std::string& text) { out_ << painted("    - " + text, "31") << '\n'; }
  void plus(const std::string& text) { out_ << painted("    + " + text, "32") << '\n'; }
  void missing(const test_file& f, std::string_view section, const unmet& u, const std::vector<record_json>& found);

  std::ostream& out_;
  bool colours_;
};

void reporter::line(const verdict& v, std::string_view word) {
  char ms[32];
  std::snprintf(ms, sizeof ms, "%.1f", static_cast<double>(v.ns) / 1e6);
  out_ << painted(word, word == "FAILED" ? "31" : "32") << ' ' << v.what->name << " (" << ms << " ms)\n";
}

void reporter::missing(const test_file& f, std::string_view section, const unmet& u,
                       const std::vector<record_json>& found) {
  out_ << "  " << f.path << ':' << u.expected->line + 1 << ": " << section << ": ";
  if (!u.nearest) {
    out_ << "expected, not produced\n";
    return minus(flow_yaml(*u.expected));
  }
  const auto& r = found[*u.nearest];
  out_ << "the nearest record differs\n      ";
  for (const auto* name : {"window", "rule", "stage", "reason", "key", "start", "seq", "state", "at", "version"})
    if (r.contains(name))
      out_ << name << ": " << flow_yaml(r[name]) << "  ";
  out_ << '\n';
  for (const auto& d : u.differences) {
    minus(d.member + ": " + d.expected);
    plus(d.member + ": " + d.found);
  }
}

void reporter::differences(const test_file& f, const verdict& v) {
  if (!v.problem.empty()) {
    out_ << "  " << v.problem << '\n';
    return;
  }
  if (!v.what->expects()) {
    out_ << "  " << f.path << ':' << v.what->node->line + 1
         << ": the test expects nothing; write `expect`, or take over what came out with --update:\n";
    for (std::size_t k = 0; k < v.records.size(); ++k) {
      out_ << "    " << record_sections[k] << ":" << (v.records[k].empty() ? " []\n" : "\n");
      for (std::size_t i = 0; i < std::min(most_shown, v.records[k].size()); ++i)
        plus(flow_yaml(v.records[k][i]));
    }
    return;
  }
  for (std::size_t k = 0; k < v.sections.size(); ++k) {
    const auto& s = v.sections[k];
    std::size_t shown = 0;
    for (const auto& u : s.missing)
      if (shown++ < most_shown)
        missing(f, record_sections[k], u, v.records[k]);
    if (!s.extra.empty() && shown < most_shown)
      out_ << "  " << record_sections[k] << ": produced, not expected\n";
    for (const auto i : s.extra)
      if (shown++ < most_shown)
        plus(flow_yaml(v.records[k][i]));
    if (shown > most_shown)
      out_ << "  " << record_sections[k] << ": and " << shown - most_shown << " more differences\n";
  }
}

class test_command {
public:
  test_command(const test_options& o, std::ostream& out, std::ostream& err)
    : options_{o}, err_{err}, report_{out, o.colours} {}

  int run();

private:
  void run_file(const std::string& path);
  void broken(const error& e, int code);
  bool findings(const std::vector<pipeline::located_diagnostic>& list);
  result<void> update(const std::string& text, const test_file& f, const std::vector<verdict>& all,
                      const pipeline::definition_ptr& d);

  const test_options& options_;
  std::ostream& err_;
  reporter report_;
  std::size_t tests_ = 0;
  std::size_t failed_ = 0;
  std::size_t updated_ = 0;
  int code_ = 0;
};

void test_command::broken(const error& e, int code) {
  err_ << "error: " << text_of(e) << '\n';
  code_ = std::max(code_, code);
}

/// Prints errors; true when there are any.
bool test_command::findings(const std::vector<pipeline::located_diagnostic>& list) {
  bool any = false;
  for (const auto& f : list)
    if (f.is_error) {
      any = true;
      err_ << to_string(f) << '\n';
    }
  return any;
}

/// Writes the new text only if it reads back as tests that hold.
result<void> test_command::update(const std::string& text, const test_file& f, const std::vector<verdict>& all,
                                  const pipeline::definition_ptr& d) {
  std::vector<accepted_case> accepted;
  for (const auto& v : all)
    if (!v.ok() && v.problem.empty())
      accepted.push_back({v.what, &v.records});
  if (accepted.empty())
    return {};
  auto made = accept_records(text, accepted);
  if (!made)
    return made.error();
  const auto again = read_test_file(*made, f.path);
  bool good = again.value && again.value->tests.size() == f.tests.size();
  for (std::size_t i = 0; good && i < f.tests.size(); ++i)
    good = !all[i].problem.empty() || judge(d, *again.value, again.value->tests[i]).ok();
  if (!good)
    return error{ec::unsupported, f.path + ": --update does not understand how this file is laid out",
                 "indent what is below `expect:` by more than it"};
  if (auto r = write_text(f.path, *made); !r)
    return r;
  updated_ += accepted.size();
  return {};
}

void test_command::run_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text)
    return broken(text.error(), exit_config);
  const auto file = read_test_file(*text, path);
  if (findings(file.findings) || !file.value) {
    code_ = std::max(code_, exit_config);
    return;
  }
  const auto loaded = pipeline::load(file.value->pipeline);
  if (findings(loaded.findings) || !loaded.value) {
    code_ = std::max(code_, exit_config);
    return;
  }
  if (auto ok = pipeline::check_offline(*loaded.value); !ok)
    return broken(ok.error(), exit_config);
  std::vector<verdict> all;
  for (const auto& c : file.value->tests) {
    ++tests_;
    auto v = judge(loaded.value, *file.value, c);
    if (!v.problem.empty())
      code_ = std::max(code_, exit_config);
    const bool takes_over = options_.update && v.problem.empty() && !v.ok();
    if (!v.ok() && !takes_over)
      ++failed_;
    report_.line(v, v.ok() ? "ok" : (takes_over ? "updated" : "FAILED"));
    if (!v.ok())
      report_.differences(*file.value, v);
    all.push_back(std::move(v));
  }
  if (options_.update)
    if (auto r = update(*text, *file.value, all, loaded.value); !r)
      broken(r.error(), r.error().code == ec::io ? exit_runtime : exit_config);
}

int test_command::run() {
  for (const auto& f : options_.files)
    run_file(f);
  err_ << tests_ << (tests_ == 1 ? " test, " : " tests, ") << failed_ << " failed";
  if (options_.update)
    err_ << ", " << updated_ << " updated";
  err_ << '\n';
  return std::max(code_, failed_ > 0 ? exit_differs : 0);
}

} // namespace

int test(const test_options& o, std::ostream& out, std::ostream& err) { return test_command{o, out, err}.run(); }

} // namespace millrace::cli
