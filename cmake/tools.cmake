# SPDX-License-Identifier: Apache-2.0
# House rules as tests, and the suites that live outside of tests/scenario.
add_test(NAME house/layers COMMAND ${CMAKE_SOURCE_DIR}/scripts/layers.sh)
add_test(NAME house/longest COMMAND ${CMAKE_SOURCE_DIR}/scripts/longest.sh)
add_test(NAME house/heads COMMAND ${CMAKE_SOURCE_DIR}/scripts/heads.sh)
set_tests_properties(house/layers house/longest house/heads PROPERTIES LABELS house TIMEOUT 60)

# The tools of the scenarios are programs, too: they are tested before they are believed.
add_test(NAME house/peer COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/tools/test_peer.py)
set_tests_properties(house/peer PROPERTIES LABELS house TIMEOUT 120)
add_test(NAME house/proxy COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/tools/test_proxy.py)
set_tests_properties(house/proxy PROPERTIES LABELS house TIMEOUT 120)

if(TARGET weir)
  add_test(NAME scenario/kill COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/kill/run.py WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(scenario/kill PROPERTIES LABELS scenario TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "WEIR=$<TARGET_FILE:weir>;WEIR_BUILD=${CMAKE_BINARY_DIR}")
  add_test(NAME scenario/kill-mixed COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/kill/mixed.py WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME scenario/kill-mixed-postgres COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/kill/mixed.py --store postgres WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(scenario/kill-mixed scenario/kill-mixed-postgres PROPERTIES LABELS scenario TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "WEIR=$<TARGET_FILE:weir>;WEIR_BUILD=${CMAKE_BINARY_DIR}")
endif()

# Makes the n-th allocation of a program fail (LD_PRELOAD). glibc's own names stand in it, and a sanitizer has malloc to itself.
if(NOT WEIR_SANITIZE)
  add_library(failmalloc MODULE ${CMAKE_SOURCE_DIR}/tests/tools/failmalloc.c)
  target_compile_options(failmalloc PRIVATE -Wno-missing-prototypes)
endif()

# The n-th allocation of the whole program fails: a sample (tests/torture/README.md).
if(TARGET weir AND TARGET failmalloc)
  add_test(NAME torture/program COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/torture/run.py WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(torture/program PROPERTIES LABELS torture TIMEOUT 1200 SKIP_RETURN_CODE 77
    ENVIRONMENT "WEIR=$<TARGET_FILE:weir>;WEIR_BUILD=${CMAKE_BINARY_DIR}")
endif()

# What is generated and checked in must be what the program says today (`make docs`).
if(TARGET weir)
  add_test(NAME house/schema-is-fresh COMMAND sh -c "$<TARGET_FILE:weir> schema component | diff - ${CMAKE_SOURCE_DIR}/docs/reference/component.schema.json")
  set_tests_properties(house/schema-is-fresh PROPERTIES LABELS house TIMEOUT 60)
endif()
