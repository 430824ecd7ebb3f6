// SPDX-License-Identifier: Apache-2.0
#include "services/window_aggregate/service.hpp"

int main(int argc, char** argv) {
  return millrace::process::service_main(argc, argv, millrace::services::window_aggregate_service());
}
