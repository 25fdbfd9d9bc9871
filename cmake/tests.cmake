# SPDX-License-Identifier: Apache-2.0
# Every tests/unit/<layer>/test_*.c is one ctest; so is every fuzz target's corpus; scenarios run through their scripts.

# Unit tests: linked with their layer (and what it uses); "weir" in the directory name's place stands for the whole program.
file(GLOB unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*/test_*.c)
foreach(path ${unit_tests})
  get_filename_component(name ${path} NAME_WE)
  get_filename_component(dir ${path} DIRECTORY)
  get_filename_component(unit_layer ${dir} NAME)
  if(TARGET ${unit_layer})
    set(target unit_${unit_layer}_${name})
    add_executable(${target} ${path})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support)
    target_link_libraries(${target} PRIVATE ${unit_layer} PkgConfig::CMOCKA)
    if(unit_layer STREQUAL "store")
      target_link_libraries(${target} PRIVATE PkgConfig::PQ PkgConfig::SQLITE)
    endif()
    add_test(NAME unit/${unit_layer}/${name} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(unit/${unit_layer}/${name} PROPERTIES LABELS unit TIMEOUT 120
      ENVIRONMENT "WEIR_SUITES=${CMAKE_SOURCE_DIR}/../shared/suites;WEIR_BUILD=${CMAKE_BINARY_DIR}")
  endif()
endforeach()

# What the store promises over PostgreSQL, too: the same programs, and those about its connection.
if(TARGET store)
  foreach(name test_store test_entry test_decide test_prune test_files test_pg)
    add_test(NAME unit/store/postgres/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/tools/postgres.py $<TARGET_FILE:unit_store_${name}>
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(unit/store/postgres/${name} PROPERTIES LABELS unit TIMEOUT 300)
  endforeach()
endif()

# Some seven hundred runs, each with a store on disk.
if(TARGET unit_step_test_torture)
  set_tests_properties(unit/step/test_torture PROPERTIES TIMEOUT 900)
endif()

# Fuzz targets: fuzz/<layer>/fuzz_*.c define LLVMFuzzerTestOneInput. With clang and WEIR_FUZZ they are fuzzers; everywhere they are
# linked with a small main that runs each file of fuzz/corpus/<name>/ once, as a test.
file(GLOB fuzz_targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*/fuzz_*.c)
foreach(path ${fuzz_targets})
  get_filename_component(name ${path} NAME_WE)
  get_filename_component(dir ${path} DIRECTORY)
  get_filename_component(fuzz_layer ${dir} NAME)
  if(TARGET ${fuzz_layer})
    if(WEIR_FUZZ)
      add_executable(${name} ${path})
      target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
      add_executable(${name} ${path} ${CMAKE_SOURCE_DIR}/fuzz/corpus_main.c)
      add_test(NAME fuzz-corpus/${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
      set_tests_properties(fuzz-corpus/${name} PROPERTIES LABELS fuzz-corpus TIMEOUT 120)
    endif()
    target_link_libraries(${name} PRIVATE ${fuzz_layer})
  endif()
endforeach()

# Scenario suites: tests/scenario/<topic>/run.py starts the real program against real peers and exits non-zero on failure.
file(GLOB scenario_suites CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/scenario/*/run.py)
foreach(path ${scenario_suites})
  get_filename_component(dir ${path} DIRECTORY)
  get_filename_component(name ${dir} NAME)
  if(TARGET weir)
    add_test(NAME scenario/${name} COMMAND python3 ${path} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(scenario/${name} PROPERTIES LABELS scenario TIMEOUT 600 SKIP_RETURN_CODE 77
      ENVIRONMENT "WEIR=$<TARGET_FILE:weir>;WEIR_BUILD=${CMAKE_BINARY_DIR};WEIR_SUITES=${CMAKE_SOURCE_DIR}/../shared/suites")
  endif()
endforeach()

# Two hundred runs, each a process.
if(TARGET weir)
  set_tests_properties(scenario/cassettes PROPERTIES TIMEOUT 1500)
endif()

# The examples' cassettes, played: needs no network and no peer.
if(TARGET weir)
  add_test(NAME examples/cassettes COMMAND weir test examples/weather examples/02-orders WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(examples/cassettes PROPERTIES LABELS scenario TIMEOUT 120)
endif()

# The engine in a simulated world: tests/sim brings a loop, a transport and a disk of its own, which the linker takes before those of the layers.
if(TARGET step)
  file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/sim/*.c)
  add_executable(weir_sim ${sim_sources})
  target_include_directories(weir_sim PRIVATE $<TARGET_PROPERTY:PkgConfig::UV,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(weir_sim PRIVATE step)
  add_test(NAME sim/seeds COMMAND weir_sim --seeds 1000)
  add_test(NAME sim/same-seed-same-trace COMMAND sh -c "a=$($1 --seeds 40 --digest) && b=$($1 --seeds 40 --digest) && echo \"$a $b\" && test \"$a\" = \"$b\"" sh $<TARGET_FILE:weir_sim>)
  set_tests_properties(sim/seeds sim/same-seed-same-trace PROPERTIES LABELS sim TIMEOUT 600)
endif()
