# SPDX-License-Identifier: Apache-2.0
# Flags that every target shares, and functions that declare libraries and tests by folder.

add_library(millrace_flags INTERFACE)
target_compile_features(millrace_flags INTERFACE cxx_std_20)
# Floating point must not depend on how expressions were contracted (semantics.md, rule 1.2).
target_compile_options(millrace_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -ffp-contract=off
                       $<$<BOOL:${MILLRACE_WERROR}>:-Werror>)
target_include_directories(millrace_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_link_libraries(millrace_flags INTERFACE Threads::Threads)
if(MILLRACE_SANITIZE)
  target_compile_options(millrace_flags INTERFACE -fsanitize=${MILLRACE_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(millrace_flags INTERFACE -fsanitize=${MILLRACE_SANITIZE})
endif()

find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need these; see ccache(1), "Precompiled headers".
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${MILLRACE_CCACHE}")
  add_compile_options(-fpch-preprocess)
endif()
find_program(MILLRACE_MOLD mold)
if(MILLRACE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# millrace_library(name [libs...]): every .cpp of the current folder (not below it) as a static library.
function(millrace_library name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC millrace_flags ${ARGN})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE millrace_flags ${ARGN})
  endif()
endfunction()
