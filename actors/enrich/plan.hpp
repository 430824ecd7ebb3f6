// SPDX-License-Identifier: Apache-2.0
/// @file
/// The enrich stage: options as the pipeline file gives them, the checked plan, and its processor.
#pragma once

#include "actors/lookup_totals.hpp"
#include "actors/processor.hpp"
#include "messaging/errors.hpp"
#include "messaging/event_batch.hpp"
#include "messaging/schema.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::enrich {

/// Contents of a lookup table: immutable, typed columns, one row per key. Thread-safe.
class table {
public:
  virtual ~table() = default;
  virtual const schema& columns() const noexcept = 0;
  virtual std::size_t rows() const noexcept = 0;
  /// The values of column i; text columns are coded in a dictionary that lives as long as the table.
  virtual const column& values(std::size_t i) const noexcept = 0;
  /// Index of the key column; its type is string, int64 or uint64.
  virtual std::size_t key_column() const noexcept = 0;
  static constexpr std::uint32_t not_found = 0xffffffff;
  /// The row of a key, or `not_found`; the first for a string key, the second for a number (uint64: its bits).
  virtual std::uint32_t find(std::string_view key) const noexcept = 0;
  virtual std::uint32_t find(std::int64_t key) const noexcept = 0;
  /// Hash of the contents, for table versions (rule 7.1) and logs.
  virtual std::uint64_t content_hash() const noexcept = 0;
};
using table_ptr = std::shared_ptr<const table>;

/// Where a table that is not only a file comes from.
struct remote_table {
  enum class kind : std::uint8_t { none, nats_kv, http, postgresql };
  kind what = kind::none;
  /// `nats_kv`: each key is a row's key, its value a JSON object with the columns.
  std::string bucket = {};
  /// `http`, `postgresql`. May hold a password: never in logs or errors.
  std::string url = {};
  /// Variable of the environment that holds the URL instead.
  std::string url_env = {};
  /// `http`; values may be secret.
  std::vector<std::pair<std::string, std::string>> headers = {};
  /// `postgresql`.
  std::string query = {};
  /// How often it is asked.
  nanoseconds_t every = 0;
};

struct table_options {
  std::string name;
  /// CSV file (RFC 4180, header); relative paths are already resolved. Beside `remote`: a copy for `batch`.
  std::string file;
  /// Column that holds the key.
  std::string key;
  /// Types of columns that are not strings.
  std::map<std::string, data_type> types;
  remote_table remote = {};
  /// Columns beside the key when `remote` is used: what is there need not be known before it is asked. A file has the
  /// columns of its header instead.
  std::vector<std::string> columns = {};
};

/// Reads a CSV table. An empty cell is null; a column without one is not nullable. A duplicate or empty key, a record
/// of another width than the header, a cell that is not of its column's type and bytes that are not UTF-8 are errors
/// that name the line. Errors: ec::config.
result<table_ptr> load_csv_table(const table_options& options);
/// The same from text, for tests.
result<table_ptr> parse_csv_table(const table_options& options, std::string_view text);

/// The table of a remote source before anything came: the key and `columns`, which may be null, and no row.
result<table_ptr> empty_table(const table_options& options);

enum class missing_policy : std::uint8_t { keep, drop, reject };

struct filter_step {
  std::string condition;
};
/// Adds or replaces fields, in file order: a later one sees the earlier ones. The type may change.
struct set_step {
  std::vector<std::pair<std::string, std::string>> fields;
};
struct remove_step {
  std::vector<std::string> fields;
};
struct lookup_step {
  std::string table;
  /// Field of the event to look up.
  std::string on;
  /// Columns of the table to add; they become nullable fields unless `missing` is drop or reject.
  std::vector<std::string> add;
  missing_policy missing = missing_policy::keep;
};
using step = std::variant<filter_step, set_step, remove_step, lookup_step>;

/// Logical units: ids and their bytes.
struct state_limits {
  std::uint64_t keys = 1'000'000;
  std::uint64_t bytes = 1ULL << 30;
};

/// Drops events whose (key, id) was accepted at most `within` before or after in event time; the first by position
/// wins, a null id passes. An event older than its watermark less `within` is rejected as `late`.
struct duplicates_options {
  nanoseconds_t within = 0;
  std::vector<std::string> key;
  std::string id;
  state_limits limits;
};

struct options {
  /// Before the steps.
  std::optional<duplicates_options> duplicates = {};
  std::vector<step> steps;
  std::vector<table_options> tables;
  /// Fields that are read after this stage: the others do not leave it. Unset: all leave. Unknown names are ignored.
  std::optional<std::vector<std::string>> kept;
};

/// Checked steps with their compiled expressions. Immutable, thread-safe.
class plan {
public:
  virtual ~plan() = default;
  virtual schema_ptr input_schema() const = 0;
  virtual schema_ptr output_schema() const = 0;
  /// Fields of the input that some step reads (or removes), by name.
  virtual std::vector<std::string> fields_read() const = 0;
  /// The tables as declared.
  virtual const std::vector<table_options>& tables() const = 0;
  /// What later contents of a declared table must have: these columns, without nulls where a lookup relies on it.
  virtual const schema& table_columns(std::string_view table) const = 0;
};
using plan_ptr = std::shared_ptr<const plan>;
using table_map = std::map<std::string, table_ptr>;

struct lookup_counters {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
};

class enrich_processor : public processor, public lookup_totals {
public:
  /// How often a table had what was looked up, by the table's name; every table that some step uses is there. Part of
  /// the state.
  virtual const std::map<std::string, lookup_counters>& lookups() const noexcept = 0;
  /// The contents that lookups see now; null for a table that no step uses.
  virtual table_ptr table_in_use(std::string_view name) const = 0;
};

/// Checks everything and reports every finding with its path (`enrich.steps[2].set.notional`,
/// `enrich.steps[1].lookup.table`, ...). Null when there was an error. `tables` are loaded already: their
/// columns give the added fields their types.
plan_ptr make_plan(const options& o, schema_ptr input, const table_map& tables, std::vector<diagnostic>& findings);

/// Ledger of the stage: forwarded, filtered (filter, and missing: drop), duplicate, late, rejected (`expression`,
/// `lookup`, `limit`). Rows keep time, watermark, position and shard. A filter that is null rejects the event as an
/// error does; a null field is in no table. `tables` are those of the plan, or newer contents with the same columns.
///
/// `control(name, contents)` replaces the contents of a table (`table_contents.hpp`); a snapshot holds those of tables
/// that were replaced.
std::unique_ptr<enrich_processor> make_processor(plan_ptr p, table_map tables);

} // namespace millrace::enrich
