// SPDX-License-Identifier: Apache-2.0
// Compiled so that the precompiled header that every test executable reuses is made once.
