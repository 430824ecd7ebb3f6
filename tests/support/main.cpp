// SPDX-License-Identifier: Apache-2.0
// Catch2 v2 needs its runner compiled once; v3 brings one in Catch2::Catch2WithMain.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
