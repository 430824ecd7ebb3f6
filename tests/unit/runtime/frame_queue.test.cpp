// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/frame_queue.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::runtime;

namespace {

const auto layout = std::make_shared<const schema>(std::vector<field>{{"n", data_type::int64, false}});

/// Rows with rising watermarks from `first` on.
section rows_from(std::string name, std::int64_t first, std::size_t n) {
  batch_builder b{layout};
  for (std::size_t i = 0; i < n; ++i) {
    const auto w = first + static_cast<std::int64_t>(i);
    b.set_int(0, w);
    b.finish_row(w, w, w, 0);
  }
  return {std::move(name), b.finish()};
}

checkpoint at(std::uint64_t sequence, nanoseconds_t watermark) { return {{sequence, 0, 0}, watermark, watermark, {}}; }

} // namespace

TEST_CASE("a frame that ends inside an input tells its readers how far time has come") {
  frame_queue q;
  q.push(at(1, 5), 0, {rows_from("", 0, 1)});
  REQUIRE(q.next(1 << 20)->watermark == 5);
  q.push(at(2, 5000), 0, {rows_from("", 1000, 2000)});
  nanoseconds_t told = 5;
  std::uint64_t rows = 0;
  std::size_t frames = 0;
  while (const auto f = q.next(4096)) {
    ++frames;
    rows += f->rows();
    if (q.empty()) {
      CHECK(f->watermark == 5000);
      CHECK(f->origin_watermark == 5000);
      CHECK(f->origin == origin{2, 0, 0});
      continue;
    }
    // The watermark before the next row, and what to resume from.
    CHECK(f->watermark == 1000 + static_cast<std::int64_t>(rows));
    CHECK(f->watermark > told);
    CHECK(f->origin_watermark == 5);
    CHECK(f->origin == origin{1, 0, rows});
    told = f->watermark;
  }
  CHECK(rows == 2000);
  CHECK(frames > 2);
}

TEST_CASE("results that are cut say nothing of time") {
  frame_queue q;
  q.push(at(1, 5), 0, {rows_from("w", 0, 1)});
  REQUIRE(q.next(1 << 20));
  q.push(at(2, 5000), 0, {rows_from("w", 1000, 2000)});
  const auto f = q.next(4096);
  REQUIRE_FALSE(q.empty());
  CHECK(f->watermark == 5);
}

TEST_CASE("after a restart inside an input the readers are told nothing older, and the writer resumes at the origin") {
  frame_queue q;
  q.resume({{1, 0, 100}, 5, 5, {}, 1100});
  CHECK_FALSE(q.time_moved());
  q.push(at(2, 5000), 0, {rows_from("", 1000, 2000)});
  const auto f = q.next(4096);
  REQUIRE_FALSE(q.empty());
  CHECK(f->sections.front().batch.columns[0].i64.front() == 1100);
  CHECK(f->watermark == 1100 + static_cast<std::int64_t>(f->rows()));
  CHECK(f->origin_watermark == 5);
}
