// SPDX-License-Identifier: Apache-2.0
#include "services/alert/service.hpp"

int main(int argc, char** argv) {
  return millrace::process::service_main(argc, argv, millrace::services::alert_service());
}
