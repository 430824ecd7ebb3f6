// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/postgres_table.hpp"

#include <libpq-fe.h>
#include <memory>

namespace millrace::storage {

namespace {

struct closer {
  void operator()(PGconn* c) const noexcept { PQfinish(c); }
  void operator()(PGresult* r) const noexcept { PQclear(r); }
  void operator()(PQconninfoOption* o) const noexcept { PQconninfoFree(o); }
};
using connection = std::unique_ptr<PGconn, closer>;
using answer = std::unique_ptr<PGresult, closer>;
using settings = std::unique_ptr<PQconninfoOption, closer>;

/// From `pg_type`; libpq has no header for it.
constexpr Oid bool_type = 16;

/// libpq's message on one line.
std::string one_line(const char* text) {
  std::string out;
  for (std::string_view rest{text}; !rest.empty(); rest.remove_prefix(1))
    out += rest[0] == '\n' ? ' ' : rest[0];
  while (!out.empty() && out.back() == ' ')
    out.pop_back();
  return out;
}

/// What libpq says about a URL that it cannot read repeats parts of it.
error wrong_url() {
  return {ec::config, "the url of PostgreSQL cannot be read", "e.g. `postgresql://reader@db/reference`"};
}

result<connection> open(const postgres_query& q) {
  char* why = nullptr;
  const settings parsed{PQconninfoParse(q.url.c_str(), &why)};
  PQfreemem(why);
  if (!parsed)
    return wrong_url();
  const auto timeout = std::to_string(q.connect_timeout.count());
  // What stands in the URL comes last and wins. Otherwise the server refuses to write, whatever the query is.
  const auto options =
    "-c default_transaction_read_only=on -c statement_timeout=" + std::to_string(q.statement_timeout.count()) + "s";
  const char* names[] = {"connect_timeout", "application_name", "client_encoding", "options", "dbname", nullptr};
  const char* values[] = {timeout.c_str(), "millrace", "UTF8", options.c_str(), q.url.c_str(), nullptr};
  connection c{PQconnectdbParams(names, values, 1)};
  if (!c)
    return error{ec::internal, "no memory for a connection to PostgreSQL", ""};
  if (PQstatus(c.get()) != CONNECTION_OK)
    return error{ec::unavailable, "PostgreSQL: " + one_line(PQerrorMessage(c.get())), ""};
  return c;
}

std::optional<std::string> value(const PGresult* r, int column) {
  if (PQgetisnull(r, 0, column) != 0)
    return std::nullopt;
  if (PQftype(r, column) == bool_type)
    return *PQgetvalue(r, 0, column) == 't' ? "true" : "false";
  return std::string(PQgetvalue(r, 0, column), static_cast<std::size_t>(PQgetlength(r, 0, column)));
}

/// Rows come one by one, so that a table that is too large is noticed before it is in memory.
result<postgres_rows> receive(PGconn* c, std::size_t max_bytes) {
  postgres_rows out;
  std::size_t bytes = 0;
  while (const answer r{PQgetResult(c)}) {
    const auto status = PQresultStatus(r.get());
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) {
      const auto* state = PQresultErrorField(r.get(), PG_DIAG_SQLSTATE);
      // 42: what the query names does not exist, or it is no SQL; 25006: it writes.
      const bool wrong = state && (std::string_view{state}.starts_with("42") || std::string_view{state} == "25006");
      if (status == PGRES_COMMAND_OK)
        return error{ec::config, "the query gives no rows", "write one `select`"};
      return error{wrong ? ec::config : ec::unavailable, "PostgreSQL: " + one_line(PQresultErrorMessage(r.get())), ""};
    }
    const int columns = PQnfields(r.get());
    if (out.columns.empty())
      for (int i = 0; i < columns; ++i)
        out.columns.emplace_back(PQfname(r.get(), i));
    if (status != PGRES_SINGLE_TUPLE)
      continue;
    auto& row = out.rows.emplace_back();
    for (int i = 0; i < columns; ++i) {
      row.push_back(value(r.get(), i));
      bytes += row.back() ? row.back()->size() + 1 : 1;
    }
    if (bytes > max_bytes)
      return error{ec::too_large, "the query gives more than " + std::to_string(max_bytes >> 20) + " MiB", ""};
  }
  return out;
}

} // namespace

result<postgres_rows> query_postgres(const postgres_query& q) {
  auto c = open(q);
  if (!c)
    return std::move(c).error();
  // The extended protocol takes one statement, whatever the text says.
  if (PQsendQueryParams(c->get(), q.text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 0 ||
      PQsetSingleRowMode(c->get()) == 0)
    return error{ec::unavailable, "PostgreSQL: " + one_line(PQerrorMessage(c->get())), ""};
  return receive(c->get(), q.max_bytes);
}

} // namespace millrace::storage
